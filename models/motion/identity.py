"""PC-AVS: the identity encoder, a ResNeXt-50 (32x4d; arXiv 1611.05431) that learns to tell people apart.

Layout and parameter names of the public code (github.com/Hangz-nju-cuhk/Talking-Face_PC-AVS, arXiv 2104.11116) at width 1; the
classifier of ImageNet, which that code makes and never uses, is left out. Written anew.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled

LAYERS = (3, 4, 6, 3)  # blocks in each of the four layers
EXPANSION = 4  # channels after a block, in those of its name
GROUP = 4  # channels in a group of the middle convolution
CODE, MAPS = 2048, 512  # at width 1
PLANES = 64  # of the first layer at width 1


class Identity(NamedTuple):
    """What the identity encoder finds in N faces, with the channels at width 1.

    Attributes:
        code: (N, 2048) float, the person.
        maps: (N, 512, s, s) float, from which the generator starts; s is `models.motion.generator.start_of(face_size)`.

        For a generator that moves the portrait:
        levels: float tensors of the sides S, S / 2, S / 4, S / 8: the faces in [-1, 1], and maps of the first layers; else ().
        codes: (N, M) float32, codes of the mouth and of the pose that the faces have; landmarks: (N, 68, 2) float32, their
            landmarks from -1 to 1, right and down; else None.
    """

    code: torch.Tensor
    maps: torch.Tensor
    levels: tuple = ()
    codes: torch.Tensor | None = None
    landmarks: torch.Tensor | None = None

    def each(self, change):
        """The Identity whose tensors `change` has made of those of this one."""
        rest = (None if one is None else change(one) for one in (self.codes, self.landmarks))
        return Identity(change(self.code), change(self.maps), tuple(change(one) for one in self.levels), *rest)


class Bottleneck(nn.Module):
    """A residual block: 1x1, grouped 3x3, 1x1 convolutions, (N, before, H, W) -> (N, 4 planes, H / stride, W / stride)."""

    def __init__(self, before, planes, stride, groups):
        super().__init__()
        inner, after = planes * 2, planes * EXPANSION
        self.conv1, self.bn1 = nn.Conv2d(before, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=False), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, after, 1, bias=False), nn.BatchNorm2d(after)
        same = before == after and stride == 1
        shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.downsample = None if same else shortcut

    def forward(self, x):
        made = F.relu(self.bn1(self.conv1(x)), inplace=True)
        made = F.relu(self.bn2(self.conv2(made)), inplace=True)
        made = self.bn3(self.conv3(made))
        return F.relu(made + (x if self.downsample is None else self.downsample(x)), inplace=True)


class ResNeXt(nn.Module):
    """The trunk: (N, 3, S, S) float -> (N, 2048, S / 32, S / 32) float at width 1, rounded up.

    With the width w the planes of the first layer are 64 w, and double from layer to layer. Groups hold 4 channels of the first
    layer, as published, so their number falls with the width (ours). Weights start by He's scheme over the outputs.
    """

    def __init__(self, width):
        super().__init__()
        first = scaled(PLANES, width)
        groups, before = 2 * first // GROUP, first
        self.conv1, self.bn1 = nn.Conv2d(3, first, 7, 2, 3, bias=False), nn.BatchNorm2d(first)
        for number, count in enumerate(LAYERS):
            planes = first << number
            blocks = [Bottleneck(before, planes, 2 if number else 1, groups)]
            before = planes * EXPANSION
            blocks += [Bottleneck(before, planes, 1, groups) for _ in range(count - 1)]
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.channels = before
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pictures):
        return self.levels(pictures)[-1]

    def levels(self, pictures):
        """Maps of all layers: of the sides S / 2, S / 4, S / 8, S / 16 and S / 32."""
        found = [F.relu(self.bn1(self.conv1(pictures)), inplace=True)]
        x = F.max_pool2d(found[0], 3, 2, 1)
        for number in range(1, len(LAYERS) + 1):
            x = getattr(self, f"layer{number}")(x)
            found.append(x)
        return found


class IdentityEncoder(nn.Module):
    """Faces -> Identity, and logits of people.

    Args:
        width: multiplies the channels.
        people: classes; 0: there is no classifier.
        side: s of the maps; 0: there are none, as in the stage that learns to tell people apart.
        levels: the finer maps are given as well.
    """

    def __init__(self, width=1.0, people=0, side=7, levels=False):
        super().__init__()
        self.side, self.levels = side, levels
        self.model = ResNeXt(width)
        self.conv1x1 = nn.Conv2d(self.model.channels, scaled(MAPS, width), 1) if side else None
        self.fc = nn.Linear(self.model.channels, people) if people else None

    def forward(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> Identity; its maps are None where there are none."""
        pictures = faces * 2 - 1
        half, quarter, eighth, _, x = self.model.levels(pictures)
        maps = F.adaptive_avg_pool2d(self.conv1x1(x), self.side) if self.side else None
        return Identity(x.mean((2, 3)), maps, (pictures, half, quarter, eighth) if self.levels else ())

"""DAVS: the identity encoder (pid), a light CNN whose activation is the larger of two branches.

Layout and parameter names of the public code (github.com/Hangz-nju-cuhk/Talking-Face-Generation-DAVS, arXiv 1807.07860) at face
size 256 and width 1. Written anew.
"""

from typing import NamedTuple

import torch
from torch import nn

from models.blocks import scaled

# a level each: names of its blocks, their channels at width 1, kernel size, and the kernel size of which the weights' first
# deviation is; a 2x2 maximum lies before all but the first
LEVELS = (
    (("01",), (32,), 7, 7),
    (("11", "12", "13", "14"), (32, 32, 64, 64), 3, 3),
    (("21", "22", "23", "24", "25", "26"), (96, 96, 128, 128, 160, 160), 3, 3),
    (("31", "32", "33", "34"), (320, 320, 320, 320), 3, 3),
    (("41", "42"), (256, 256), 5, 3),
)
MAP_CHANNELS, SKIP_CHANNELS, CODE_CHANNELS = 64, 160, 256  # at width 1


class Identity(NamedTuple):
    """What the identity encoder finds in N faces of side S, with the channels at width 1.

    Attributes:
        code: (N, 256) float, the person.
        skip: (N, 160, S / 8, S / 8) float, which the decoder joins to its own map.
        maps: (N, 64, S / 4, S / 4) float, which the word adversary reads.
    """

    code: torch.Tensor
    skip: torch.Tensor
    maps: torch.Tensor


class MaxBlock(nn.Module):
    """Two convolutions, a batch norm each, and the larger of both: (N, in, H, W) -> (N, out, H', W') float.

    Weights start as published: normal with deviation sqrt(1 / (k * k * out)), He's scheme over the outputs of both branches;
    k is the kernel size, but 3 in the last two blocks, whose kernels have 5.

    Args:
        before, after: channels; name: of the published block; kernel: size; spread: k; stride: of the convolutions.
    """

    def __init__(self, before, after, name, kernel, spread, stride=1):
        super().__init__()
        self.branches = (f"conv{name}_a", f"conv{name}_b")
        for branch in self.branches:
            conv = nn.Conv2d(before, after, kernel, stride, kernel // 2)
            nn.init.normal_(conv.weight, std=(spread * spread * after) ** -0.5)
            nn.init.zeros_(conv.bias)
            self.add_module(branch, conv)
            self.add_module(f"{branch}_bn", nn.BatchNorm2d(after))

    def forward(self, x):
        one, other = (getattr(self, f"{branch}_bn")(getattr(self, branch)(x)) for branch in self.branches)
        return torch.where(one > other, one, other)  # quicker to train than torch.maximum


class IdentityEncoder(nn.Module):
    """Faces -> Identity. `width` multiplies the channels."""

    def __init__(self, width=1.0):
        super().__init__()
        before, self.levels = 3, []
        for names, channels, kernel, spread in LEVELS:
            level = [f"block{int(name)}" for name in names]
            for block, name, wanted in zip(level, names, channels, strict=True):
                after = scaled(wanted, width)
                self.add_module(block, MaxBlock(before, after, name, kernel, spread, stride=2 if before == 3 else 1))
                before = after
            self.levels.append(level)
        self.pool = nn.MaxPool2d(2, 2)

    def forward(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> Identity."""
        found, x = [], faces
        for number, level in enumerate(self.levels):
            x = self.pool(x) if number else x
            for block in level:
                x = getattr(self, block)(x)
            found.append(x)
        return Identity(code=found[4].mean((2, 3)), skip=found[2], maps=found[1])

"""Refines a warped lower face: a small convolutional network over the square around the mouth (docs/methods.md; ours).

What is there stays sharp: the network moves pixels of the warped source by a smooth field, and adds a smooth change of tone.
With `paints` it also makes up pixels inside the mouth, where the source was less open than is wanted, as far as its blending
mask says. A fresh network changes nothing.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from faces.drawing.lip_drawing import CHANNELS
from models.blocks import LEAK, check_flag, check_size, scaled
from models.network import Network

REACH = 0.04  # of the square's side: the farthest that a pixel is moved along one axis
CHANNELS_AT_HALF = 24
MARGIN = 0.09  # of the square's side: how far beyond the lips counts as near them
_INPUTS = 3 + CHANNELS
_SMOOTH, _FINE = (2, 3), (3, 1)  # maps: flow, tone; paint, blending mask


@dataclass(frozen=True)
class Refinement:
    """What the network finds for N squares, each (N, C, H, W) float32 at the network's own resolution.

    Attributes:
        flow: x and y, shares of the square's side, from where in the source a pixel is taken.
        tone: what is added to R, G and B.
        paint: R, G and B that the network makes up.
        mask: share of it, 0 where the source shows what is wanted.
    """

    flow: torch.Tensor
    tone: torch.Tensor
    paint: torch.Tensor
    mask: torch.Tensor

    def resized(self, side):
        """The same for squares of `side` pixels."""
        maps = (F.interpolate(one, size=(side, side), mode="bicubic", align_corners=False) for one in vars(self).values())
        return Refinement(*maps)

    def applied(self, source):
        """(N, 3, H, W) warped source of the maps' size -> (N, 3, H, W) float32 refined, not clipped."""
        base = moved(source.float(), self.flow) + self.tone
        return base + self.mask * (self.paint - base)


class LipRefiner(Network):
    """Refines a warped source, in the square around the mouth: the middle of the lower half of an aligned crop.

    Args:
        face_size: S, side of the aligned crops of training; the square has half of it.
        width: 1: 24 channels at half the square's resolution, twice and four times as many at a quarter and an eighth.
        portrait, gap, loose: of the training items, see datasets.fields.lower_face.
        paints: whether the blending mask may be above 0.

    Raises:
        InputError: a size or a width that is not possible.
    """

    role = "a lip-refining network"
    needs = ("warped_face", "lip_drawing")
    gives = ("face",)

    def __init__(self, face_size=192, width=1.0, portrait=0.4, gap=15, loose=0.1, paints=False):
        super().__init__()
        check_size(face_size, width)
        check_flag(paints, "paints")
        self.face_size, self.side = face_size, face_size // 2
        self.paints = paints
        self.sources = {"portrait": portrait, "gap": gap, "loose": loose}
        half = scaled(CHANNELS_AT_HALF, width)
        quarter, eighth = 2 * half, 4 * half
        self.stem, self.down, self.bottom = _conv(_INPUTS, half, 2), _conv(half, quarter, 2), _conv(quarter, eighth, 2)
        self.before, self.after = _Residual(quarter), _Residual(quarter)
        self.deep = nn.Sequential(_Residual(eighth), _Residual(eighth))
        self.up, self.smooth = nn.Conv2d(eighth, quarter, 1), _conv(quarter, sum(_SMOOTH))
        if paints:
            self.top, self.finish, self.fine = nn.Conv2d(quarter, half, 1), _conv(half, half), _conv(half, 4 * sum(_FINE))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=LEAK, nonlinearity="leaky_relu")
                nn.init.zeros_(layer.bias)
        for head in self.heads():
            nn.init.zeros_(head.weight)

    def heads(self):
        """The last layers, which begin at 0."""
        return (self.smooth, self.fine) if self.paints else (self.smooth,)

    def parts(self):
        """See models.network.Network."""
        heads = ("smooth", "fine") if self.paints else ("smooth",)
        return {"trunk": tuple(name for name, _ in self.named_children() if name not in heads), "heads": heads}

    def field_options(self):
        """See models.network.Network."""
        return {"warped_face": self.sources}

    def forward(self, batch):
        """Training.

        Args:
            batch: `warped_face` (B, T, 3, S, S), `lip_drawing` (B, T, 4, S, S).

        Returns:
            {"face": (B, T, 3, S, S) float32}: the face with its lower part refined, inside the square.
        """
        place = square(self.face_size)
        drawn, drawing = (batch[name][..., place[0], place[1]].flatten(0, 1) for name in self.needs)
        whole = batch["warped_face"].clone()
        whole[..., place[0], place[1]] = self.refined(drawn, drawing).unflatten(0, whole.shape[:2])
        return {"face": whole}

    def refined(self, drawn, drawing):
        """Refine squares.

        Args:
            drawn: (N, 3, H, W) float in [0, 1] RGB, H and W multiples of 8: the face as it was drawn of a warped source.
            drawing: (N, 4, H, W) float in [0, 1], see faces.drawing.lip_drawing.

        Returns:
            (N, 3, H, W) float32, not clipped; as it was outside the lower face.
        """
        drawn = drawn.float()
        return drawn + drawing[:, 3:].float() * (self.find(drawn, drawing).applied(drawn) - drawn)

    def find(self, drawn, drawing):
        """What to change, as a Refinement at the squares' size; arguments as of `refined`."""
        maps = torch.cat((drawn - 0.5, drawing), 1)
        half = self.stem(maps.to(self.stem.weight.dtype, memory_format=torch.channels_last))
        quarter = self.before(self.down(_active(half)))
        quarter = self.after(quarter + _doubled(self.up(self.deep(self.bottom(_active(quarter))))))
        flow, tone = self.smooth(_active(quarter)).float().split(_SMOOTH, 1)
        smooth = torch.cat((REACH * flow.tanh(), tone), 1)
        flow, tone = F.interpolate(smooth, scale_factor=4, mode="bilinear", align_corners=False).split(_SMOOTH, 1)
        if not self.paints:
            return Refinement(flow, tone, torch.zeros_like(tone), torch.zeros_like(tone[:, :1]))
        half = self.finish(_active(half + _doubled(self.top(quarter))))
        paint, mask = F.pixel_shuffle(self.fine(_active(half)).float(), 2).split(_FINE, 1)
        return Refinement(flow, tone, paint.sigmoid(), unseen(drawing) * mask.tanh())


def square(size):
    """(rows, columns) slices of the square around the mouth in an aligned crop of `size` pixels."""
    return slice(size // 2, 2 * (size // 2)), slice(size // 4, size // 4 + size // 2)


def near_lips(drawing):
    """(N, 4, H, W) drawing -> (N, 1, H, W) float32: 1 on the lips and in the mouth, falling to 0 beyond them."""
    mouth = F.avg_pool2d((drawing[:, :1] + drawing[:, 1:2]).float(), 4).clamp(0, 1)
    reach = int(MARGIN * mouth.shape[-1]) | 1
    wide = F.max_pool2d(mouth, reach, 1, reach // 2)
    soft = F.avg_pool2d(wide, reach, 1, reach // 2, count_include_pad=False)
    return F.interpolate(soft, size=drawing.shape[-2:], mode="bilinear", align_corners=False)


def unseen(drawing):
    """(N, 4, H, W) drawing -> (N, 1, H, W) float32: the inner mouth as far as the source did not show it, with soft edges."""
    gap = F.avg_pool2d((drawing[:, 1:2] - drawing[:, 2:3]).float(), 4)
    soft = F.avg_pool2d(gap, 3, 1, 1, count_include_pad=False)
    return F.interpolate(soft, size=drawing.shape[-2:], mode="bilinear", align_corners=False)


def moved(pictures, flow):
    """Pictures taken from elsewhere, by bicubic interpolation, the border repeated.

    Args:
        pictures: (N, C, H, W) float32; flow: (N, 2, H, W) float32 x and y, shares of the width and the height.

    Returns:
        (N, C, H, W) float32.
    """
    height, width = pictures.shape[-2:]
    x = (torch.arange(width, device=flow.device, dtype=torch.float32) + 0.5) * (2 / width) - 1
    y = (torch.arange(height, device=flow.device, dtype=torch.float32) + 0.5) * (2 / height) - 1
    grid = torch.stack((x + 2 * flow[:, 0], y[:, None] + 2 * flow[:, 1]), -1)
    return F.grid_sample(pictures, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _conv(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


def _active(x):
    return F.leaky_relu(x, LEAK)


def _doubled(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


class _Residual(nn.Module):
    """Two convolutions whose sum with the input keeps its shape."""

    def __init__(self, channels):
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)

    def forward(self, x):
        return x + self.second(_active(self.first(_active(x))))

"""Action units: the identity encoder and the decoder that draws with its maps (arXiv 2110.09951).

Four convolutions and a linear layer, a linear layer and six transposed convolutions, and the skips between both are of the
paper. Channels, kernels and which transposed convolutions double the size are ours.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled

IDENTITY_CODE = 512  # at width 1
CHANNELS = (64, 128, 256, 512)  # of the encoder's maps at width 1
DRAWN = (512, 256, 128, 64, 32)  # of the decoder's maps at width 1
LEAK = 0.2


class Identity(NamedTuple):
    """What the identity encoder finds in N faces of side S, with the channels at width 1.

    Attributes:
        code: (N, 512) float.
        maps: four tensors (N, C, H, W) float, C = 64, 128, 256, 512 with H = W = S / 2, S / 4, S / 8, S / 16.
    """

    code: torch.Tensor
    maps: tuple[torch.Tensor, ...]


class IdentityEncoder(nn.Module):
    """(N, 3, S, S) float in [0, 1] RGB -> Identity.

    Args:
        face_size: S, a multiple of 16; width: multiplies the channels.
    """

    def __init__(self, face_size=112, width=1.0):
        super().__init__()
        channels = [3, *(scaled(one, width) for one in CHANNELS)]
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(LEAK))
            for before, after in zip(channels, channels[1:], strict=False)
        )
        self.code = nn.Linear(channels[-1] * (face_size // 16) ** 2, scaled(IDENTITY_CODE, width))

    def forward(self, faces):
        x, maps = 2 * faces - 1, []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return Identity(self.code(x.flatten(1)), tuple(maps))


class Decoder(nn.Module):
    """Codes of moments and an identity's maps -> faces.

    The first four of the six transposed convolutions double the size from S / 16 to S. Each of them reads the identity's map of
    its size beside what comes from below.

    Args:
        code: numbers of a moment's code; face_size: S, a multiple of 16; width: multiplies the channels.
    """

    def __init__(self, code, face_size=112, width=1.0):
        super().__init__()
        self.side, self.before = face_size // 16, scaled(DRAWN[0], width)
        self.first, before, levels = nn.Linear(code, self.before * self.side**2), self.before, []
        for number, wanted in enumerate(DRAWN):
            after, doubles = scaled(wanted, width), number < len(CHANNELS)
            beside = scaled(CHANNELS[-1 - number], width) if doubles else 0
            deconvolution = nn.ConvTranspose2d(before + beside, after, *((4, 2, 1) if doubles else (3, 1, 1)))
            levels.append(nn.Sequential(deconvolution, nn.BatchNorm2d(after), nn.ReLU()))
            before = after
        self.levels, self.last = nn.ModuleList(levels), nn.ConvTranspose2d(before, 3, 3, 1, 1)

    def forward(self, codes, maps):
        """Draw.

        Args:
            codes: (N, C) float; maps: of an Identity of N faces.

        Returns:
            (N, 3, S, S) float32 in [0, 1] RGB.
        """
        x = F.relu(self.first(codes)).unflatten(1, (self.before, self.side, self.side))
        for number, level in enumerate(self.levels):
            x = level(torch.cat((x, maps[-1 - number].to(x.dtype)), 1) if number < len(maps) else x)
        return self.last(x).float().sigmoid()

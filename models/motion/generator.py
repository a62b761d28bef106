"""PC-AVS: the generator, a StyleGAN2 whose style is [identity code; mouth code; pose code] and that starts from identity maps.

Layout and parameter names of the public code (arXiv 2104.11116) at face size 224 and width 1. The mapping network and the
learned start, which its demo does not use, are left out. Written anew.
"""

import torch
from torch import nn

from models.blocks import scaled
from models.motion.modulated import StyledConv, ToRgb
from models.motion.portrait import MovedPortrait

TOP = (128, 256)  # channels at width 1 at full size and at half of it
ELSEWHERE = 512


def start_of(face_size):
    """Side of the maps from which a face is drawn: 7 where 7 divides the face size, else 4, as published; 6 for 96 (ours)."""
    return next(side for side in (7, 6, 4) if face_size % side == 0)


def channels_of(face_size, width):
    """Channels of each level, from the start to full size.

    At 224 and 256 as published. Other sizes have the same channels at full size (ours); the published table would give them
    those of the same number of pixels.
    """
    levels = (face_size // start_of(face_size)).bit_length()
    channels = [*([ELSEWHERE] * levels), *reversed(TOP)][-levels:]
    return [scaled(wanted, width) for wanted in channels]


class Generator(nn.Module):
    """Identity maps and styles -> faces.

    Weights start as those of StyleGAN2 do (ours): normal, scaled when they are used, scales of the input about 1. The published
    code lets all of them start 50 times smaller than Xavier's scheme, and these biases at 0.

    Noise is drawn anew for every training step. Otherwise it is the fixed one of the checkpoint, so that the same codes give
    the same face (published as an option; its demo draws it).

    Args:
        face_size: S; width: multiplies the channels; style: numbers in a style.
        moves_portrait: the portrait is moved, and laid over the face, see models.motion.portrait.
    """

    def __init__(self, face_size=224, width=1.0, style=2560, moves_portrait=False):
        super().__init__()
        channels, start = channels_of(face_size, width), start_of(face_size)
        self.conv1, self.to_rgb1 = StyledConv(channels[0], channels[0], style), ToRgb(channels[0], style, upsample=False)
        self.convs, self.to_rgbs, self.noises = nn.ModuleList(), nn.ModuleList(), nn.Module()
        for before, after in zip(channels, channels[1:], strict=False):
            self.convs += [StyledConv(before, after, style, upsample=True), StyledConv(after, after, style)]
            self.to_rgbs.append(ToRgb(after, style))
        for number in range(2 * len(channels) - 1):
            side = start << (number + 1) // 2
            self.noises.register_buffer(f"noise_{number}", torch.randn(1, 1, side, side))
        self.portrait = MovedPortrait(width, channels) if moves_portrait else None

    def _noise(self, number, count):
        """Noise of a layer: (count, 1, s, s) in training, (1, 1, s, s) otherwise."""
        fixed = getattr(self.noises, f"noise_{number}")
        return fixed.new_empty(count, *fixed.shape[1:]).normal_() if self.training else fixed

    def forward(self, identity, codes, moves=None):
        """Draw faces.

        Args:
            identity: models.motion.identity.Identity of N faces; codes: (N, M) float codes of mouth and pose; moves:
                (N, 68, 2) float32, what models.motion.mover gives, where the portrait is moved.

        Returns:
            (N, 3, S, S) float32 in [0, 1] RGB.
        """
        style = torch.cat([identity.code.float(), codes.float()], 1)
        count, flows, last = len(style), None, len(self.to_rgbs) - 1
        if self.portrait is not None:
            flows = self.portrait.begin(identity, moves)
            flows = flows, flows.new_zeros(count, 2, 1, 1)
        x = self.conv1(identity.maps, style, self._noise(0, count))
        colours = self.to_rgb1(x, style)
        for number, to_rgb in enumerate(self.to_rgbs):
            for layer in (2 * number, 2 * number + 1):
                x = self.convs[layer](x, style, self._noise(layer + 1, count))
            if self.portrait is not None:
                x, flows = self.portrait.join(x, identity.levels, flows, last - number)
            colours = to_rgb(x, style, colours)
        face = (colours.tanh() + 1) / 2
        return face if self.portrait is None else self.portrait.over(face, x, identity.levels[0], flows)

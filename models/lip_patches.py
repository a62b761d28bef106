"""Judges patches around the mouth, with the drawing of the lips beside them (docs/methods.md; ours)."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from faces.lip_drawing import CHANNELS
from models.blocks import LEAK

REACHES = 22  # pixels that one judgement looks at, along each axis


class LipPatches(nn.Module):
    """Are these patches real? Fully convolutional; each judgement sees 22 x 22 pixels, one every four.

    Spectral norm bounds what it can say of a small change (Miyato et al., arXiv 1802.05957), in place of a batch norm.

    Args:
        channels: of the first layer.
    """

    def __init__(self, channels=32):
        super().__init__()
        plan = [(3 + CHANNELS - 1, channels, 4, 2), (channels, 2 * channels, 4, 2), (2 * channels, 4 * channels, 3, 1)]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, kernel, stride, 1)) for before, after, kernel, stride in plan
        )
        self.judgement = spectral_norm(nn.Conv2d(4 * channels, 1, 1))

    def forward(self, pictures, drawing):
        """Judge squares.

        Args:
            pictures: (N, 3, H, W) float in [0, 1]; drawing: (N, 4, H, W), see faces.lip_drawing.

        Returns:
            (N, 1, H / 4, W / 4) logits; list of the layers' maps.
        """
        x, maps = torch.cat((2 * pictures - 1, drawing[:, : CHANNELS - 1]), 1), []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 20 * LEAK)
            maps.append(x)
        return self.judgement(x), maps

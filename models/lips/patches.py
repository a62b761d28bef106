"""Judges patches around the mouth, with the drawing of the lips beside them (docs/methods.md; ours)."""

import torch
from torch import nn

from faces.drawing.lip_drawing import CHANNELS

SLOPE = 0.2  # of the leaky ReLU


class LipPatches(nn.Module):
    """Are these patches real? Fully convolutional, without a norm; each judgement sees 18 x 18 pixels, one every four.

    Args:
        channels: of the first layer.
    """

    def __init__(self, channels=32):
        super().__init__()
        plan = [(3 + CHANNELS - 1, channels, 4, 2), (channels, 2 * channels, 4, 2), (2 * channels, 2 * channels, 3, 1)]
        self.layers = nn.ModuleList(nn.Conv2d(before, after, kernel, stride, 1) for before, after, kernel, stride in plan)
        self.judgement = nn.Conv2d(2 * channels, 1, 1)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, a=SLOPE, nonlinearity="leaky_relu")
            nn.init.zeros_(layer.bias)

    def forward(self, pictures, drawing):
        """Judge squares.

        Args:
            pictures: (N, 3, H, W) float in [0, 1]; drawing: (N, 4, H, W), see faces.drawing.lip_drawing.

        Returns:
            (N, 1, H / 4, W / 4) logits; list of the layers' maps.
        """
        x, maps = torch.cat((2 * pictures - 1, drawing[:, : CHANNELS - 1]), 1), []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), SLOPE)
            maps.append(x)
        return self.judgement(x), maps

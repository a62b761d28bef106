"""Action units: which are seen in the lower half of a face (arXiv 2110.09951).

Four convolutions with a pooling after each two, and three linear layers, are of the paper; channels and kernels are ours.
"""

import torch.nn.functional as F
from torch import nn

from common.action_units import UNITS
from models.blocks import scaled
from models.discriminators import lower_half

CHANNELS = (32, 32, 64, 64)  # at width 1
HIDDEN = (512, 128)


class UnitClassifier(nn.Module):
    """Action units of faces, as logits.

    It has no batch norm: what it says of a face does not depend on the other faces of the batch, drawn or real.

    Args:
        face_size: S, a multiple of 8; width: multiplies channels and hidden numbers; dropout: share of the hidden numbers that
            are set to 0.
    """

    def __init__(self, face_size=112, width=1.0, dropout=0.5):
        super().__init__()
        channels = [3, *(scaled(one, width) for one in CHANNELS)]
        self.convolutions = nn.ModuleList(nn.Conv2d(*pair, 3, padding=1) for pair in zip(channels, channels[1:], strict=False))
        sizes = [channels[-1] * (face_size // 8) * (face_size // 4), *(scaled(one, width) for one in HIDDEN)]
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in zip(sizes, sizes[1:], strict=False))
        self.logits, self.dropout = nn.Linear(sizes[-1], len(UNITS)), nn.Dropout(dropout)
        for layer in (*self.convolutions, *self.hidden):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def maps(self, faces):
        """Features of faces.

        Args:
            faces: (N, 3, S, S) float in [0, 1] RGB, whole faces.

        Returns:
            list of four (N, C, H, W) float, not negative, one after each convolution: two at (S / 2, S), two at half of it.
        """
        x, found = 2 * lower_half(faces).to(self.convolutions[0].weight.dtype) - 1, []
        for number, convolution in enumerate(self.convolutions):
            x = F.max_pool2d(x, 2) if number == 2 else x
            x = F.relu(convolution(x))
            found.append(x)
        return found

    def forward(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB, whole faces -> (N, 5) float logits."""
        x = F.max_pool2d(self.maps(faces)[-1], 2).flatten(1)
        for layer in self.hidden:
            x = self.dropout(F.relu(layer(x)))
        return self.logits(x)

"""How the landmarks of a portrait move, as codes of mouth and pose say (ours)."""

import torch
from torch import nn

from models.fan import LANDMARKS

HIDDEN = 256  # numbers between codes and movements
STEP = 0.05  # half sides: what of a movement is read as 1


class Mover(nn.Module):
    """Codes -> movements of the portrait's landmarks, 0 where the codes are its own.

    Args:
        codes: M, numbers in the codes of mouth and pose together.
    """

    def __init__(self, codes):
        super().__init__()
        self.read = nn.Sequential(nn.Linear(2 * codes, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LANDMARKS))
        nn.init.zeros_(self.read[2].weight)

    def forward(self, own, codes):
        """(N, M) float codes of the portraits, (N, M) float codes -> (N, 68, 2) float32, right and down, half sides."""
        there, here = (self.read(torch.cat([one, own], -1).to(self.read[0].weight.dtype)).float() for one in (codes, own))
        return STEP * (there - here).unflatten(-1, (LANDMARKS, 2))

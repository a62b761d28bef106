"""The lips, as they are read in a mouth feature (ours): the same reader serves the features of sound and of video."""

from torch import nn

POINTS = 20  # of the mouth, faces.landmarks.MOUTH


class LipReader(nn.Module):
    """Mouth features -> movements of the lips: (..., M) float -> (..., 20, 2) float, eye distances (faces.lip_space).

    One linear layer, so that it is the feature that must hold the lips.

    Args:
        size: M.
    """

    def __init__(self, size):
        super().__init__()
        self.fc = nn.Linear(size, 2 * POINTS)

    def forward(self, mouth):
        return self.fc(mouth).unflatten(-1, (POINTS, 2))

"""How far found mouth landmarks are from those that the detector gave."""

from losses.term import Term
from models.lips.landmarks import POINTS


class LandmarkDistance(Term):
    """Mean Euclidean distance in crop pixels between found and given mouth landmarks: what `lip_landmarks` learns from.

    The plain distance, not its square: a detector's blunder then pulls no harder than any other point.
    """

    needs = ("landmarks",)
    reads = ("mouth",)

    def forward(self, outputs, batch):
        """`mouth` (B, T, 20, 2) found, `landmarks` (B, T, 68, 2) given, crop pixels -> scalar."""
        difference = outputs["mouth"] - batch["landmarks"][..., -POINTS:, :]
        return (difference.square().sum(-1) + 1e-6).sqrt().mean()

"""How the landmarks of a portrait move: what a generator that moves the portrait learns that by (ours)."""

import torch

from common.schema import REQUIRED, Number
from faces.landmarks import MOUTH
from losses.davs.parts import model_giving
from losses.term import Term
from models.fan import LANDMARKS

UPPER = slice(17, 48)  # brows, nose, eyes


class PortraitMoves(Term):
    """Mean distance of the movements that are found for the portrait's landmarks, and those to the landmarks of the frames.

    In half sides of the crop, along x and y, added up; of movements found by sound and by video, added up. Colours alone teach
    movements of a few pixels at most, as those further away say nothing about the way. Landmarks that are not known (NaN) do
    not count. The faces that are watched change in colour alone, as another perspective or crop would count as a movement.

    Args:
        mouth: weight of each of the 20 points of the mouth; those of the others are 1, and the mean is over all weights.
        shape: weight of a second distance, which is added: that of movements from which their mean over brows, nose and eyes
            is subtracted. A face that shifts in the crop moves all landmarks alike, and by far more than a head that turns
            moves them against each other.
    """

    needs = ("landmarks", "identity_landmarks")
    reads = ("audio_moves", "video_moves")
    made = ("face_size",)
    ranges = {"mouth": Number(REQUIRED, 0, 1000), "shape": Number(REQUIRED, 0, 1000)}

    def __init__(self, mouth=1.0, shape=0.0, face_size=112):
        super().__init__()
        self.face_size, self.shape = face_size, float(shape)
        weights = torch.ones(LANDMARKS)
        weights[MOUTH] = float(mouth)
        self.register_buffer("weights", weights / weights.mean())

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model = model_giving(setting, name, *cls.reads)
        return {**options, "face_size": model.face_size}

    def field_options(self):
        """See losses.term.Term."""
        return {"augmented": {"perspective": 0.0, "crop": 1.0}}

    def _wanted(self, batch):
        """Movements (B, T, 68, 2); which ones are known (B, T, 68)."""
        moves = batch["landmarks"] - batch["identity_landmarks"][:, None]
        return 2 * moves / self.face_size, moves.isfinite().all(-1)

    def count(self, outputs, batch):
        """See losses.term.Precise: landmarks that are known."""
        return self._wanted(batch)[1].sum()

    def forward(self, outputs, batch):
        """Scalar.

        Args:
            outputs: `audio_moves`, `video_moves` (B, T, 68, 2) float half sides.
            batch: `landmarks` (B, T, 68, 2), `identity_landmarks` (B, 68, 2) float crop pixels.
        """
        wanted, known = self._wanted(batch)
        wanted, weights = torch.where(known[..., None], wanted, 0.0), self.weights * known
        total = weights.sum().clamp_min(1)
        apart = [outputs[name] - wanted for name in self.reads]
        value = sum((one.abs().sum(-1) * weights).sum() for one in apart)
        if self.shape:
            counts = known[..., UPPER, None].float()
            for one in apart:
                mean = (one[:, :, UPPER] * counts).sum(2, keepdim=True) / counts.sum(2, keepdim=True).clamp_min(1)
                value = value + self.shape * ((one - mean).abs().sum(-1) * weights).sum()
        return value / total

"""Where the landmarks of a portrait go: what a generator that moves the portrait learns its flow by (ours)."""

import torch
import torch.nn.functional as F

from losses.davs.parts import model_giving
from losses.term import Term


class PortraitFlow(Term):
    """Mean distance of the places that the flow finds for the landmarks of drawn faces, and those of the portrait's landmarks.

    In half sides of the crop, along x and y, added up; of faces drawn by sound and by video, added up. By colours alone a flow
    learns movements of a few pixels at most, as colours further away say nothing about the way. Landmarks that are not known
    (NaN), and those outside the crop, do not count.
    """

    needs = ("landmarks", "identity_landmarks")
    reads = ("audio_flow", "video_flow", "audio_face", "drawn")

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_giving(setting, name, *cls.reads)
        return options

    def _places(self, outputs, batch):
        """Landmarks of drawn frames (B, K, 68, 2) and of portraits (B, 1, 68, 2), -1 to 1; which ones count (B, K, 68)."""
        side = outputs["audio_face"].shape[-1]
        drawn, portrait = ((2 * one + 1) / side - 1 for one in (batch["landmarks"].index_select(1, outputs["drawn"]),
                                                               batch["identity_landmarks"][:, None]))  # fmt: skip
        return drawn, portrait, ((drawn.abs() <= 1) & (portrait.abs() <= 1)).all(-1)  # false for NaN

    def count(self, outputs, batch):
        """See losses.term.Precise: landmarks that are known and inside the crop."""
        return self._places(outputs, batch)[2].sum()

    def forward(self, outputs, batch):
        """`audio_flow`, `video_flow` (B, K, 2, h, w), `drawn` (K,); `landmarks` (B, T, 68, 2), `identity_landmarks` (B, 68, 2)
        -> scalar."""
        drawn, portrait, known = self._places(outputs, batch)
        grid = torch.where(known[..., None], drawn, 0.0).flatten(0, 1)[:, None]  # (B K, 1, 68, 2)
        wanted = torch.where(known[..., None], portrait - drawn, 0.0)
        total = 0.0
        for name in self.reads[:2]:
            found = F.grid_sample(outputs[name].flatten(0, 1), grid, padding_mode="border", align_corners=False)
            found = found[:, :, 0].transpose(1, 2).unflatten(0, known.shape[:2])  # (B, K, 68, 2)
            total = total + ((found - wanted).abs().sum(-1) * known).sum() / known.sum().clamp_min(1)
        return total

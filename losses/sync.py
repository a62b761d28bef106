"""Sync: what the lip-sync expert says of generated lips, and the loss that the expert itself learns from."""

import torch
import torch.nn.functional as F
from torch import nn

from models.syncnet import lower_halves, sync_probability

_EPSILON = 1e-6


class SyncLoss(nn.Module):
    """-log of the frozen expert's probability that the generated lips belong to the audio (arXiv 2008.10010 eq. 3).

    The expert stays frozen: fine-tuned on generated frames it gets worse (METHODS 5.1, ablation).

    Args:
        expert: models.SyncNetColor.
        channel_order: "rgb", or "bgr" for the published expert.
    """

    needs = ("sync_mel",)

    def __init__(self, expert, channel_order="rgb"):
        super().__init__()
        self.expert = expert.eval().requires_grad_(False)
        self.channel_order = channel_order

    def train(self, mode=True):
        """The expert's batch norm keeps its statistics."""
        super().train(mode)
        self.expert.eval()
        return self

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) generated, `sync_mel` (B, 1, 80, 16) -> scalar.

        The expert judges the first 5 frames (`SyncNetColor.frames`) of the window; a padded window with fewer does not count.
        """
        faces = outputs["face"][:, : self.expert.frames]
        faces = faces if self.channel_order == "rgb" else faces.flip(2)
        audio, face = self.expert(batch["sync_mel"], lower_halves(faces.transpose(1, 2)))
        loss = -torch.log(sync_probability(audio, face).clamp_min(_EPSILON))
        if "valid" not in batch:
            return loss.mean()
        whole = batch["valid"][:, self.expert.frames - 1].to(loss.dtype)
        return (loss * whole).sum() / whole.sum().clamp_min(1)


class SyncClassification(nn.Module):
    """Binary cross-entropy of the expert's cosine against whether sound and lips belong together (arXiv 2008.10010 eq. 1)."""

    needs = ("in_sync",)

    def forward(self, outputs, batch):
        """`audio_embedding`, `face_embedding` (B, D), `in_sync` (B,) -> scalar; ln 2 = 0.693 is chance."""
        probability = sync_probability(outputs["audio_embedding"], outputs["face_embedding"])
        return F.binary_cross_entropy(probability.clamp(_EPSILON, 1 - _EPSILON).float(), batch["in_sync"])

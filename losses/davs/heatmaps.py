"""Landmark heatmaps: the loss by which the hourglass of the video encoder learns to find landmarks (ours)."""

import math

import torch

from common.schema import REQUIRED, Number
from losses.davs.parts import model_giving
from losses.term import Term

STRIDE = 4  # crop pixels a cell of the maps


class LandmarkHeatmaps(Term):
    """Squared difference of the hourglass's 68 maps and Gaussians at the landmarks of the frames.

    It stands for the network of face landmarks from which the published video encoder begins. The mean square over points
    and cells, times the cells of a map over pi sigma^2, which is what a Gaussian's squares sum to: maps of zeros give 1, at
    any size of the face. Landmarks that are not known (NaN), and those outside the face, do not count. The figure `pixels` is
    the mean distance of the maps' greatest cells to the landmarks, in crop pixels.

    Args:
        sigma: of the Gaussians, in cells of the maps (4 x 4 crop pixels).
    """

    needs = ("landmarks",)
    reads = ("heatmaps", "heard")
    ranges = {"sigma": Number(REQUIRED, 0.3, 20)}

    def __init__(self, sigma=1.0):
        super().__init__()
        self.sigma = float(sigma)

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_giving(setting, name, *cls.reads)
        return options

    def _places(self, outputs, batch):
        """Landmarks of the heard frames (B, N, 68, 2) in cells, the middle of the first at 0; which ones count (B, N, 68)."""
        side = outputs["heatmaps"].shape[-1]
        places = (batch["landmarks"].index_select(1, outputs["heard"]) + 0.5) / STRIDE - 0.5
        return places, ((places >= -0.5) & (places <= side - 0.5)).all(-1)  # false for NaN

    def count(self, outputs, batch):
        """See losses.term.Precise: landmarks that are known and inside the face."""
        return self._places(outputs, batch)[1].sum()

    def forward(self, outputs, batch):
        """`heatmaps` (B, N, 68, S/4, S/4), `heard` (N,); `landmarks` (B, T, 68, 2) crop pixels -> scalar."""
        maps = outputs["heatmaps"]
        places, known = self._places(outputs, batch)
        places = torch.where(known[..., None], places, 0.0)
        cells = torch.arange(maps.shape[-1], device=maps.device, dtype=maps.dtype)
        across, down = (torch.exp(-0.5 * ((cells - one[..., None]) / self.sigma).square()) for one in places.unbind(-1))
        wanted = down[..., :, None] * across[..., None, :]
        apart = (maps - wanted).square().sum((-1, -2)) / (math.pi * self.sigma**2)
        count = known.sum()
        return (apart * known).sum() / count.clamp_min(1), {"pixels": (self._missed(maps, places, known), count)}

    @staticmethod
    @torch.no_grad()
    def _missed(maps, places, known):
        """Sum over the known points of the distance of the greatest cell to the place, in crop pixels."""
        best = maps.flatten(-2).argmax(-1)
        found = torch.stack((best % maps.shape[-1], best // maps.shape[-1]), -1)
        return (STRIDE * (found - places).norm(dim=-1) * known).sum()

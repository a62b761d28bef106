"""Features for the Frechet distance of a whole row to the real videos: of the Inception network, or of the sync expert.

The distance belongs to a set, so it is computed by `metrics.results` from the features of all videos; here is what they are.
"""

from itertools import islice

import numpy as np
import torch

from common.errors import InputError
from metrics.measures.base import Findings, VideoMeasure
from metrics.measures.sync import sync_crop
from metrics.rows import FRECHET, Column

PLACE = 20
_BATCH = 32


class Frechet(VideoMeasure):
    """With the published Inception weights the column is FID, else FD and the network's name.

    Args:
        inception: metrics.networks.fid.InceptionFeatures, or None: the features are then the judge's embeddings of the lips.
        judge: see `metrics.sync.judges.load_judge`.
    """

    def __init__(self, inception, judge):
        self._inception, self._judge = inception, judge
        label = "FID" if inception is not None and inception.is_fid else f"FD ({(inception or judge).name})"
        self.columns = (
            Column(FRECHET, label, "low", 2, "Frechet distance of the features of all generated and all real videos; of the "
                   "whole set, so without an interval", paired_only=False),
        )  # fmt: skip

    def facts(self, options):
        if self._inception is not None:
            return {"frechet_network": self._inception.name, "frechet_sha256": self._inception.sha256,
                    "frechet_crop": options.frechet_crop}
        return {"frechet_network": f"{self._judge.name}, embeddings of the lips", "frechet_sha256": self._judge.sha256,
                "frechet_crop": sync_crop(self._judge, options)}

    def look(self, view):
        if not view.wants_features:
            return Findings()
        if self._inception is not None:
            return Findings(features=self._pictures(view))
        try:
            return Findings(features=torch.cat([lips for lips, _ in view.runs()]).numpy())
        except InputError:
            return Findings()  # the sync measure says why

    def _pictures(self, view):
        """(N, 2048) float32 of every frame with a face, or of every frame whole."""
        pictures = view.footage.frames() if view.options.frechet_crop == "frame" else view.faces()
        if view.footage.still:
            first = self._inception(np.stack([next(iter(pictures))]))
            return np.repeat(first, len(view.footage), 0)
        parts = []
        while batch := list(islice(pictures, _BATCH)):
            parts.append(self._inception(np.stack(batch)))
        return np.concatenate(parts)


def build(networks):
    if networks.inception is None and networks.judge is None:
        return None
    return Frechet(networks.inception, networks.judge)

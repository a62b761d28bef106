"""LPIPS of the face crops, where it was asked for."""

import numpy as np

from metrics.measures.base import FaceMeasure
from metrics.rows import Column

PLACE = 50
_BATCH = 32


class PerceptualDistance(FaceMeasure):
    """Mean over the compared frames.

    Args:
        network: metrics.networks.perceptual.Lpips.
    """

    def __init__(self, network):
        self._network = network
        self.columns = (Column("lpips", f"LPIPS ({network.name})", "low", 4, "learned perceptual distance of the face crops"),)

    def facts(self, options):
        return {"lpips_backbone": self._network.name, "lpips_sha256": self._network.sha256}

    def begin(self):
        return _Accumulator(self._network)


class _Accumulator:
    def __init__(self, network):
        self._network, self._waiting, self._found = network, [], []

    def add(self, made, real):
        self._waiting.append((made, real))
        if len(self._waiting) == _BATCH:
            self._measure()

    def values(self):
        if self._waiting:
            self._measure()
        return {"lpips": float(np.concatenate(self._found).mean())}

    def _measure(self):
        self._found.append(self._network(*map(np.stack, zip(*self._waiting, strict=True))))
        self._waiting = []


def build(networks):
    return networks.lpips and PerceptualDistance(networks.lpips)

"""SSIM and PSNR of the face crop and of its mouth part."""

import numpy as np

from metrics.formulas.image import mouth_region, psnr, ssim
from metrics.measures.base import FaceMeasure
from metrics.rows import Column

PLACE = 30


class Likeness(FaceMeasure):
    """Means over the compared frames."""

    columns = (
        Column("ssim_face", "SSIM face", "high", 4, "structural similarity of the face crop, -1 to 1"),
        Column("psnr_face", "PSNR face", "high", 2, "peak signal-to-noise ratio of the face crop, dB"),
        Column("ssim_mouth", "SSIM mouth", "high", 4, "the same for the mouth"),
        Column("psnr_mouth", "PSNR mouth", "high", 2, "the same for the mouth, dB"),
    )

    def begin(self):
        return _Accumulator([column.key for column in self.columns])


class _Accumulator:
    def __init__(self, keys):
        self._keys, self._total, self._count = keys, np.zeros(len(keys)), 0

    def add(self, made, real):
        mouths = mouth_region(made), mouth_region(real)
        self._total += np.array([ssim(made, real), psnr(made, real), ssim(*mouths), psnr(*mouths)])
        self._count += 1

    def values(self):
        return dict(zip(self._keys, (self._total / self._count).tolist(), strict=True))


def build(networks):
    return Likeness()

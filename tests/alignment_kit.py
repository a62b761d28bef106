"""Made-up cases of the alignment benchmark."""

import numpy as np

from benchmarks.alignment import material
from speech.alignment import Interval, cover

RATE = 16000


def tier(labels, length=0.1, shift=0.0):
    """Intervals of equal length after `shift` seconds of silence."""
    made = [Interval(shift + at * length, shift + (at + 1) * length, label) for at, label in enumerate(labels.split())]
    return cover(made, made[-1].end + 0.2)


def made_cases(texts, group="v"):
    return [
        material.Case(f"{group}/{at}", group, one, np.zeros(RATE, np.float32), tier("AH B")) for at, one in enumerate(texts)
    ]

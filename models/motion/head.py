"""A mean head in three dimensions, and the affine maps that lay it on the landmarks of a face (ours).

An affine map has 2 x 4 numbers: for x and for y, 3 for the axes of the head and 1 for where its middle lies.
"""

import numpy as np
import torch

from faces.landmarks import MEAN_FACE

STIFF = slice(4), slice(13, 48)  # landmarks that go with the head: upper jaw line, brows, nose, eyes
AFFINE = 2 * 4  # numbers of an affine map
READ_AS_1 = 0.05  # half sides, of these numbers
SKULL = (  # points of a head about the mean face, in its axes and unit: brow, crown, temples, hair beside cheeks and ears
    (0, -0.9, -0.2), (-0.55, -0.85, -0.1), (-1.0, -0.8, 0.3), (0, -1.5, 0.1), (-0.75, -1.4, 0.3), (-1.2, -1.1, 0.7),
    (0, -2.0, 0.6), (-0.8, -1.9, 0.8), (-1.4, -0.3, 1.1), (-1.45, 0.3, 1.2), (-1.35, 0.9, 1.2),
)  # fmt: skip


def centred_face():
    """(68, 4) float64: the mean face about its middle, and 1."""
    return _centred(MEAN_FACE)


def centred_skull():
    """(19, 4) float64: points of the skull on both sides, about the middle of the mean face, and 1."""
    half = np.array(SKULL)
    return _centred(np.concatenate([half, half[half[:, 0] < 0] * [-1, 1, 1]]))


def head_fit():
    """(4, landmarks) float64: places of the landmarks of the head -> the affine map that lays the mean face on them."""
    return np.linalg.pinv(np.concatenate([centred_face()[one] for one in STIFF]))


def of_head(values):
    """(N, 68, ...) tensor of landmarks -> (N, landmarks, ...), those that go with the head."""
    return torch.cat([values[:, one] for one in STIFF], 1)


def _centred(points):
    return np.pad(points - MEAN_FACE.mean(0), ((0, 0), (0, 1)), constant_values=1)

"""A crop of the portrait, and what a generator may draw over it: displaced, softer, of other colours, with another mouth."""

import cv2
import numpy as np

from faces.crops import AlignedCrop
from faces.landmarks import apply_affine
from tests.faces_kit import plain_face, portrait

LANDMARKS = plain_face(223.0, 112.0, 43.5).astype(np.float64)  # of the portrait, roughly


def a_crop(size):
    """((2, 3) portrait -> crop, (S, S, 3) uint8 crop, its (68, 2) landmarks): eyes 0.3 S apart."""
    zoom = 0.3 * size / 43.5
    matrix = np.array([[zoom, 0, size / 2 - 223 * zoom], [0, zoom, 0.44 * size - 112 * zoom]])
    return matrix, AlignedCrop(matrix, size).extract(portrait()), apply_affine(matrix, LANDMARKS)


def moved(size, scale=1.0, roll=0.0, shift=(0.0, 0.0)):
    """(2, 3) in pixels of a crop: about its middle; the shift in shares of its side."""
    a, b = scale * np.cos(np.deg2rad(roll)), scale * np.sin(np.deg2rad(roll))
    middle = np.full(2, size / 2)
    linear = np.array([[a, -b], [b, a]])
    return np.concatenate([linear, (middle + np.multiply(shift, size) - linear @ middle)[:, None]], 1)


def drawn_as(matrix, move, size, blur=0.0, noise=0.0, mouth=None):
    """The crop of the portrait that `move` displaces, softer, of other colours, with noise."""
    both = (np.vstack([move, (0, 0, 1)]) @ np.vstack([matrix, (0, 0, 1)]))[:2]
    face = AlignedCrop(both, size).extract(portrait()).astype(np.float64)
    if mouth is not None:
        x, y = np.rint(apply_affine(move, mouth[None])[0]).astype(int)
        cv2.ellipse(face, (int(x), int(y)), (size // 7, size // 9), 0, 0, 360, (60, 10, 15), -1)
    if blur:
        face = cv2.GaussianBlur(face, (0, 0), blur)
    face = face * (0.9, 1.02, 1.1) - 6 + np.random.default_rng(1).normal(0, noise + 1e-9, face.shape)
    return np.clip(np.rint(face), 0, 255).astype(np.uint8)

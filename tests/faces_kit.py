"""What the tests of faces/ share: a plausible set of landmarks, tracks, smooth pictures."""

import numpy as np

from faces.landmarks import CANONICAL_STABLE, STABLE
from faces.tracking.tracked import FaceTrack


def plain_face(x=160.0, y=110.0, eyes=40.0, roll=0.0):
    """(68, 2) float32 landmarks of a face: (x, y) between the eyes, `eyes` pixels between their centres, roll in degrees."""
    points = np.zeros((68, 2))
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([1.05 * np.cos(angle), 0.1 + 1.75 * np.sin(angle)], 1)
    points[17:27] = np.stack([np.linspace(-0.8, 0.8, 10), np.full(10, -0.35)], 1)
    turn = 2 * np.pi * np.arange(12) / 12
    points[48:60] = np.stack([0.45 * np.cos(turn + np.pi), 1.25 + 0.2 * np.sin(turn + np.pi)], 1)
    turn = 2 * np.pi * np.arange(8) / 8
    points[60:68] = np.stack([0.3 * np.cos(turn + np.pi), 1.25 + 0.08 * np.sin(turn + np.pi)], 1)
    for first, middle in ((36, -0.5), (42, 0.5)):
        turn = 2 * np.pi * np.arange(6) / 6 + np.pi
        points[first : first + 6] = np.stack([middle + 0.2 * np.cos(turn), 0.1 * np.sin(turn)], 1)
    points[27:36] = np.stack([np.zeros(9), np.linspace(-0.1, 0.8, 9)], 1)
    points[list(STABLE)] = CANONICAL_STABLE
    roll = np.deg2rad(roll)
    turned = points @ np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    return (turned * eyes + (x, y)).astype(np.float32)


def track_of(landmarks, width=320, height=240):
    """FaceTrack of a list of (68, 2) or None."""
    present = np.array([points is not None for points in landmarks])
    stacked = np.stack([np.full((68, 2), np.nan, np.float32) if points is None else points for points in landmarks])
    return FaceTrack(stacked.astype(np.float32), present, np.zeros(len(present), bool), width, height, 1)


def smooth_picture(width=320, height=240, waves=3):
    """(H, W, 3) uint8 without sharp edges."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height) * 2 * np.pi * waves
    picture = [np.sin(x + phase) + np.cos(0.7 * y - phase) for phase in (0, 1, 2)]
    return np.rint(128 + 50 * np.stack(picture, -1)).astype(np.uint8)


def portrait():
    """(512, 512, 3) uint8: the public-domain portrait that scikit-image carries."""
    from skimage import data

    return data.astronaut()

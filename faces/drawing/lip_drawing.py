"""A drawing of the wanted lips: what a refining network is told about the mouth that it shall paint (docs/methods.md; ours)."""

import numpy as np

from faces.landmarks import JAW, MOUTH
from faces.mouth import mouth_opening

CHANNELS = 4
OUTER, INNER = slice(48, 60), slice(60, 68)
_NOSE_WINGS = (31, 35)
_CHEEK_TO_CHEEK = slice(2, 15)  # of the jaw's points
_FINE = 4  # bits below a pixel
_LEAST = 1e-3  # an opening below it counts as it; outer eye corners


def lip_drawing(landmarks, size, source=None):
    """Filled polygons of the wanted mouth.

    Args:
        landmarks: (68, 2) float, crop pixels: the wanted face.
        size: S, side of the crop.
        source: (68, 2) float, any pixels: landmarks of the picture that is warped to the wanted face; None: the wanted ones.

    Returns:
        (S, S, 4) uint8, antialiased, 255 inside: the lips; the inner mouth; the inner mouth times the share of its opening that
        the source has, at most 1; the lower face, from the wings of the nose to the line of the jaw.
    """
    landmarks = np.asarray(landmarks, np.float64)
    whole, inner = _filled(landmarks[OUTER], size), _filled(landmarks[INNER], size)
    known = np.rint(inner * opening_known(landmarks, source)).astype(np.uint8)
    return np.stack([np.maximum(whole, inner) - inner, inner, known, lower_face(landmarks, size)], -1)


def opening_known(landmarks, source):
    """Opening of a source's mouth over the wanted one, at most 1; 1 without a source."""
    if source is None:
        return 1.0
    wanted, own = (max(float(mouth_opening(points)), _LEAST) for points in (landmarks, source))
    return min(1.0, own / wanted)


def lower_face(landmarks, size):
    """(S, S) uint8: the hull of jaw, mouth and wings of the nose, antialiased."""
    import cv2

    jaw, mouth = landmarks[JAW][_CHEEK_TO_CHEEK], landmarks[MOUTH]
    hull = cv2.convexHull(np.concatenate([jaw, mouth, landmarks[list(_NOSE_WINGS)]]).astype(np.float32))
    return _filled(hull[:, 0], size)


def _filled(points, size):
    """(S, S) uint8: a polygon of (n, 2) points, 255 inside, antialiased."""
    import cv2

    picture = np.zeros((size, size), np.uint8)
    corners = np.rint(points * 2**_FINE).astype(np.int32)
    cv2.fillPoly(picture, [corners], 255, cv2.LINE_AA, _FINE)
    return picture

"""How far eyes are open, and how high the brows stand."""

import numpy as np

from faces.landmarks import LEFT_EYE, OUTER_EYE_CORNERS, RIGHT_EYE, apply_affine, fit_similarity

BROWS = slice(17, 27)
EYE_CORNERS = (36, 39, 42, 45)


def eye_opening(landmarks):
    """Eye aspect ratio, mean of both eyes: (|p2 - p6| + |p3 - p5|) / (2 |p1 - p4|).

    Soukupova and Cech 2016 (CVWW, "Real-time eye blink detection using facial landmarks", eq. 1).

    Args:
        landmarks: (..., 68, 2) float, any unit.

    Returns:
        (...) float64, about 0.1 for closed and 0.3 for open eyes; NaN where landmarks are NaN.
    """
    ratios = []
    for eye in (RIGHT_EYE, LEFT_EYE):
        p = np.moveaxis(np.asarray(landmarks, np.float64)[..., eye, :], -2, 0)
        lids = np.linalg.norm(p[1] - p[5], axis=-1) + np.linalg.norm(p[2] - p[4], axis=-1)
        ratios.append(lids / (2 * np.linalg.norm(p[0] - p[3], axis=-1)))
    return (ratios[0] + ratios[1]) / 2


def brow_height(landmarks):
    """How far the brows stand above the eyes, over the distance of the outer eye corners.

    The face is turned upright and scaled by the two outer eye corners; lids and mouth do not count.

    Args:
        landmarks: (..., 68, 2) float, any unit, x right, y down.

    Returns:
        (...) float64, about 0.2; NaN where landmarks are NaN.
    """
    points = np.asarray(landmarks, np.float64)
    ends = points[..., OUTER_EYE_CORNERS, :]
    upright = apply_affine(fit_similarity(ends, np.broadcast_to([[0.0, 0.0], [1.0, 0.0]], ends.shape)), points)
    return upright[..., EYE_CORNERS, 1].mean(-1) - upright[..., BROWS, 1].mean(-1)

"""How far a mouth is open, and where its points lie in the canonical frame."""

import numpy as np

from faces.landmarks import (
    CANONICAL_STABLE,
    INNER_LIP_BOTTOM,
    INNER_LIP_TOP,
    MOUTH,
    STABLE,
    apply_affine,
    fit_similarity,
    interocular,
)


def mouth_opening(landmarks):
    """Gap of the inner lips over the distance of the outer eye corners.

    Args:
        landmarks: (..., 68, 2) float, any unit; NaN where there is no face.

    Returns:
        (...) float, 0 for closed lips, about 0.3 for a wide open mouth; NaN where there is no face.
    """
    landmarks = np.asarray(landmarks)
    gap = np.linalg.norm(landmarks[..., INNER_LIP_BOTTOM, :] - landmarks[..., INNER_LIP_TOP, :], axis=-1)
    return gap / interocular(landmarks)


def canonical_mouth(landmarks):
    """Mouth points, carried by the similarity that fits the face's stable points to CANONICAL_STABLE.

    Args:
        landmarks: (..., 68, 2) float, any unit; NaN where there is no face.

    Returns:
        (..., 20, 2) float32 in eye distances; NaN where there is no face.
    """
    landmarks = np.asarray(landmarks, np.float64)
    stable = landmarks[..., STABLE, :]
    matrix = fit_similarity(stable, np.broadcast_to(CANONICAL_STABLE, stable.shape))
    return apply_affine(matrix, landmarks[..., MOUTH, :]).astype(np.float32)


def resting_mouth(points):
    """Where the points of a mouth lie in the median over time, less their mean: (N, 20, 2), N > 0 -> (20, 2); no NaN."""
    return np.median(points - points.mean(1, keepdims=True), 0)

"""How far a mouth is open."""

import numpy as np

from faces.landmarks import INNER_LIP_BOTTOM, INNER_LIP_TOP, interocular


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

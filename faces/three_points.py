"""The alignment of DAVS: three points of a face, the eye centres and the middle of the mouth corners, to a fixed template.

As the published code does it (arXiv 1807.07860, `preprocess/face_align.py`): a Procrustes fit whose scale is the ratio of
standard deviations; a canvas of 356 x 436 pixels, of which 268 x 268 are cut out and resized to 260; the networks see the
middle 256. The template's unit here is the distance of its eyes, its origin the point between them.
"""

import numpy as np

from faces.landmarks import LEFT_EYE, RIGHT_EYE

EYES = 80.0  # pixels between the eyes of the published template
TEMPLATE = np.array([(-0.5, 0.0), (0.5, 0.0), (0.0, 76 / EYES)])  # (140, 224), (220, 224), (180, 300) of the canvas
MIDDLE = (180.0, 224.0)
CUT = (44.0, 104.0)  # first column and row of the 268 x 268 pixels
SHRINK = 260 / 268
MARGIN = 2  # pixels of the 260 on each side, over which the random crop of training moves

# In units of the template: side of the 256 pixels, and the outer corner of the first one.
SIDE = 256 / SHRINK / EYES
START = tuple((MARGIN / SHRINK - 0.5 + cut - middle) / EYES for cut, middle in zip(CUT, MIDDLE, strict=True))
MOUTH_CORNERS = (48, 54)


def control_points(landmarks):
    """Eye centres and the middle of the mouth corners: (..., 68, 2) -> (..., 3, 2) float64, in the unit of the landmarks."""
    points = np.asarray(landmarks, np.float64)
    eyes = [points[..., eye, :].mean(-2) for eye in (RIGHT_EYE, LEFT_EYE)]
    return np.stack([*eyes, points[..., MOUTH_CORNERS, :].mean(-2)], -2)


def three_point_poses(landmarks):
    """Similarity transforms that carry the template to faces.

    Args:
        landmarks: (N, 68, 2) float; NaN where there is no face.

    Returns:
        (N, 4) float64 a, b, x, y of [[a, -b, x], [b, a, y]], template -> landmarks; NaN where there is no face.
    """
    points = control_points(landmarks)
    middle, centre = points.mean(1), TEMPLATE.mean(0)
    face, target = points - middle[:, None], TEMPLATE - centre
    scale = np.sqrt(np.square(face).mean((1, 2)) / np.square(target).mean())
    along = (face * target).sum((1, 2))
    across = (target[:, 0] * face[..., 1] - target[:, 1] * face[..., 0]).sum(1)
    a, b = scale * np.stack([along, across]) / np.hypot(along, across)
    x, y = middle.T - np.stack([a * centre[0] - b * centre[1], b * centre[0] + a * centre[1]])
    return np.stack([a, b, x, y], 1)

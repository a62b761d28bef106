"""The crops au112 and au128: eyes and nose of a face carried to a mean face, so that hardly anything of the mouth places it.

au128 is the crop of the released code of the line (its script for GRID, 128 pixels): a similarity of landmarks 28 to 48,
counted from 0, to a mean face on 224 pixels. Counted so, the last of these points is a corner of the mouth, which moves the
crop a little, and the top of the nose is left out.

au112 is ours, after the papers (arXiv 2110.09951), which say less: the same points counted from 1, so none of the mouth. The
mean is that of 15 people of GRID (ours), and the square holds brows to chin as the detections of dlib do, which the papers name
[inferred]: its middle row lies at the base of the nose, so that its lower half has mouth and chin, of an open mouth, too. The
papers' size is 112 pixels; other sizes show the same square. Outside the frame the published crop is grey (127); ours repeats
the frame's border, as all crops here do.
"""

import numpy as np

from faces.landmarks import fit_similarity

EYES_NOSE = slice(27, 48)
SIZE = 112  # pixels, as published

# Where these points lie on a mean face, in the canonical frame of faces.landmarks: a symmetrised mean over 15 people of GRID
# with 20 clips each at most, measured with the mesh detector.
TEMPLATE = np.array(
    [
        (0.0, -0.064), (0.0, 0.178), (0.0, 0.407), (0.0, 0.550),
        (-0.210, 0.707), (-0.126, 0.762), (0.0, 0.766), (0.126, 0.762), (0.210, 0.707),
        (-0.699, -0.001), (-0.600, -0.054), (-0.438, -0.065), (-0.266, 0.026), (-0.416, 0.055), (-0.576, 0.058),
        (0.266, 0.026), (0.438, -0.065), (0.600, -0.054), (0.699, -0.001), (0.576, 0.058), (0.416, 0.055),
    ]
)  # fmt: skip

SIDE = 2.6  # of the square, in eye distances
START = (-SIDE / 2, -0.55)  # its outer top left corner


def eyes_nose_poses(landmarks):
    """Similarity transforms that carry the template to faces.

    Args:
        landmarks: (N, 68, 2) float; NaN where there is no face.

    Returns:
        (N, 4) float64 a, b, x, y of [[a, -b, x], [b, a, y]], template -> landmarks; NaN where there is no face.
    """
    return _poses(landmarks, EYES_NOSE, TEMPLATE)


RELEASED_POINTS = slice(28, 49)
RELEASED_PIXELS = 224  # side of the square of the released code
_EYES, _BETWEEN = 89.7, (120.3, 62.25)  # of its mean face in these pixels: distance of the eyes' middles, point between them
RELEASED = (
    np.array(
        [
            (121, 77), (122, 94), (123, 113), (102, 125), (112, 129), (122, 131), (132, 128), (142, 125),
            (57, 64), (68, 56), (83, 56), (95, 65), (82, 69), (68, 69),
            (146, 64), (158, 54), (172, 54), (183, 62), (173, 67), (159, 67), (86, 160),
        ]
    )
    - _BETWEEN
) / _EYES  # fmt: skip
RELEASED_SIDE = RELEASED_PIXELS / _EYES
RELEASED_START = tuple((-0.5 - place) / _EYES for place in _BETWEEN)


def released_poses(landmarks):
    """`eyes_nose_poses` for the points and the mean face of the released code: RELEASED -> landmarks."""
    return _poses(landmarks, RELEASED_POINTS, RELEASED)


def _poses(landmarks, part, template):
    points = np.asarray(landmarks, np.float64)[:, part]
    pose = fit_similarity(np.broadcast_to(template, points.shape), points)
    return np.stack([pose[:, 0, 0], pose[:, 1, 0], pose[:, 0, 2], pose[:, 1, 2]], 1)

"""The au112 crop: eyes and nose of a face carried to a mean face, so that nothing of brows, lips and jaw decides its place.

The published preparation (arXiv 2110.09951 and the released code of its line) fits a similarity of landmarks 28 to 48, counted
from 1, to the mean of its corpus. That mean and the square about it were not published. Here the mean is that of 15 people of
GRID (ours), and the square holds brows to chin as the detections of dlib do, which the papers name [inferred]: its middle row
lies at the base of the nose, so that its lower half has mouth and chin, of an open mouth, too. The papers' size is 112 pixels;
other sizes show the same square. Outside the frame the published crop is grey (127); ours repeats the frame's border, as all
crops here do.
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
    points = np.asarray(landmarks, np.float64)[:, EYES_NOSE]
    pose = fit_similarity(np.broadcast_to(TEMPLATE, points.shape), points)
    return np.stack([pose[:, 0, 0], pose[:, 1, 0], pose[:, 0, 2], pose[:, 1, 2]], 1)

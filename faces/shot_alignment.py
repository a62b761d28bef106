"""The crop pcavs: one scale and one turn for a whole shot, so that the head still rolls, turns and comes nearer inside it.

As the published code of PC-AVS does it (arXiv 2104.11116, `scripts/align_68.py`): three points of a face, the means of the six
points of each eye and the mean of the eight points of the inner mouth, are averaged over the video. One similarity carries the
three averages to a template on 224 pixels. In each frame the crop is then shifted so that the mouth of this frame lies on that
of the template; the shift follows the recursion 0.2 old + 0.8 new. The published loader cuts off 32 rows at the bottom and
16 columns on each side, and resizes the rest to the size of the networks; this crop is what the loader gives.

Ours: the averages are those of a shot and not of a video, as a cut shows another picture; the recursion begins anew after a
gap; a frame without a face counts nowhere. Outside the frame the published crop is black; ours repeats the frame's border, as
all crops here do.

The unit of the template here is the distance of its eyes, its origin the point between them.
"""

import numpy as np

from faces.landmarks import LEFT_EYE, RIGHT_EYE, apply_affine, fit_similarity

INNER_MOUTH = slice(60, 68)
SIZE = 224  # pixels, as published
EYES = 50.0  # pixels between the eyes of the published template
TEMPLATE = np.array([(-0.5, 0.0), (0.5, 0.0), (0.0, 61 / EYES)])  # (87, 59), (137, 59), (112, 120) of 224 pixels
MIDDLE = (112.0, 59.0)
CUT = (16.0, 0.0)  # first column and row of the 192 x 192 pixels that the loader keeps
KEPT = 192
OLD_SHARE = 0.2  # of the last frame's shift in that of this frame

# In units of the template: side of the kept pixels, and the outer corner of the first one.
SIDE = KEPT / EYES
START = tuple((cut - 0.5 - middle) / EYES for cut, middle in zip(CUT, MIDDLE, strict=True))


def mean_points(landmarks):
    """Means of the right eye, the left eye and the inner mouth: (..., 68, 2) -> (..., 3, 2) float64, unit of the landmarks."""
    points = np.asarray(landmarks, np.float64)
    return np.stack([points[..., part, :].mean(-2) for part in (RIGHT_EYE, LEFT_EYE, INNER_MOUTH)], -2)


def shot_poses(track):
    """Similarity transforms that carry the template to the faces of a track; scale and turn are those of the shot.

    Args:
        track: faces.tracking.tracked.FaceTrack of N frames.

    Returns:
        (N, 4) float64 a, b, x, y of [[a, -b, x], [b, a, y]], template -> landmarks; NaN where there is no face.
    """
    points = mean_points(track.landmarks)
    poses = np.full((len(track), 4), np.nan)
    for start, end in track.runs():
        shot = track.present & (track.shots == track.shots[start])
        poses[start:end] = _poses(points[start:end], points[shot].mean(0))
    return poses


def _poses(points, averages):
    """(n, 3, 2) points of consecutive frames, and their averages (3, 2) over the shot -> (n, 4) poses."""
    to_template = fit_similarity(averages, TEMPLATE)  # least squares in the template, as published
    linear, shift = to_template[:, :2], to_template[:, 2]
    bias = TEMPLATE[2] - apply_affine(to_template, points)[:, 2]
    for number in range(1, len(bias)):
        bias[number] = OLD_SHARE * bias[number - 1] + (1 - OLD_SHARE) * bias[number]
    back = np.linalg.inv(linear)
    place = -(shift + bias) @ back.T
    return np.concatenate([np.broadcast_to((back[0, 0], back[1, 0]), place.shape), place], 1)

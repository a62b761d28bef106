"""The alignment of DAVS: three points of a face, the eye centres and the middle of the mouth corners, to a fixed template.

As the published code does it for pictures of its test (arXiv 1807.07860, `preprocess/face_align.py`): a Procrustes fit whose
scale is the ratio of standard deviations; a canvas of 356 x 436 pixels, of which 268 x 268 are cut out and resized to 260; the
networks see the middle 256. The template's unit here is the distance of its eyes, its origin the point between them.

The crops of the published training (`preprocess/process256_224.py`) are fitted to five points: the same three, with both eyes
counted twice. The template and the rest are the same. Where a face has the proportions of the template, both fits agree; else
the five points follow the eyes more and the mouth less. On 72 clips of GRID the face is 3 % larger by five points than by
three, and the eyes lie 0.6 of 256 pixels elsewhere. Here three points are used for training and for results alike.

Outside the frame the published crop is grey (127). Ours repeats the frame's border, as all crops here do: a grey wedge would
tell a network where the frame ends, and a face near the border would be drawn beside an edge that moves with the head.
"""

import numpy as np

from faces.landmarks import LEFT_EYE, RIGHT_EYE
from faces.tracking.smoothing import QUICK, smooth_poses, smooth_series

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

# Widths of the kernels of `steady_poses`; the first is that of the other crops.
PLACE_SECONDS, SCALE_SECONDS, REST_SECONDS = 0.16, 0.35, 1.0
SCALE_SLACK = 0.015  # the crop is so much too small or too large at most when a head comes nearer fast


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


def steady_poses(poses, head, corners, fps, held):
    """The path of the crop without its zoom: the fit smoothed over time inside one shot, without lead or lag (ours).

    A mouth that opens moves the middle of its corners, and with it scale and place of the published crop. Noise of the
    landmarks makes the scale tremble. Here the stable points of the face, which speech hardly moves, say how the head moves.
    Where the three points lie on the head is averaged over REST_SECONDS, longer than words. The scale follows the head over
    SCALE_SECONDS, and faster where it would be more than SCALE_SLACK too small or too large.

    Args:
        poses: (N, 4) float, the fits of a template to N consecutive frames, see `three_point_poses`.
        head: (N, 4) float, the fits of the stable points (canonical face -> frame) of the same frames, as the same numbers.
        corners: (K, 2) float, points of the face in eye distances that shall stay near their places when the head moves fast.
        fps: frames per second.
        held: (2,) float, point of the template that stays where it is when the scale is smoothed: its middle.

    Returns:
        (N, 4) float64.
    """
    turn, shift = _complex(np.asarray(poses, np.float64))
    head_turn, head_shift = _complex(np.asarray(head, np.float64))
    on_head = np.stack([turn / head_turn, (shift - head_shift) / head_turn], 1)
    on_head = _mean_over_time(on_head, REST_SECONDS * fps)
    head_turn, head_shift = _complex(smooth_poses(head, corners, PLACE_SECONDS * fps))
    turn, shift = head_turn * on_head[:, 0], head_turn * on_head[:, 1] + head_shift
    sigma, size = SCALE_SECONDS * fps, np.log(np.abs(turn))
    smooth = smooth_series(size, sigma)
    behind = smooth_series(size - smooth, QUICK * sigma)
    beyond = np.sign(behind) * np.maximum(np.abs(behind) - SCALE_SLACK, 0)
    zoom = np.exp(smooth + smooth_series(beyond, 2 * QUICK * sigma) - size)
    shift = shift + turn * (1 - zoom) * complex(*held)
    turn = turn * zoom
    return np.stack([turn.real, turn.imag, shift.real, shift.imag], 1)


def _complex(poses):
    """(N, 4) a, b, x, y -> ((N,) a + bi, (N,) x + yi): a similarity is z -> turn z + shift."""
    return poses[:, 0] + 1j * poses[:, 1], poses[:, 2] + 1j * poses[:, 3]


def _mean_over_time(values, sigma):
    """(N, K) complex -> the same: weighted means over Gaussian windows that are cut off at both ends."""
    from scipy.ndimage import gaussian_filter1d

    weight = gaussian_filter1d(np.ones(len(values)), sigma, mode="constant")[:, None]
    real, imag = (gaussian_filter1d(part, sigma, axis=0, mode="constant") for part in (values.real, values.imag))
    return (real + 1j * imag) / weight

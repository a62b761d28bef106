"""The face's own outline as weights of a paste: the lower face or all of it, faded inwards, so that what lies outside stays.

The outline is the convex hull of the jaw line, cut off by a straight line: below the eyes for the lower face. Inside a convex
hull the distance to its border is the least distance to the lines of its edges, which is exact, smooth in time, and cheap on a
coarse grid: between the grid's nodes the interpolated distance is never too large, as the true one is concave (docs/methods.md,
eq. (82)). The rule is ours.
"""

import numpy as np

from faces.landmarks import CANONICAL_STABLE, JAW, STABLE, fit_similarity

BROWS = slice(17, 27)

# In eye distances. The line below the eyes lies at TOP from the point between them; the weight rises over WAY from the jaw
# inwards, and over TOP_WAY from the line down. FOREHEAD is how far a forehead reaches above the brows.
TOP, WAY, TOP_WAY, FOREHEAD = 0.25, 0.25, 0.30, 0.5
JAW_DEPTH = np.sin(np.linspace(0, np.pi, 17)) ** 4  # 1 at the chin, 0 at the ears
CELLS = 3  # of the grid, over which the weight rises, at least
LEAST_WAY = 1.0  # pixels


def lower_face_mask(landmarks, size, *, wanted=None, inset=0.0, way=WAY, grow=0.0):
    """Weights of the lower face: 0 outside its outline, 1 inside.

    Args:
        landmarks: (68, 2) float, crop pixels of the face that is in the frame.
        size: S, side of the crop.
        wanted: (68, 2) float of the face that is drawn, whose jaw may lie elsewhere: the outline encloses both. None: the same.
        inset: crop pixels by which the weights keep away from the outline; for a mask that will be resampled.
        way: eye distances over which the weight rises from the outline inwards.
        grow: eye distances by which the outline lies outside the jaw line, whose landmarks are not quite on its visible edge.

    Returns:
        (S, S) float32 in [0, 1].
    """
    unit, middle, down = _frame_of(landmarks)
    jaw = landmarks[JAW] if wanted is None else np.concatenate([landmarks[JAW], wanted[JAW]])
    normals, offsets = _edges(jaw)
    offsets, ways = offsets + grow * unit - inset, np.full(len(offsets), max(way * unit, LEAST_WAY))
    top = -float(down @ (middle + TOP * unit * down)) - inset
    ways = np.append(ways, max(TOP_WAY * unit, LEAST_WAY))
    return _weights(jaw, np.vstack([normals, down]), np.append(offsets, top), ways, size, grow * unit)


def whole_face_mask(landmarks, size, *, inset=0.0, way=WAY, below=0.0):
    """Weights of the whole face, forehead to chin: 0 outside its outline, 1 inside; arguments as of `lower_face_mask`.

    Args:
        below: eye distances by which the outline reaches below the chin, less and less towards the ears. It covers a real chin
            that is lower than the drawn one, and shows a drawn chin that is lower than the real one.

    Returns:
        (S, S) float32 in [0, 1].
    """
    unit, _, down = _frame_of(landmarks)
    lower = JAW_DEPTH[:, None] * below * unit * down
    outline = np.concatenate([landmarks[JAW] + lower, landmarks[JAW], landmarks[BROWS] - FOREHEAD * unit * down])
    normals, offsets = _edges(outline)
    return _weights(outline, normals, offsets - inset, np.full(len(offsets), max(way * unit, LEAST_WAY)), size)


def _frame_of(landmarks):
    """(pixels of an eye distance, the point between the eyes (2,), unit vector down the face (2,))."""
    pose = fit_similarity(CANONICAL_STABLE, np.asarray(landmarks, np.float64)[list(STABLE)])
    unit = max(float(np.hypot(pose[0, 0], pose[1, 0])), 1e-6)
    return unit, pose[:, 2], pose[:, 1] / unit


def _edges(points):
    """Lines of the edges of a convex hull: normals inwards (K, 2) and offsets (K,), so that n x + o is the distance inside."""
    import cv2

    hull = cv2.convexHull(np.asarray(points, np.float32))[:, 0].astype(np.float64)
    along = np.concatenate([hull[1:], hull[:1]]) - hull
    long = np.hypot(along[:, 0], along[:, 1])
    hull, along, long = hull[long > 1e-6], along[long > 1e-6], long[long > 1e-6]
    normals = np.stack([-along[:, 1], along[:, 0]], 1) / long[:, None]
    offsets = -(normals * hull).sum(1)
    if len(hull) and (normals @ hull.mean(0) + offsets).mean() < 0:
        normals, offsets = -normals, -offsets
    return normals, offsets


def _weights(points, normals, offsets, ways, size, grow=0.0):
    """(S, S) float32: the least n x + o over its way, cut off to [0, 1], smoothed; 0 beyond `grow` pixels from the points."""
    import cv2

    out = np.zeros((size, size), np.float32)
    begin = np.clip(np.floor(points.min(0) - grow), 0, size).astype(int)
    end = np.clip(np.ceil(points.max(0) + grow) + 1, 0, size).astype(int)
    if (begin >= end).any():
        return out
    cell = max(1, int(ways.min()) // CELLS)
    nodes = -((begin - end) // cell) + 2  # one more on each side, so that nothing is repeated
    x, y = (first + (np.arange(count, dtype=np.float32) - 0.5) * cell - 0.5 for first, count in zip(begin, nodes, strict=True))
    right, down = (normals / ways[:, None]).T
    lines = (right[:, None] * x + (offsets / ways)[:, None]).astype(np.float32), (down[:, None] * y).astype(np.float32)
    inside = np.ones((len(y), len(x)), np.float32)
    for along, across in zip(*lines, strict=True):
        np.minimum(inside, along[None] + across[:, None], out=inside)
    if cell > 1:
        inside = cv2.resize(inside, (len(x) * cell, len(y) * cell), interpolation=cv2.INTER_LINEAR)
    inside = np.clip(inside[cell:, cell:][: end[1] - begin[1], : end[0] - begin[0]], 0, 1)
    out[begin[1] : end[1], begin[0] : end[0]] = inside * inside * (3 - 2 * inside)
    return out

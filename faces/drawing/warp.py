"""A picture of a face carried to other landmarks: thin plates on a coarse grid, sampled once (docs/methods.md, section 14).

A field is given on a grid of `cells` x `cells` cells whose corners are the middles of the picture's corner pixels, and says for
each pixel of the target where in the source it comes from. One smooth field over a mouth tears lips: where closed lips open, it
draws the skin of both across the gap. So there are two more fields, one that knows the upper lip alone and one that knows the
lower lip alone; `faces.drawing.lower_face` takes each lip from its own.

Thin plates are Bookstein 1989 (IEEE TPAMI 11(6)); the choice of points, the two lips and the limit of folding are ours.
"""

from functools import lru_cache

import numpy as np

from faces.landmarks import STABLE, apply_affine, fit_similarity

CELLS = 32
# Points of the field, all of a face's outline included, so that the outline of the source comes to lie on the target's.
FACE = (*range(17), *range(27, 36), 36, 39, 42, 45)
CORNERS_OF_MOUTH = (48, 54, 60, 64)
UPPER_LIP = (*CORNERS_OF_MOUTH, 49, 50, 51, 52, 53, 61, 62, 63)
LOWER_LIP = (*CORNERS_OF_MOUTH, 55, 56, 57, 58, 59, 65, 66, 67)
POINTS = {"all": (*FACE, *range(48, 68)), "upper": (*FACE, *UPPER_LIP), "lower": (*FACE, *LOWER_LIP)}
INNER_LIPS = (60, 61, 62, 63, 64, 65, 66, 67)
BORDER = np.array([(x, y) for y in (0, 1 / 3, 2 / 3, 1) for x in (0, 1 / 3, 2 / 3, 1) if x in (0, 1) or y in (0, 1)])
STIFFNESS = 0.005  # how little the plates give way to one point; the unit is the picture's side
LEAST_AREA = 0.05  # a pixel of the target comes from at least this share of the area that the similarity alone gives it
MOST_ROUNDS = 12  # of smoothing where the field folds


def warp_maps(source, target, size, parts, cells=CELLS):
    """Where in the source each pixel of the target comes from, for several parts at once.

    Held are the points of the part, and twelve on the border of the target's picture, which lie in the source where the
    similarity of the stable points has them.

    Args:
        source, target: (68, 2) float landmarks, pixels of the source's and of the target's picture.
        size: side of the target's picture, pixels.
        parts: of "all", "upper" and "lower": outline of the face, nose, eye corners, and the mouth or that lip alone.
        cells: of the grid along a side.

    Returns:
        list of (cells + 1, cells + 1, 2) float32, one for each of `parts`: x, y in pixels of the source at the grid's nodes,
        node (0, 0) at pixel (0, 0) and the last at pixel (size - 1, size - 1). It folds nowhere: see `unfolded`.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    back = fit_similarity(target[list(STABLE)], source[list(STABLE)])
    nodes = grid_nodes(size, cells)
    # Kernel of all nodes to all points that any part needs, once.
    union = sorted({index for part in parts for index in POINTS[part]})
    places = np.concatenate([target[union], BORDER * (size - 1)]) / size
    kernel = _kernel((nodes.reshape(-1, 2) / size).astype(np.float32), places.astype(np.float32))
    flat = np.concatenate([np.ones((len(kernel), 1)), nodes.reshape(-1, 2) / size], 1).astype(np.float32)
    base = apply_affine(back, nodes)
    maps = []
    for part in parts:
        held = np.array([union.index(index) for index in POINTS[part]] + list(range(len(union), len(places))))
        away = source[list(POINTS[part])] - apply_affine(back, target[list(POINTS[part])])
        bend, plane = _plates(places[held], np.concatenate([away, np.zeros_like(BORDER)]))
        moved = kernel[:, held] @ bend + flat @ plane
        maps.append(unfolded((base + moved.reshape(base.shape)).astype(np.float32), base))
    return maps


def unfolded(field, base):
    """A field without folds: where the area of a cell shrinks below LEAST_AREA of what `base` gives it, the field is smoothed.

    Args:
        field: (n, n, 2) float32.
        base: (n, n, 2) float, the same without bending, or (n, n, 2) of any field that does not fold.

    Returns:
        (n, n, 2) float32; `field` itself where it does not fold.
    """
    import cv2

    floor = LEAST_AREA * float(np.median(cell_areas(base)))
    for _ in range(MOST_ROUNDS):
        areas = cell_areas(field)
        if areas.min() >= floor:
            return field
        bad = np.zeros(field.shape[:2], np.float32)
        for down in (0, 1):
            for along in (0, 1):
                part = bad[down : down + areas.shape[0], along : along + areas.shape[1]]
                np.maximum(part, areas < floor, out=part)
        share = np.minimum(cv2.GaussianBlur(cv2.dilate(bad, np.ones((3, 3))), (0, 0), 1.0), 1)[..., None]
        away = (field - base).astype(np.float32)
        away += (cv2.GaussianBlur(away, (0, 0), 1.5) - away) * share
        field = (base + away).astype(np.float32)
    areas = cell_areas(field)
    share = 1.0
    while areas.min() < floor and share > 1e-3:
        share /= 2
        areas = cell_areas(base + (field - base) * share)
    return (base + (field - base) * (share if share < 1 else 1)).astype(np.float32)


def cell_areas(field):
    """(n - 1, n - 1) signed areas in the source of the grid's cells, square pixels; the least of a cell's four corners counts.

    A bilinear cell folds nowhere when none of the four triangles at its corners is turned over.
    """
    field = np.asarray(field)
    x, y = field[..., 0], field[..., 1]
    right_x, right_y, down_x, down_y = np.diff(x, axis=1), np.diff(y, axis=1), np.diff(x, axis=0), np.diff(y, axis=0)
    least = None
    for row in (slice(None, -1), slice(1, None)):
        for column in (slice(None, -1), slice(1, None)):
            area = right_x[row] * down_y[:, column] - right_y[row] * down_x[:, column]
            least = area if least is None else np.minimum(least, area)
    return least


def grid_nodes(size, cells=CELLS):
    """(cells + 1, cells + 1, 2) float64 x, y of the nodes, pixels."""
    along = np.linspace(0, size - 1, cells + 1)
    return np.stack(np.meshgrid(along, along), -1)


def spread(field, size, box=None):
    """A field at every pixel: cubic interpolation between the nodes, exact for fields that are linear.

    Args:
        field: (n, n[, C]) float32.
        size: side of the picture, pixels.
        box: (top, bottom, left, right), ends exclusive; None for all.

    Returns:
        (h, w) float32, or (C, h, w) with the channels in front, as `sampled` takes them.
    """
    top, bottom, left, right = box or (0, size, 0, size)
    field = np.asarray(field, np.float32)
    weights = _weights(size, len(field) - 1)
    rows, columns = weights[top:bottom], weights[left:right].T
    return rows @ np.ascontiguousarray(np.moveaxis(field, -1, 0) if field.ndim == 3 else field) @ columns


def sampled(picture, places):
    """(h, w, 3) uint8 of `picture` at `places` (2, h, w) float32 x, y; cubic."""
    import cv2

    return cv2.remap(picture, places[0], places[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def inner_mouth_mask(landmarks, size, box=None):
    """Inside of the inner lips.

    Args:
        landmarks: (68, 2) float, pixels.
        size: side of the picture, pixels.
        box: (top, bottom, left, right) that is wanted; None for all.

    Returns:
        (S, S) float32 in [0, 1], the share of each pixel that lies inside; or the box of it.
    """
    return polygon(smooth_outline(np.asarray(landmarks)[list(INNER_LIPS)]), size, box)


def smooth_outline(points, steps=4):
    """(K, 2) corners -> (K steps, 2): a closed curve through them, Catmull-Rom."""
    points = np.asarray(points, np.float64)
    before, after, last = np.roll(points, 1, 0), np.roll(points, -1, 0), np.roll(points, -2, 0)
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (each[:, None] for each in (before, points, after, last))
    curve = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    return curve.reshape(-1, 2)


def polygon(points, size, box=None, finer=4):
    """(S, S) float32 in [0, 1], the share of each pixel inside a polygon (K, 2) float of pixels; or the box of it."""
    import cv2

    top, bottom, left, right = box or (0, size, 0, size)
    canvas = np.zeros(((bottom - top) * finer, (right - left) * finer), np.uint8)
    places = (np.asarray(points, np.float64) - (left, top) + 0.5) * finer - 0.5
    cv2.fillPoly(canvas, [np.rint(places * 256).astype(np.int32)], 255, shift=8)
    inside = cv2.resize(canvas, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return inside.astype(np.float32) / 255


def _plates(places, values):
    """Thin plates through `values` (K, 2) at `places` (K, 2) -> weights (K, 2) of the kernel, (3, 2) of the plane; float32."""
    count = len(places)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(places, places)
    system[:count, :count].flat[:: count + 1] += STIFFNESS
    system[:count, count] = system[count, :count] = 1
    system[:count, count + 1 :] = places
    system[count + 1 :, :count] = places.T
    solved = np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2))]))
    return solved[:count].astype(np.float32), solved[count:].astype(np.float32)


def _kernel(first, second):
    """r^2 log r^2 between (M, 2) and (K, 2) -> (M, K)."""
    square = (first[:, None, 0] - second[None, :, 0]) ** 2 + (first[:, None, 1] - second[None, :, 1]) ** 2
    return square * np.log(np.maximum(square, 1e-12))


@lru_cache(maxsize=16)
def _weights(size, cells):
    """(size, cells + 1) float32: cubic interpolation (Catmull-Rom, linear beyond the ends) from nodes to pixels."""
    at = np.arange(size) * (cells / (size - 1))
    cell = np.minimum(at.astype(int), cells - 1)
    t = at - cell
    taps = np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], 1) / 2
    weights = np.zeros((size, cells + 3))
    for offset in range(4):
        weights[np.arange(size), cell + offset] = taps[:, offset]
    inner = weights[:, 1:-1].copy()
    inner[:, 0] += 2 * weights[:, 0]
    inner[:, 1] -= weights[:, 0]
    inner[:, -1] += 2 * weights[:, -1]
    inner[:, -2] -= weights[:, -1]
    return np.ascontiguousarray(inner, np.float32)

"""Shapes of an opened mouth and how a drawing of its inside comes into the picture."""

import numpy as np

from faces.crops import inverse
from faces.drawing.lips import ease
from faces.landmarks import apply_affine

INNER_UPPER, INNER_LOWER = (60, 61, 62, 63, 64), (60, 67, 66, 65, 64)
MEET = 0.035  # eye distances: where the gap of the lips is narrower, the drawing fades
LEAST_LAYER = 24  # pixels of the smallest level of a pyramid


def laid(picture, drawn, shade, matrix, fine, corner, own, origin):
    """`drawn` (h, w, 4), colours and weight, and own teeth in `shade` (h, w, 3), laid over a copy of the picture.

    matrix: picture -> canonical; origin: where own teeth hang.
    """
    import cv2

    to_drawn = matrix * fine
    to_drawn[:, 2] -= corner * fine + 0.5
    height, width = drawn.shape[:2]
    corners = apply_affine(inverse(to_drawn), np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64))
    x1, y1 = (int(value) for value in np.maximum(np.floor(corners.min(0)) - 1, 0))
    x2, y2 = (int(value) for value in np.minimum(np.ceil(corners.max(0)) + 2, picture.shape[1::-1]))
    if x2 <= x1 or y2 <= y1:
        return picture
    to_drawn[:, 2] += to_drawn[:, :2] @ (x1, y1)
    size, back = (x2 - x1, y2 - y1), cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(drawn, to_drawn, size, flags=cv2.INTER_LINEAR | back, borderMode=cv2.BORDER_CONSTANT)
    colours = laid[..., :3]
    if own is not None:
        to_origin = matrix.copy()
        to_origin[:, 2] += to_origin[:, :2] @ (x1, y1) - origin
        to_own = chain(to_origin, inverse(own.anchor))
        teeth = cv2.warpAffine(own.picture, to_own, size, flags=cv2.INTER_CUBIC | back, borderMode=cv2.BORDER_REPLICATE)
        cover = cv2.warpAffine(own.cover, to_own, size, flags=cv2.INTER_LINEAR | back)[..., None]
        dim = cv2.warpAffine(shade, to_drawn, size, flags=cv2.INTER_LINEAR | back, borderMode=cv2.BORDER_REPLICATE)
        colours = colours + (teeth * dim - colours) * cover
    out = picture.copy()
    behind = out[y1:y2, x1:x2].astype(np.float32)
    out[y1:y2, x1:x2] = np.clip(np.rint(behind + (colours - behind) * laid[..., 3:]), 0, 255)
    return out


def chain(first, second):
    """Affine matrices (2, 3): first, then second."""
    return np.concatenate([second[:, :2] @ first[:, :2], (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]], 1)


def inner_lips(points):
    """Canonical points (68, 2) -> x (K,) rising, upper and lower inner lip (K,) there: smooth curves (Catmull-Rom)."""
    upper, lower = points[list(INNER_UPPER)], points[list(INNER_LOWER)]
    x = np.linspace(upper[0, 0], max(upper[-1, 0], upper[0, 0] + 1e-3), 49)
    at = np.linspace(0, 1, 9)[:-1, None, None]
    curves = []
    for lip in (upper, lower):
        before, after = np.concatenate([lip[:1], lip[:-2]]), np.concatenate([lip[2:], lip[-1:]])
        start, end = lip[:-1], lip[1:]
        curve = start + 0.5 * at * (end - before + at * (2 * before - 5 * start + 4 * end - after
                                                         + at * (3 * (start - end) + after - before)))  # fmt: skip
        curve = np.concatenate([curve.swapaxes(0, 1).reshape(-1, 2), lip[-1:]])
        curves.append(np.interp(x, np.maximum.accumulate(curve[:, 0]), curve[:, 1]))
    return x, curves[0], np.maximum(curves[0], curves[1])


def outline(x, top, bottom, corner, fine, size):
    """(H, W) float32 in [0, 1]: between the lips, fading where they meet."""
    import cv2

    mask = np.zeros(size[::-1], np.uint8)
    outline = np.concatenate([np.stack([x, top], 1), np.stack([x, bottom], 1)[::-1]])
    cv2.fillPoly(mask, [np.round(((outline - corner) * fine - 0.5) * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    columns = (np.arange(size[0]) + 0.5) / fine + corner[0]
    fade = smooth(np.interp(columns, x, bottom - top) / MEET)
    return mask * (fade / 255)


def pyramid(layer):
    """(H, W, C) float32 and its halves, quarters, ... down to LEAST_LAYER rows or columns."""
    import cv2

    levels = [np.ascontiguousarray(layer, np.float32)]
    while min(levels[-1].shape[:2]) > LEAST_LAYER:
        height, width = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    return levels


def smooth(value):
    """`lips.ease` in float32."""
    return ease(value).astype(np.float32)

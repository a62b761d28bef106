"""The upper teeth that a picture shows, as a layer that stays with the skull: a smiling portrait keeps its own."""

from dataclasses import dataclass

import numpy as np

from faces.drawing.mouth_light import DENSITY, INNER_LIPS, LUMINANCE
from faces.landmarks import CANONICAL_STABLE, STABLE, apply_affine, fit_similarity

BRIGHTEST = 0.85  # quantile of the luminance inside the lips that stands for lit enamel
TOOTH = 0.45  # of that luminance, from which a pixel may be tooth
VALLEY = 0.12  # of that luminance, by which the line between closed rows of teeth is darker than both
CENTRE = 0.13  # eye distances from the midline within which teeth must be seen
LEAST_HEIGHT, MOST_HEIGHT = 0.035, 0.16  # eye distances of visible teeth
DEEPEST = 0.04  # eye distances below the upper lip at which upper teeth begin at the latest; lower ones may begin there
SEEN = 0.7  # share of the columns at the centre that must show so much
CLOSE = 0.022  # gaps between teeth that belong to them, eye distances


@dataclass(frozen=True)
class OwnTeeth:
    """Upper teeth of a picture.

    Attributes:
        picture: (H, W, 3) uint8 RGB; cover: (H, W) float32 in [0, 1], where it shows upper teeth.
        anchor: (2, 3) float64, pixels -> canonical frame whose origin is the middle of the lips at rest.
        edge: float, how far below that origin the teeth end, eye distances.
        enamel: (3,) float64 RGB of lit teeth.
    """

    picture: np.ndarray
    cover: np.ndarray
    anchor: np.ndarray
    edge: float
    enamel: np.ndarray


def own_teeth(picture, landmarks, rest, white, lips):
    """Find the upper teeth in a picture.

    Args:
        picture: (H, W, 3) uint8 RGB. landmarks: (68, 2) its landmarks, pixels.
        rest: (68, 2) pixels, the same with the mouth at rest. white, lips: (3,) RGB of the whites of the eyes, of the lips:
            teeth are nearer to the whites.

    Returns:
        OwnTeeth, or None where the centre of the mouth shows none.
    """
    import cv2

    landmarks = np.asarray(landmarks, np.float64)
    matrix = fit_similarity(landmarks[list(STABLE)], CANONICAL_STABLE)
    points, still = apply_affine(matrix, landmarks), apply_affine(matrix, np.asarray(rest, np.float64))
    origin = mouth_origin(still)
    inner = points[list(INNER_LIPS)]
    corner = inner.min(0) - 0.04
    width, height = (int(value) for value in np.ceil((inner.max(0) + 0.04 - corner) * DENSITY))
    to_view = matrix * DENSITY
    to_view[:, 2] -= corner * DENSITY
    view = cv2.warpAffine(picture, to_view, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [np.round((inner - corner) * DENSITY * 16).astype(np.int32)], 1, shift=4)
    inside = cv2.erode(inside, np.ones((3, 3), np.uint8)) > 0
    if inside.sum() < 50:
        return None
    colours = view.astype(np.float32)
    luminance = colours @ LUMINANCE.astype(np.float32)
    bright = float(np.quantile(luminance[inside], BRIGHTEST))
    grey = colours[..., 1] / np.maximum(colours[..., 0], 1) > (white[1] / white[0] + lips[1] / lips[0]) / 2
    tooth = inside & (luminance > TOOTH * bright) & grey & (bright > 0.6 * float(white @ LUMINANCE))
    side = max(3, int(round(CLOSE * DENSITY)) | 1)
    tooth = cv2.morphologyEx(tooth.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)) > 0
    tooth &= inside
    row = np.arange(height)[:, None]
    first = np.where(tooth.any(0), tooth.argmax(0), height)
    gap = ~tooth & (row > first)
    last = np.where(gap.any(0), gap.argmax(0), height)
    across = np.arange(width) / DENSITY + corner[0] - origin[0]
    centre = np.abs(across) < CENTRE
    last = np.minimum(last, first + int(MOST_HEIGHT * DENSITY))
    last = np.minimum(last, _line_between(luminance, inside & centre, VALLEY * bright))
    upper = tooth & (row >= first) & (row < last)
    tall = upper.sum(0) >= LEAST_HEIGHT * DENSITY
    hidden = first - inside.argmax(0)  # rows of dark or gum between the upper lip and the teeth
    if centre.sum() < 3 or tall[centre].mean() < SEEN or np.median(hidden[centre & tall]) > DEEPEST * DENSITY:
        return None
    edge = float(np.median(last[centre & tall]) / DENSITY + corner[1] - origin[1])
    upper[:, upper.sum(0) < 0.6 * LEAST_HEIGHT * DENSITY] = False
    enamel = np.median(colours[upper & (luminance >= np.median(luminance[upper]))], 0).astype(np.float64)
    soft = cv2.GaussianBlur(upper.astype(np.float32), (0, 0), 0.010 * DENSITY)
    soft = np.clip(soft * 2 - 0.9, 0, 1)  # its edge lies inside the teeth
    cover = cv2.warpAffine(soft, to_view, picture.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    anchor = matrix.copy()
    anchor[:, 2] -= origin
    return OwnTeeth(picture, cover, anchor, edge, enamel)


def _line_between(luminance, part, depth):
    """Row of the darkest line between two brighter ones, by `depth` at least, in the mean over a part; else the height."""
    count = part.sum(1)
    rows = np.flatnonzero(count > 0.5 * count.max())
    profile = (luminance * part).sum(1)[rows] / count[rows]
    above, below = np.maximum.accumulate(profile), np.maximum.accumulate(profile[::-1])[::-1]
    valley = np.minimum(above, below) - profile
    return int(rows[valley.argmax()]) if valley.max() > depth else len(luminance)


def mouth_origin(still):
    """(2,) middle of the lips at rest, where upper teeth hang, of canonical points (68, 2)."""
    return np.array([still[[51, 62, 66, 57], 0].mean(), still[[62, 66], 1].mean()])

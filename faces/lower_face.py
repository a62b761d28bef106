"""The lower face of a frame drawn anew from other frames of the same person, with the mouth and jaw that are wanted.

Three layers (docs/methods.md, section 12; ours). The frame itself with its jaw line moved, which keeps its neck, hair and
background; over it, inside the face, the sources, each carried to the wanted landmarks and lit like the frame; over these the
lips, upper and lower each from its own field, and between them the inner mouth.
"""

import numpy as np

from faces.relight import relit, still_skin
from faces.warp import (
    CELLS,
    INNER_LIPS,
    grid_nodes,
    polygon,
    sampled,
    smooth_outline,
    spread,
    warp_maps,
)

# Lengths in eye distances (distance of the outer eye corners over 1.4).
JAW_FADE, SIDE_FADE = 0.10, 0.28  # over which the sources fade into the frame, from the outline inwards: at chin, at ears
TOP, FULL = 0.26, 0.62  # below the eyes: where the sources begin, and where they hide the frame
NOSE_FADE = 0.10
BAND = 0.10  # outside the jaw line that is bent with it, beside twice the way that the jaw moves
MASK_EDGE = 0.03
SEAM = 0.012  # softness of the line between the lips
LIP_MARGIN, LIP_FADE = 0.02, 0.05  # around the lips that are drawn from their own fields
STILL = 0.05  # pixels: a jaw that moves less is not moved


def draw_lower_face(target, target_landmarks, wanted_landmarks, sources, inner_mouth=None):
    """Draw one frame.

    Args:
        target: (S, S, 3) uint8 RGB, the frame.
        target_landmarks: (68, 2) float, its landmarks in its pixels.
        wanted_landmarks: (68, 2) float, the same with mouth and jaw as they are wanted.
        sources: [(picture (s, s, 3) uint8 RGB, landmarks (68, 2) float, weight float)], one or more; the weights sum to 1.
        inner_mouth: (S, S, 3) uint8 RGB in place, drawn between the lips; None takes what the sources show there.

    Returns:
        drawn: (S, S, 3) uint8 RGB.
        mask: (S, S) float32 in [0, 1], 0 where `drawn` is the frame, byte for byte.
    """
    target_landmarks = np.asarray(target_landmarks, np.float64)
    wanted = np.asarray(wanted_landmarks, np.float64)
    size, unit = len(target), eye_distance(target_landmarks)
    box = _box(target_landmarks, wanted, size, unit)
    place = (slice(box[0], box[1]), slice(box[2], box[3]))
    frame = target[place]
    own, band = _own(target, target_landmarks, wanted, size, unit, box)
    inside = _inside(wanted, size, unit, box)
    lit = still_skin(wanted, size, box)
    drawn = None
    for picture, landmarks, weight in sources:
        if weight <= 0:
            continue
        made = _carried(picture, np.asarray(landmarks, np.float64), wanted, size, unit, box, inner_mouth)
        made = relit(made, frame, lit)
        if weight < 1:
            made = made.astype(np.float32) * weight
            drawn = made if drawn is None else drawn + made
        else:
            drawn = made
    result = target.copy()
    result[place] = _over(own, drawn, inside)
    mask = np.zeros((size, size), np.float32)
    mask[place] = np.maximum(np.minimum(inside * 4, 1), band)
    return result, mask


def eye_distance(landmarks):
    """Unit of this module, pixels."""
    return float(np.linalg.norm(landmarks[45] - landmarks[36])) / 1.4


def _carried(picture, landmarks, wanted, size, unit, box, inner_mouth):
    """(h, w, 3) uint8: the box of the target as the source has it."""
    upper, lower, whole = warp_maps(landmarks, wanted, size, ("upper", "lower", "all"))
    share = _above(grid_nodes(size), wanted, unit)[..., None].astype(np.float32)
    skin = sampled(picture, spread(lower + (upper - lower) * share, size, box))
    return _mouth(skin, picture, (upper, lower, whole), wanted, size, unit, box, inner_mouth)


def _mouth(skin, picture, fields, wanted, size, unit, box, inner_mouth):
    """Lay lips and inner mouth over the skin; writes into `skin`."""
    import cv2

    lips = uncrossed(wanted)
    outer = smooth_outline(lips[48:60])
    margin = int(np.ceil((LIP_MARGIN + 2 * LIP_FADE) * unit)) + 2
    top, bottom = max(box[0], int(outer[:, 1].min()) - margin), min(box[1], int(outer[:, 1].max()) + margin + 1)
    left, right = max(box[2], int(outer[:, 0].min()) - margin), min(box[3], int(outer[:, 0].max()) + margin + 1)
    if bottom <= top or right <= left:
        return skin
    small = (top, bottom, left, right)
    upper, lower, inner = _parts(lips, size, unit, small)
    made = sampled(picture, spread(fields[0], size, small)) * upper[..., None]
    made += sampled(picture, spread(fields[1], size, small)) * lower[..., None]
    if inner.any():
        if inner_mouth is None:
            made += sampled(picture, spread(fields[2], size, small)) * inner[..., None]
        else:
            made += inner_mouth[top:bottom, left:right] * inner[..., None]
    centre = outer.mean(0)
    away = outer - centre
    away *= 1 + LIP_MARGIN * unit / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    over = cv2.GaussianBlur(polygon(centre + away, size, small), (0, 0), max(LIP_FADE * unit / 2, 0.5))
    place = (slice(top - box[0], bottom - box[0]), slice(left - box[2], right - box[2]))
    skin[place] = _over(skin[place], made, over)
    return skin


def _parts(lips, size, unit, box):
    """Shares of upper lip, lower lip and inner mouth in each pixel of a box; they sum to 1."""
    import cv2

    right, left = lips[60], lips[64]
    along = left - right
    far = 4 * size / max(float(np.linalg.norm(along)), 1e-6)
    across = np.array([-along[1], along[0]]) * far
    begin, end = right - along * far, left + along * far
    upper = polygon(np.array([begin, *lips[60:65], end, end - across, begin - across]), size, box)
    lower = polygon(np.array([begin, lips[60], *lips[67:64:-1], lips[64], end, end + across, begin + across]), size, box)
    inner = polygon(lips[list(INNER_LIPS)], size, box)
    parts = np.stack([upper, lower, inner], -1)
    parts = cv2.GaussianBlur(parts, (0, 0), max(SEAM * unit, 0.4))
    parts /= np.maximum(parts.sum(-1, keepdims=True), 1e-6)
    return parts[..., 0], parts[..., 1], parts[..., 2]


def uncrossed(landmarks):
    """(68, 2) with inner lips that do not overlap: where the lower one lies above the upper one, both lie in the middle."""
    lips = np.array(landmarks, np.float64)
    along = lips[64] - lips[60]
    down = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-6)
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        if (lips[lower] - lips[upper]) @ down < 0:
            lips[upper] = lips[lower] = (lips[upper] + lips[lower]) / 2
    return lips


def _above(places, landmarks, unit):
    """Share of the upper lip's field at places (..., 2): 1 above the mouth, 0 below, a way between that widens beside it."""
    middle = (landmarks[60] + landmarks[64]) / 2
    along = landmarks[64] - landmarks[60]
    half = max(float(np.linalg.norm(along)) / 2, 1e-6)
    along = along / (2 * half)
    away = places - middle
    x, y = away @ along, away @ np.array([-along[1], along[0]])
    line = landmarks[[60, 62, 66, 64]] - middle
    gap = (line[1] + line[2]) / 2 @ np.array([-along[1], along[0]])
    beside = np.clip(np.abs(x) / half, 0, 1)
    y = y - gap * (1 - beside**2)
    way = 0.08 * unit + 0.5 * np.maximum(np.abs(x) - half, 0)
    return _smooth(0.5 - y / (2 * way))


def _own(target, landmarks, wanted, size, unit, box):
    """The box of the frame with its jaw line moved, and where it differs from the frame (h, w) float32."""
    frame = target[box[0] : box[1], box[2] : box[3]]
    jaw, moved = _dense(wanted[:17]), _dense(wanted[:17] - landmarks[:17])
    ways = np.linalg.norm(moved, axis=1)
    if ways.max() < STILL:
        return frame, np.zeros(frame.shape[:2], np.float32)
    nodes = grid_nodes(size)
    distance = np.linalg.norm(nodes[:, :, None] - jaw, axis=-1)
    nearest = distance.min(-1, keepdims=True)
    weights = np.exp(-((distance - nearest) / (0.12 * unit)))
    weights /= weights.sum(-1, keepdims=True)
    shift = weights @ moved
    reach = BAND * unit + 2.2 * (weights @ ways)
    falls = _smooth(1 - nearest[..., 0] / reach)
    field = (nodes - shift * falls[..., None]).astype(np.float32)
    bent = np.minimum(np.linalg.norm(shift, axis=-1) * falls / STILL, 1)
    band = np.clip(spread(bent.astype(np.float32), size, box), 0, 1)
    band[band < 0.02] = 0
    moved_frame = sampled(target, spread(field, size, box))
    return _over(frame, moved_frame, band), band


def _inside(wanted, size, unit, box):
    """(h, w) float32: where the sources hide the frame; 0 from the outline of the wanted face on, and on nose and eyes."""
    import cv2

    height, width = box[1] - box[0], box[3] - box[2]
    scale = min(1.0, 24 / unit)
    extent = max(8, round(width * scale)), max(8, round(height * scale))
    factor = np.array([extent[0] / width, extent[1] / height])
    points = (wanted - (box[2], box[0]) + 0.5) * factor - 0.5
    unit = unit * float(factor.mean())
    eyes = (points[36] + points[39] + points[42] + points[45]) / 4
    down = points[33] - points[27]
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    canvas = np.zeros(extent[::-1], np.uint8)
    outline = np.concatenate([_dense(points[:17]), points[[16]] - down * unit, points[[0]] - down * unit])
    cv2.fillPoly(canvas, [np.rint(outline * 16).astype(np.int32)], 1, shift=4)
    canvas = cv2.copyMakeBorder(canvas, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(canvas, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.mgrid[: extent[1], : extent[0]].astype(np.float32)
    below = ((x - eyes[0]) * down[0] + (y - eyes[1]) * down[1]) / unit
    fade = SIDE_FADE + (JAW_FADE - SIDE_FADE) * _smooth((below - 0.5) / 0.8)
    inside = _smooth(depth / (fade * unit)) * _smooth((below - TOP) / (FULL - TOP))
    nose = np.zeros(extent[::-1], np.uint8)
    middle = points[30]
    wings = points[[31, 33, 35]]
    tip = np.concatenate([points[[27]], middle + (wings[:1] - middle) * 1.2, wings, middle + (wings[2:] - middle) * 1.2])
    cv2.fillPoly(nose, [np.rint(tip * 16).astype(np.int32)], 1, shift=4)
    nose = cv2.GaussianBlur(nose.astype(np.float32), (0, 0), NOSE_FADE * unit / 2)
    inside = cv2.GaussianBlur(inside * (1 - nose), (0, 0), 0.7)
    return np.clip(cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)


def _box(landmarks, wanted, size, unit):
    """(top, bottom, left, right) of all that may change."""
    points = np.concatenate([landmarks[:17], wanted[:17]])
    way = float(np.linalg.norm(wanted[:17] - landmarks[:17], axis=1).max())
    margin = BAND * unit + 2.2 * way + 2 * size / CELLS
    eyes = landmarks[[36, 39, 42, 45]]
    top = min(float(eyes[:, 1].min()), float(points[:, 1].min()))
    low, high = points.min(0) - margin, points.max(0) + margin
    top, bottom = int(np.clip(top, 0, size - 8)), int(np.clip(np.ceil(high[1]), 8, size))
    left, right = int(np.clip(low[0], 0, size - 8)), int(np.clip(np.ceil(high[0]), 8, size))
    return top, max(bottom, top + 8), left, max(right, left + 8)


def _dense(points, steps=4):
    """(K, 2) -> ((K - 1) steps + 1, 2), linear between."""
    at = np.linspace(0, len(points) - 1, (len(points) - 1) * steps + 1)
    whole = np.arange(len(points))
    return np.stack([np.interp(at, whole, points[:, 0]), np.interp(at, whole, points[:, 1])], 1)


def _over(below, above, share):
    """uint8 picture of `above` (uint8 or float32) over `below` (uint8)."""
    mixed = below + (above - below.astype(np.float32)) * share[..., None]
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _smooth(values):
    """0 below 0, 1 above 1, a cubic between."""
    values = np.clip(values, 0, 1)
    return values * values * (3 - 2 * values)

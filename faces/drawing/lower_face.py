"""The lower face of a frame drawn anew from other frames of the same person, with the mouth and jaw that are wanted.

Three layers (docs/methods.md, section 14; ours). The frame itself with its jaw line moved, which keeps its neck, hair and
background; over it, inside the face, the sources, each carried to the wanted landmarks and lit like the frame; over these the
lips, upper and lower each from its own field, and between them the inner mouth.
"""

import numpy as np

from faces.drawing.lips import ease, laid_over, lay_lips
from faces.drawing.relight import relit, still_skin
from faces.drawing.warp import CELLS, grid_nodes, sampled, spread, warp_maps
from faces.landmarks import eye_distance

# Lengths in eye distances (see `faces.landmarks.eye_distance`).
JAW_FADE, SIDE_FADE = 0.10, 0.28  # over which the sources fade into the frame, from the outline inwards: at chin, at ears
TOP, FULL = 0.26, 0.62  # below the eyes: where the sources begin, and where they hide the frame
NOSE_FADE = 0.10
BAND, BAND_WAY = 0.10, 2.2  # beside the jaw line what is bent with it, and the same in ways that the jaw moves
SOFT_NEAREST = 0.12  # way over which the movements of neighbouring points of the jaw mix
STILL = 0.05  # pixels: a jaw that moves less is not moved


def draw_lower_face(target, target_landmarks, wanted_landmarks, sources):
    """Draw one frame.

    Args:
        target: (S, S, 3) uint8 RGB, the frame.
        target_landmarks: (68, 2) float, its landmarks in its pixels.
        wanted_landmarks: (68, 2) float, the same with mouth and jaw as they are wanted.
        sources: [(picture (s, s, 3) uint8 RGB, landmarks (68, 2) float, weight float)], one or more; the weights sum to 1.

    Returns:
        drawn: (S, S, 3) uint8 RGB.
        mask: (S, S) float32 in [0, 1], 0 where `drawn` is the frame, byte for byte.
    """
    target_landmarks = np.asarray(target_landmarks, np.float64)
    wanted = np.asarray(wanted_landmarks, np.float64)
    size, unit = len(target), float(eye_distance(target_landmarks))
    box = _box(target_landmarks, wanted, size, unit)
    place = (slice(box[0], box[1]), slice(box[2], box[3]))
    frame = target[place]
    own, band = _own(target, target_landmarks, wanted, size, unit, box)
    inside = _inside(wanted, size, unit, box)
    lit = still_skin(wanted, size, box) * still_skin(target_landmarks, size, box)
    drawn, done = None, 0.0
    for picture, landmarks, weight in sources:
        if weight <= 0:
            continue
        made = _carried(picture, np.asarray(landmarks, np.float64), wanted, size, unit, box)
        made = relit(made, frame, lit)
        done += weight
        share = np.full(made.shape[:2], weight / done, np.float32)
        drawn = made if drawn is None else laid_over(drawn, made, share)
    result = target.copy()
    result[place] = laid_over(own, drawn, inside)
    mask = np.zeros((size, size), np.float32)
    mask[place] = np.maximum(np.minimum(inside * 4, 1), band)
    return result, mask


def _carried(picture, landmarks, wanted, size, unit, box):
    """(h, w, 3) uint8: the box of the target as the source has it."""
    upper, lower = warp_maps(landmarks, wanted, size, ("upper", "lower"))
    share = _above(grid_nodes(size), wanted, unit)[..., None].astype(np.float32)
    skin = sampled(picture, spread(lower + (upper - lower) * share, size, box))
    return lay_lips(skin, picture, landmarks, (upper, lower), wanted, size, unit, box)


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
    return ease(0.5 - y / (2 * way))


def _own(target, landmarks, wanted, size, unit, box):
    """The box of the frame with its jaw line moved, and where it differs from the frame (h, w) float32."""
    frame = target[box[0] : box[1], box[2] : box[3]]
    jaw, moved = (_dense(points).astype(np.float32) for points in (wanted[:17], wanted[:17] - landmarks[:17]))
    ways = np.hypot(moved[:, 0], moved[:, 1])
    if ways.max() < STILL:
        return frame, np.zeros(frame.shape[:2], np.float32)
    nodes = grid_nodes(size).astype(np.float32)
    along = nodes[0, :, 0, None]  # the nodes' places are the same across and down
    distance = np.sqrt((along - jaw[:, 1])[:, None] ** 2 + (along - jaw[:, 0])[None] ** 2)  # (n, n, points of the jaw)
    nearest = distance.min(-1, keepdims=True)
    weights = np.exp((nearest - distance) * np.float32(1 / (SOFT_NEAREST * unit)))
    weights /= weights.sum(-1, keepdims=True)
    shift = weights @ moved
    falls = ease(1 - nearest[..., 0] / (np.float32(BAND * unit) + np.float32(BAND_WAY) * (weights @ ways)))
    field = nodes - shift * falls[..., None]
    bent = np.minimum(np.hypot(shift[..., 0], shift[..., 1]) * falls / STILL, 1)
    band = np.clip(spread(bent, size, box), 0, 1)
    band[band < 0.02] = 0
    rows = np.flatnonzero(band.any(axis=1))
    if not len(rows):
        return frame, band
    part = slice(rows[0], rows[-1] + 1)
    bent = sampled(target, spread(field, size, (box[0] + part.start, box[0] + part.stop, *box[2:])))
    own = frame.copy()
    own[part] = laid_over(frame[part], bent, band[part])
    return own, band


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
    fade = SIDE_FADE + (JAW_FADE - SIDE_FADE) * ease((below - 0.5) / 0.8)
    inside = ease(depth / (fade * unit)) * ease((below - TOP) / (FULL - TOP))
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
    margin = BAND * unit + BAND_WAY * way + 2 * size / CELLS
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

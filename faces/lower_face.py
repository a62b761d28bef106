"""The lower face of a frame drawn anew from other frames of the same person, with the mouth and jaw that are wanted.

Three layers (docs/methods.md, section 14; ours). The frame itself with its jaw line moved, which keeps its neck, hair and
background; over it, inside the face, the sources, each carried to the wanted landmarks and lit like the frame; over these the
lips, upper and lower each from its own field, and between them the inner mouth.
"""

import numpy as np

from faces.relight import relit, still_skin
from faces.warp import (
    CELLS,
    INNER_LIPS,
    grid_nodes,
    inner_mouth_mask,
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
BAND, BAND_WAY = 0.10, 2.2  # beside the jaw line what is bent with it, and the same in ways that the jaw moves
SOFT_NEAREST = 0.12  # way over which the movements of neighbouring points of the jaw mix
MASK_EDGE = 0.03
SEAM = 0.012  # softness of the line between the lips
SPLIT, SPLIT_WAY = (0.3, 0.75), 0.3  # of a closing mouth: least and most that goes with the upper lip, and the change's way
CAVITY, CAVITY_EDGE = 0.5, 0.3  # brightness of the cavity over that of the seam; way from its border, over the gap
SEAM_ENDS = 0.15  # of the gap beside the lips, where no dark line is looked for
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
    lit = still_skin(wanted, size, box) * still_skin(target_landmarks, size, box)
    drawn, done = None, 0.0
    for picture, landmarks, weight in sources:
        if weight <= 0:
            continue
        made = _carried(picture, np.asarray(landmarks, np.float64), wanted, size, unit, box)
        made = relit(made, frame, lit)
        done += weight
        share = np.full(made.shape[:2], weight / done, np.float32)
        drawn = made if drawn is None else _over(drawn, made, share)
    if inner_mouth is not None:
        drawn = _over(drawn, inner_mouth[place], inner_mouth_mask(uncrossed(wanted), size, box))
    result = target.copy()
    result[place] = _over(own, drawn, inside)
    mask = np.zeros((size, size), np.float32)
    mask[place] = np.maximum(np.minimum(inside * 4, 1), band)
    return result, mask


def eye_distance(landmarks):
    """Unit of this module, pixels."""
    return float(np.linalg.norm(landmarks[45] - landmarks[36])) / 1.4


def _carried(picture, landmarks, wanted, size, unit, box):
    """(h, w, 3) uint8: the box of the target as the source has it."""
    upper, lower = warp_maps(landmarks, wanted, size, ("upper", "lower"))
    share = _above(grid_nodes(size), wanted, unit)[..., None].astype(np.float32)
    skin = sampled(picture, spread(lower + (upper - lower) * share, size, box))
    return _mouth(skin, picture, landmarks, (upper, lower), wanted, size, unit, box)


def _mouth(skin, picture, landmarks, fields, wanted, size, unit, box):
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
    places = [spread(field, size, small) for field in fields]
    made = _over(sampled(picture, places[1]), sampled(picture, places[0]), upper / np.maximum(upper + lower, 1e-6))
    if inner.any():
        made = _over(made, _between(places, picture, landmarks, lips, small), inner)
    centre = outer.mean(0)
    away = outer - centre
    away *= 1 + LIP_MARGIN * unit / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    over = cv2.GaussianBlur(polygon(centre + away, size, small), (0, 0), max(LIP_FADE * unit / 2, 0.5))
    place = (slice(top - box[0], bottom - box[0]), slice(left - box[2], right - box[2]))
    skin[place] = _over(skin[place], made, over)
    return skin


def _between(places, picture, landmarks, lips, box):
    """The inner mouth as the source shows it, (h, w, 3) uint8; only what lies between the lips is meant.

    Teeth keep their size: what lies under the upper lip goes with it, what lies over the lower lip with that. The seam of the
    two is the darkest line of the source's mouth. A mouth that closes covers what is too much; in one that opens further than
    the source's a cavity, darker than that line, lies in the seam.
    """
    along = lips[64] - lips[60]
    width = max(float(np.linalg.norm(along)), 1e-6)
    along = along / width
    down = np.array([-along[1], along[0]])
    scale = np.linalg.norm(lips[45] - lips[36]) / max(float(np.linalg.norm(landmarks[45] - landmarks[36])), 1e-6)
    source_gap = float(np.linalg.norm(landmarks[66] - landmarks[62])) * scale
    seam, dark = dark_seam(picture, landmarks)
    seam *= source_gap
    y, x = np.mgrid[box[0] : box[1], box[2] : box[3]].astype(np.float32)
    x, y = x - np.float32(lips[60, 0]), y - np.float32(lips[60, 1])
    at = (x * np.float32(along[0]) + y * np.float32(along[1])) / np.float32(width)
    bow = np.maximum(1 - (2 * at - 1) ** 2, np.float32(0.05))  # height of the gap there, over that in the middle
    top, gap = (lips[62] - lips[60]) @ down, max(float((lips[66] - lips[62]) @ down), 0.5)
    under = (x * np.float32(down[0]) + y * np.float32(down[1])) / bow - np.float32(top)  # the upper lip, pixels of the middle
    more = gap - source_gap
    if more <= 0:
        split = np.clip(seam / gap, *SPLIT)
        share = 1 - _smooth((under / np.float32(gap) - np.float32(split)) / np.float32(SPLIT_WAY) + np.float32(0.5))
        return sampled(picture, places[1] + (places[0] - places[1]) * share)
    wanted = np.maximum(under - np.float32(more), np.minimum(under, np.float32(seam)))
    share = np.clip((wanted - under) / np.float32(more) + 1, 0, 1)
    shown = sampled(picture, places[1] + (places[0] - places[1]) * share)
    inside = np.minimum(under - np.float32(seam), np.float32(seam + more) - under)  # of the cavity, from its border
    cavity = _smooth(inside / np.float32(CAVITY_EDGE * gap)) * np.float32(min(1.0, more / (CAVITY_EDGE * gap)))
    return _over(shown, np.broadcast_to(np.rint(dark * CAVITY).astype(np.uint8), shown.shape), cavity)


def dark_seam(picture, landmarks):
    """Where between the inner lips a picture is darkest, looked for in the middle of the mouth.

    Returns:
        float, 0 at the upper lip, 1 at the lower one; (3,) float32 colour there.
    """
    steps = np.linspace(SEAM_ENDS, 1 - SEAM_ENDS, 13)[:, None, None]
    upper, lower = landmarks[None, [61, 62, 63]], landmarks[None, [67, 66, 65]]
    colours = sampled(picture, (upper + (lower - upper) * steps).astype(np.float32)).astype(np.float32).mean(1)
    grey = np.convolve(np.pad(colours.sum(-1), 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    darkest = int(np.argmin(grey))
    return float(steps[darkest, 0, 0]), colours[darkest]


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
    falls = _smooth(1 - nearest[..., 0] / (np.float32(BAND * unit) + np.float32(BAND_WAY) * (weights @ ways)))
    field = nodes - shift * falls[..., None]
    bent = np.minimum(np.hypot(shift[..., 0], shift[..., 1]) * falls / STILL, 1)
    band = np.clip(spread(bent, size, box), 0, 1)
    band[band < 0.02] = 0
    return _over(frame, sampled(target, spread(field, size, box)), band), band


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


def _over(below, above, share):
    """(h, w, 3) uint8 of `above` over `below`, both uint8, with the weights `share` (h, w) float32."""
    import cv2

    share = np.ascontiguousarray(share, np.float32)
    return cv2.blendLinear(np.ascontiguousarray(below), np.ascontiguousarray(above), 1 - share, share)


def _smooth(values):
    """0 below 0, 1 above 1, a cubic between."""
    values = np.clip(values, 0, 1)
    return values * values * (3 - 2 * values)

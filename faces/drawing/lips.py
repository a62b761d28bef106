"""Lips, each carried by its own field, and what lies between them (docs/methods.md, section 14; ours)."""

import numpy as np

from faces.drawing.warp import INNER_LIPS, polygon, sampled, smooth_outline, spread

# Lengths in eye distances unless something else is said.
SEAM = 0.012  # softness of the line between the lips
SPLIT, SPLIT_WAY = (0.3, 0.75), 0.3  # of a closing mouth: least and most that goes with the upper lip, and the change's way
CAVITY, CAVITY_OF_LIP = 0.5, 0.3  # brightness of the cavity, at most: over that of the seam, and over that of the lips
CAVITY_EDGE = 0.3  # way of the cavity from its border, over the gap
SEAM_ENDS = 0.15  # of the gap beside the lips, where no dark line is looked for
LIP_MARGIN, LIP_FADE = 0.02, 0.05  # around the lips that are drawn from their own fields


def lay_lips(skin, picture, landmarks, fields, wanted, size, unit, box):
    """Lay lips and inner mouth over the skin; writes into `skin`.

    Args:
        skin: (h, w, 3) uint8, the box of the target that is being drawn.
        picture, landmarks: the source, (s, s, 3) uint8 with (68, 2).
        fields: (n, n, 2) of the upper and of the lower lip, see `faces.drawing.warp.warp_maps`.
        wanted: (68, 2) landmarks in the target's pixels; size: its side; unit: its eye distance, pixels.
        box: (top, bottom, left, right) in the target.

    Returns:
        `skin`.
    """
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
    made = laid_over(sampled(picture, places[1]), sampled(picture, places[0]), upper / np.maximum(upper + lower, 1e-6))
    if inner.any():
        made = laid_over(made, _between(places, picture, landmarks, lips, small), inner)
    centre = outer.mean(0)
    away = outer - centre
    away *= 1 + LIP_MARGIN * unit / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    over = cv2.GaussianBlur(polygon(centre + away, size, small), (0, 0), max(LIP_FADE * unit / 2, 0.5))
    place = (slice(top - box[0], bottom - box[0]), slice(left - box[2], right - box[2]))
    skin[place] = laid_over(skin[place], made, over)
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
    middle = (landmarks[[50, 51, 52, 56, 57, 58]] + landmarks[[61, 62, 63, 65, 66, 67]]) / 2
    lip = float(sampled(picture, middle.T[:, None].astype(np.float32)).mean())
    dark = dark * min(CAVITY, CAVITY_OF_LIP * lip / max(float(dark.mean()), 1e-6))
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
        share = 1 - ease((under / np.float32(gap) - np.float32(split)) / np.float32(SPLIT_WAY) + np.float32(0.5))
        return sampled(picture, places[1] + (places[0] - places[1]) * share)
    wanted = np.maximum(under - np.float32(more), np.minimum(under, np.float32(seam)))
    share = np.clip((wanted - under) / np.float32(more) + 1, 0, 1)
    shown = sampled(picture, places[1] + (places[0] - places[1]) * share)
    inside = np.minimum(under - np.float32(seam), np.float32(seam + more) - under)  # of the cavity, from its border
    cavity = ease(inside / np.float32(CAVITY_EDGE * gap)) * np.float32(min(1.0, more / (CAVITY_EDGE * gap)))
    return laid_over(shown, np.broadcast_to(np.rint(dark).astype(np.uint8), shown.shape), cavity)


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


def laid_over(below, above, share):
    """(h, w, 3) uint8 of `above` over `below`, both uint8, with the weights `share` (h, w) float32."""
    import cv2

    share = np.ascontiguousarray(share, np.float32)
    return cv2.blendLinear(np.ascontiguousarray(below), np.ascontiguousarray(above), 1 - share, share)


def ease(values):
    """0 below 0, 1 above 1, a cubic between."""
    values = np.clip(values, 0, 1)
    return values * values * (3 - 2 * values)

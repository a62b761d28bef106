"""Colour and light of one picture of a face brought to another's (docs/methods.md, section 14; ours)."""

import numpy as np

from faces.drawing.warp import polygon, smooth_outline
from faces.landmarks import eye_distance

COARSE = 40  # side of the grid on which light is compared
# Grey levels added to both sides of a ratio, so that noise in the dark makes no colour; in pictures darker than 24 grey levels
# a share of their mean, or a frame of a fade would come out too bright.
DARK, DARK_SHARE = 6.0, 0.25
REACH = 0.05  # of the picture's side: light is compared and carried over this way
BRIGHTER, DARKER = 3.0, 40.0  # times, at most: brightening brings out noise, darkening hides it
LOCAL = 1.35  # times brighter or darker than the picture as a whole, at most
WHOLE = 0.02  # weight of the picture as a whole against the light nearby
OVERLIT, UNLIT = 250.0, 3.0  # grey levels that tell nothing of the light


def relit(picture, target, weights):
    """Carry the light of one picture to another where both show the same place.

    Low frequencies alone are matched, as a factor for each channel; where the weights are 0 the factor is carried on smoothly
    from around.

    Args:
        picture, target: (h, w, 3) uint8 RGB, point by point the same places of a face.
        weights: (h, w) float32 in [0, 1], where both show skin that does not move.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    import cv2

    gain = light_ratio(picture, target, weights)
    if gain is None:
        return picture
    gain = cv2.resize(gain, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(picture, gain, dtype=cv2.CV_8U)


def light_ratio(picture, target, weights):
    """(n, m, 3) float32 factors on a coarse grid, see `relit`; None where no weight is left."""
    import cv2

    height, width = picture.shape[:2]
    scale = COARSE / max(height, width)
    extent = max(4, round(width * scale)), max(4, round(height * scale))
    first, second, share = (cv2.resize(each, extent, interpolation=cv2.INTER_AREA) for each in (picture, target, weights))
    first, second, share = first.astype(np.float32), second.astype(np.float32), share.astype(np.float32)
    share = share * ((first.max(-1) < OVERLIT) & (second.max(-1) < OVERLIT) & (first.max(-1) > UNLIT))
    total = float(share.sum())
    if total < 1:
        return None
    dark = min(DARK, DARK_SHARE * max(float((second.mean(-1) * share).sum()) / total, 1.0))
    ratio = np.log((second + dark) / (first + dark))
    whole = (ratio * share[..., None]).sum((0, 1)) / total
    away = np.clip(ratio - whole, -np.log(LOCAL), np.log(LOCAL))
    sigma = REACH * COARSE
    near = cv2.GaussianBlur(share, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    local = cv2.GaussianBlur(away * share[..., None], (0, 0), sigma, borderType=cv2.BORDER_CONSTANT) / (near + WHOLE)[..., None]
    return np.exp(np.clip(whole + local, -np.log(DARKER), np.log(BRIGHTER))).astype(np.float32)


def still_skin(landmarks, size, box=None):
    """Skin without mouth and eyes: cheeks, nose, upper lip and chin.

    Args:
        landmarks: (68, 2) float, pixels.
        size: side of the picture, pixels.
        box: (top, bottom, left, right) that is wanted; None for all.

    Returns:
        (S, S) float32 in [0, 1], or the box of it.
    """
    points = np.asarray(landmarks, np.float64)
    lids = points[[41, 40, 39, 27, 42, 47, 46]]
    unit = eye_distance(points)
    down = (points[33] - points[27]) / max(float(np.linalg.norm(points[33] - points[27])), 1e-6)
    middle = points[30]
    sides = middle + (points[1:16] - middle) * 0.9
    outline = np.concatenate([lids + 0.12 * unit * down, sides[::-1]])
    face = polygon(outline, size, box, finer=1)
    mouth = points[48:60]
    centre = mouth.mean(0)
    mouth = centre + (mouth - centre) * 1.35
    return face * (1 - polygon(smooth_outline(mouth, 2), size, box, finer=1))

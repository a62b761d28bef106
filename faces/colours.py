"""Colours of a drawn face brought to those of the real face over which it is laid (ours).

Two steps. A gain and an offset for each channel bring mean and contrast of the skin to those of the real face. Then a smooth
gain carries over the light that differs from place to place (`faces.drawing.relight`). Both are read on coarse grids, on skin
inside the outline of the face, without mouth and eyes: what moves there says nothing of colour.
"""

import numpy as np

from faces.crops import paste_mask
from faces.drawing.relight import DARK, OVERLIT, UNLIT, relit
from faces.drawing.warp import polygon, smooth_outline
from faces.landmarks import LEFT_EYE, RIGHT_EYE
from faces.outline import whole_face_mask

COARSE = 48  # side of the grid on which mean and contrast are compared, at most
MOST_CONTRAST = 1.6  # times more or less contrast
LIPS, EYES = 1.5, 1.8  # times the size of lips and eyes is left out
ROBUST = 2.5  # cells further off than so many times the median weigh less
ROUNDS = 4
EDGE = 0.12  # eye distances over which the weights rise from the outline inwards
LEAST_CELLS = 12


def matched(drawn, target, landmarks, weights=None):
    """A drawn face with the colours of the real one.

    Args:
        drawn: (S, S, 3) uint8 RGB, in place: the same places of a face at the same pixels (`faces.stabilise`).
        target: (S, S, 3) uint8 RGB, the crop of the source frame.
        landmarks: (68, 2) float, of the target, crop pixels.
        weights: (S, S) float32 in [0, 1], where both show skin that speech does not move; None: `skin_weights`.

    Returns:
        (S, S, 3) uint8 RGB; `drawn` itself where no skin can be compared.
    """
    import cv2

    weights = skin_weights(landmarks, len(target)) if weights is None else weights
    levels = colour_levels(drawn, target, weights)
    if levels is None:
        return drawn
    gain, offset = levels
    table = np.arange(256.0)[:, None] * gain + offset
    table = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    return relit(cv2.LUT(drawn, table[None]), target, weights)


def skin_weights(landmarks, size):
    """Skin inside the outline of a face, forehead included, without mouth and eyes.

    Args:
        landmarks: (68, 2) float, crop pixels; not finite where the place of the face was given by hand. Then the whole crop
            counts, less and less towards its border.
        size: S.

    Returns:
        (S, S) float32 in [0, 1].
    """
    points = np.asarray(landmarks, np.float64)
    if not np.isfinite(points).all():
        return paste_mask(size, "face")
    weights = whole_face_mask(points, size, way=EDGE)
    for part, times in ((points[48:60], LIPS), (points[RIGHT_EYE], EYES), (points[LEFT_EYE], EYES)):
        middle = part.mean(0)
        weights = weights * (1 - polygon(smooth_outline(middle + (part - middle) * times, 2), size, finer=1))
    return weights


def colour_levels(drawn, target, weights):
    """Gain and offset of each channel that bring the colours of one face to another's.

    They equal mean and standard deviation over the cells of a coarse grid, with robust weights. The gain stays within
    MOST_CONTRAST, and the offset brings the means together.

    Args:
        drawn, target: (S, S, 3) uint8. weights: (S, S) float32 in [0, 1].

    Returns:
        ((3,), (3,)) float64, for `gain * drawn + offset`; None where fewer than LEAST_CELLS cells can be compared.
    """
    import cv2

    side = min(COARSE, len(target))
    first, second, share = (cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA).astype(np.float64)
                            for each in (drawn, target, weights))  # fmt: skip
    told = (share > 0.05) & (np.maximum(first, second).max(-1) < OVERLIT) & (np.minimum(first.max(-1), second.max(-1)) > UNLIT)
    if told.sum() < LEAST_CELLS:
        return None
    first, second, told_weights = first[told], second[told], share[told]
    share = told_weights
    for _ in range(ROUNDS):
        mean, real_mean = (np.average(each, axis=0, weights=share) for each in (first, second))
        spread, real_spread = (np.sqrt(np.average(np.square(each - middle), axis=0, weights=share)) + DARK / 2
                               for each, middle in ((first, mean), (second, real_mean)))  # fmt: skip
        gain = np.clip(real_spread / spread, 1 / MOST_CONTRAST, MOST_CONTRAST)
        offset = real_mean - gain * mean
        away = np.abs(gain * first + offset - second).max(-1)
        share = told_weights * _trusted(away)
    return gain, offset


def _trusted(away):
    """(K,) robust weights in (0, 1] of the differences of K cells."""
    return 1 / np.maximum(away / max(ROBUST * float(np.median(away)), 1.0), 1.0)

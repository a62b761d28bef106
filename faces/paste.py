"""Laying a generated face over the frame: feathered, band by band, or with its border fitted to the frame (all inferred).

* `feather`: a weighted mean, `faces.crops.paste_mask`. Where the weights fall off, both faces show at half strength.
* `laplacian`: the same band by band, after Burt and Adelson (1983): coarse bands fade over the whole way of the feathering,
  fine ones over a few pixels, so that no detail is seen twice or halved.
* `poisson`: the face is shifted in colour so that it meets the frame at the border of what was generated, and the shift fades
  inwards: a screened Poisson equation, whose source is the face's own gradient (Perez et al. 2003 without the screen).

What lies outside the mask stays as it is, to the last bit, in all of them.
"""

import numpy as np

from common.suggest import refuse_unknown

PASTE_STYLES = ("feather", "laplacian", "poisson")
LEAST_SIDE = 8  # pixels of a pyramid's coarsest level
FINEST_WAY = 2.0  # pixels over which the finest band fades
GRID = 48  # most cells along a side of the grid on which the Poisson equation is solved
INSIDE = 0.1  # weight from which on the face counts as generated
REACH = 0.15  # of the crop's side: the shift of colour fades by a factor of e over this way
LOOK_MARGIN = 3  # rows above the first pasted one that the interpolation of the paste may look at
MOST_SHIFT = 40.0  # grey levels at the border that are evened out; more is another thing (hair, a background), not a cast


def first_row(mask):
    """First row of a drawn face that a paste with this mask looks at.

    Args:
        mask: (S, S) float32 with a weight above 0 somewhere, or None: all of the face is looked at.

    Returns:
        int in [0, S).
    """
    return 0 if mask is None else max(0, int(np.flatnonzero(mask.any(axis=1))[0]) - LOOK_MARGIN)


class Paster:
    """Lays faces over frames, all in one style.

    Args:
        style: one of PASTE_STYLES.

    Raises:
        InputError: unknown style.
    """

    def __init__(self, style="feather"):
        refuse_unknown([style], PASTE_STYLES, "paste style")
        self._style = style

    def __call__(self, crop, frame, face, mask):
        """Copy of the frame with the face laid over it.

        Args:
            crop: faces.crops.Crop, where the face belongs.
            frame: (H, W, 3) uint8 RGB.
            face: (S, S, 3) uint8 RGB.
            mask: (S, S) float32 in [0, 1], the weights of a feathered paste (`faces.crops.paste_mask`, `faces.outline`).
        """
        if self._style == "feather":
            return crop.paste(frame, face, mask)
        if self._style == "poisson":
            return crop.paste(frame, fit_border(face, crop.extract(frame), mask), effective(mask, "poisson"))
        out = frame.copy()
        lay = crop.lay(frame.shape, face, mask)
        if lay is not None:
            place, laid, weights = lay
            out[place] = blend_bands(frame[place], laid, weights)
        return out


def effective(mask, style):
    """Weights (S, S) float32 with which a face is seen in the end: a fitted border can be steeper than the feathered one."""
    return np.clip((mask - 0.05) / 0.45, 0, 1) if style == "poisson" else mask


def blend_bands(frame, face, weights):
    """Blend two pictures band by band.

    Args:
        frame, face: (h, w, 3) uint8.
        weights: (h, w) float32 in [0, 1] of the face; their steepest place decides over how many pixels the coarsest band
            fades.

    Returns:
        (h, w, 3) uint8; `frame` to the last bit where the weights are 0.
    """
    import cv2

    # The pyramid of a blend is linear in the difference of the two pictures, so one pyramid does for both.
    rest, share = face.astype(np.float32) - frame, np.ascontiguousarray(weights, np.float32)
    way = 1 / max(*(float(np.abs(np.diff(share, axis=axis)).max(initial=0)) for axis in (0, 1)), 1e-6)
    bands, fade = [], FINEST_WAY
    while fade < way and min(share.shape) >= 2 * LEAST_SIDE:
        extent = share.shape[::-1]
        coarse = cv2.pyrDown(rest)
        steep = np.clip(0.5 + (share - 0.5) * (way / fade), 0, 1)
        bands.append((rest - cv2.pyrUp(coarse, dstsize=extent)) * steep[..., None])
        rest, share, fade = coarse, cv2.pyrDown(share), 2 * fade
    change = rest * share[..., None]
    for band in reversed(bands):
        change = cv2.pyrUp(change, dstsize=band.shape[1::-1]) + band
    change[weights <= 0] = 0
    return np.clip(np.rint(frame + change), 0, 255).astype(np.uint8)


def fit_border(face, real, mask):
    """A face shifted in colour so that it meets the real one at the border of the mask: a screened Poisson equation on a grid.

    Args:
        face, real: (S, S, 3) uint8.
        mask: (S, S) float32; what weighs at least INSIDE is shifted, and the cells around it are the border.

    Returns:
        (S, S, 3) uint8.
    """
    import cv2

    side = min(GRID, len(mask))
    inside = _shrunk(mask, side) >= INSIDE
    inside[[0, -1]] = inside[:, [0, -1]] = False  # each cell has four neighbours
    asked = np.clip(_shrunk(real.astype(np.float32) - face, side), -MOST_SHIFT, MOST_SHIFT)
    shift = cv2.resize(_membrane(inside, asked), (len(face), len(face)), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(face + shift), 0, 255).astype(np.uint8)


def _membrane(inside, asked):
    """(n, n, 3) float32: `asked` in the cells next to those `inside` (n, n) bool, carried inwards; 0 elsewhere."""
    from scipy.linalg import solveh_banded

    shift = np.zeros(asked.shape, np.float32)
    if not inside.any():
        return shift
    near = np.zeros_like(inside)
    near[1:] |= inside[:-1]
    near[:-1] |= inside[1:]
    near[:, 1:] |= inside[:, :-1]
    near[:, :-1] |= inside[:, 1:]
    border = near & ~inside
    shift[border] = asked[border]
    rows, columns = (slice(at.min(), at.max() + 1) for at in np.nonzero(inside))
    within, wide = inside[rows, columns], columns.stop - columns.start
    source = np.zeros((*within.shape, 3))
    for down, along in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        source += shift[rows.start + down : rows.stop + down, columns.start + along : columns.stop + along]
    bands = np.zeros((wide + 1, within.size))  # the matrix below its diagonal; a cell that is not inside stands for itself
    bands[0] = np.where(within, 4 + (REACH * len(inside)) ** -2, 1).ravel()
    if wide > 1:
        bands[1].reshape(within.shape)[:, :-1] -= within[:, :-1] & within[:, 1:]
    bands[wide].reshape(within.shape)[:-1] -= within[:-1] & within[1:]
    solved = solveh_banded(bands, (source * within[..., None]).reshape(-1, 3), lower=True).reshape(source.shape)
    shift[rows, columns][within] = solved[within]
    return shift


def _shrunk(values, side):
    """(S, S[, C]) float32 -> (side, side[, C])."""
    import cv2

    return cv2.resize(values, (side, side), interpolation=cv2.INTER_AREA)

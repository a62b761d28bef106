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
    """Lays faces over frames, all with one mask and in one style.

    Args:
        mask: (S, S) float32 in [0, 1], the weights of a feathered paste (`faces.crops.paste_mask`).
        style: one of PASTE_STYLES.

    Raises:
        InputError: unknown style.
    """

    def __init__(self, mask, style="feather"):
        refuse_unknown([style], PASTE_STYLES, "paste style")
        self._mask, self._style = mask, style
        self._membrane = _Membrane(mask) if style == "poisson" else None
        self._steep = np.clip((mask - 0.05) / 0.45, 0, 1)

    def __call__(self, crop, frame, face):
        """Copy of the frame with the face laid over it.

        Args:
            crop: AlignedCrop or BoxCrop, where the face belongs.
            frame: (H, W, 3) uint8 RGB.
            face: (S, S, 3) uint8 RGB.
        """
        if self._style == "feather":
            return crop.paste(frame, face, self._mask)
        if self._style == "poisson":
            return crop.paste(frame, self._membrane.fit(face, crop.extract(frame)), self._steep)
        out = frame.copy()
        lay = crop.lay(frame.shape, face, self._mask)
        if lay is not None:
            place, laid, weights = lay
            out[place] = blend_bands(frame[place], laid, weights)
        return out


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


class _Membrane:
    """The screened Poisson equation on a grid over the crop: what the border asks for, carried inwards by one matrix product.

    Args:
        mask: (S, S) float32.
    """

    def __init__(self, mask):
        side = self._side = min(GRID, len(mask))
        inside = _shrunk(mask, side) >= INSIDE
        inside[[0, -1]] = inside[:, [0, -1]] = False  # each cell has four neighbours
        self._inside = inside
        number = np.full(inside.shape, -1)
        number[inside] = np.arange(inside.sum())
        rows, columns = np.nonzero(inside)
        near = np.zeros_like(inside)
        edges = []
        for down, along in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            edges.append((rows + down, columns + along))
            near[edges[-1]] = True
        self._border = near & ~inside
        number[self._border] = np.arange(self._border.sum())
        stiffness = np.eye(len(rows)) * (4 + (REACH * side) ** -2)
        source = np.zeros((len(rows), int(self._border.sum())))
        for other in edges:
            within = inside[other]
            stiffness[np.flatnonzero(within), number[other][within]] -= 1
            source[np.flatnonzero(~within), number[other][~within]] += 1
        self._carry = np.linalg.solve(stiffness, source).astype(np.float32)

    def fit(self, face, real):
        """(S, S, 3) uint8 `face`, shifted so that it meets `real` (S, S, 3) uint8 at the border of the mask."""
        import cv2

        asked = _shrunk(real.astype(np.float32) - face, self._side)
        shift = np.zeros_like(asked)
        shift[self._border] = np.clip(asked[self._border], -MOST_SHIFT, MOST_SHIFT)
        shift[self._inside] = self._carry @ shift[self._border]
        shift = cv2.resize(shift, (len(face), len(face)), interpolation=cv2.INTER_LINEAR)
        return np.clip(np.rint(face + shift), 0, 255).astype(np.uint8)


def _shrunk(values, side):
    """(S, S[, C]) float32 -> (side, side[, C])."""
    import cv2

    return cv2.resize(values, (side, side), interpolation=cv2.INTER_AREA)

"""A drawn face held still: a similarity transform registers its upper half to the real face (ours).

A generator that was taught with crops whose scale trembles draws faces whose scale trembles. The registration compares grey
levels alone, so no landmark detector has to run on drawn faces. It looks at the face above the base of the nose, because mouth
and jaw are what the drawn face does differently. The method is Gauss-Newton in the inverse compositional form (Baker and
Matthews, 2004) with robust weights; brightness and contrast are fitted beside the transform, and both pictures are blurred
a little, since drawn faces are softer than real ones.
"""

import numpy as np

from faces.landmarks import CANONICAL_STABLE, JAW, STABLE, apply_affine, fit_similarity
from faces.outline import whole_face_mask

EYES_APART = 40.0  # pixels of an eye distance in the picture that is registered, at most
COARSE = 3.0  # the first pass runs on a picture that is so many times smaller
SOFTENED = 1.2  # standard deviation of the blur, pixels of the picture that is registered
SOFTER = (0.0, 0.6, 0.9, 1.2, 1.6, 2.0, 2.5)  # blurs that are tried on the sharper picture, or the scale would come out wrong
BOTTOM = 0.72  # eye distances below the eyes: the base of the nose
WAY = 0.15  # eye distances over which the weights rise from the outline inwards
MOST_STEPS, STILL = 12, 0.01  # steps of a pass; it ends when no corner moves further than this many pixels
ROBUST = 2.5  # residuals above so many times their median weigh less
# The rule of plausibility. Crops of one face differ by less than this.
MOST_SCALE, MOST_ROLL, MOST_SHIFT = 1.15, 12.0, 0.35  # times larger or smaller; degrees; eye distances between the eyes
LEAST_CORRELATION, LOST = 0.5, 0.01  # of the grey levels after registration; below what it was before
LEAST_PIXELS = 200  # with a weight, in the picture that is registered
LEAST_SIDE = 24  # of the whole crop in the smallest picture
UPPER_FACE = 2.5  # squared eye distances of the face above the base of the nose, to read the eye distance off given weights


def stabilised(drawn, target, landmarks):
    """A drawn face moved, turned and scaled so that its upper half lies on that of the real face.

    Args:
        drawn: (S, S, 3) uint8 RGB.
        target: (S, S, 3) uint8 RGB, the crop of the source frame over which the face will be laid.
        landmarks: (68, 2) float, of the target, crop pixels; or (S, S) float weights of what is compared.

    Returns:
        (S, S, 3) uint8 RGB: `drawn` interpolated once (cubic, the border repeated); `drawn` itself where `registration` finds
        no plausible transform.
    """
    matrix = registration(drawn, target, landmarks)
    return drawn if matrix is None else warped(drawn, matrix)


def warped(drawn, matrix):
    """A face (S, S, 3) uint8 RGB moved by what `registration` has found, (2, 3): interpolated once, the border repeated."""
    import cv2

    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(drawn, matrix, drawn.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def registration(drawn, target, landmarks):
    """The similarity transform that carries pixels of the target to the same places of the drawn face.

    It counts as implausible, and is None, where it scales more than MOST_SCALE times either way, turns more than MOST_ROLL
    degrees, or moves the point between the eyes further than MOST_SHIFT eye distances; where the grey levels correlate below
    LEAST_CORRELATION after it, or by LOST less than before it; where fewer than LEAST_PIXELS pixels can be compared; and where
    the landmarks are not finite, because the place of the face was given by hand.

    Args:
        drawn, target, landmarks: as of `stabilised`.

    Returns:
        (2, 3) float64, or None.
    """
    size = len(target)
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape == (68, 2) and not np.isfinite(landmarks[list(STABLE)]).all():
        return None
    unit, middle = _face_of(landmarks, size)
    side = min(size, max(LEAST_SIDE, round(size * EYES_APART / unit)))
    weights = _upper_face(landmarks, size, side)
    matrix, level = np.eye(2, 3), None
    for extent in (max(LEAST_SIDE, round(side / COARSE)), side):
        level = _Level(drawn, target, weights, extent)
        if level.pixels < LEAST_PIXELS * (extent / side) ** 2:
            return None
        if extent == side:
            level.equal_blur(matrix)
        matrix = level.refined(matrix)
        if matrix is None or not _plausible(matrix, middle, unit):
            return None
    after = level.correlation(matrix)
    return matrix if after >= max(LEAST_CORRELATION, level.correlation(np.eye(2, 3)) - LOST) else None


def _plausible(matrix, middle, unit):
    scale, roll = float(np.hypot(matrix[0, 0], matrix[1, 0])), float(np.arctan2(matrix[1, 0], matrix[0, 0]))
    moved = float(np.linalg.norm(apply_affine(matrix, middle[None])[0] - middle))
    return 1 / MOST_SCALE <= scale <= MOST_SCALE and abs(np.rad2deg(roll)) <= MOST_ROLL and moved <= MOST_SHIFT * unit


def _face_of(landmarks, size):
    """(pixels of an eye distance, the point between the eyes (2,)) of landmarks, or of weights (S, S)."""
    if landmarks.shape == (size, size):
        total = max(float(landmarks.sum()), 1e-9)
        middle = np.array([landmarks.sum(0) @ np.arange(size), landmarks.sum(1) @ np.arange(size)]) / total
        return max(float(np.sqrt(total / UPPER_FACE)), 1.0), middle
    pose = fit_similarity(CANONICAL_STABLE, landmarks[list(STABLE)])
    return max(float(np.hypot(pose[0, 0], pose[1, 0])), 1e-6), pose[:, 2]


def _upper_face(landmarks, size, side):
    """(n, n) float32 weights of the upper face in the picture of n = `side` pixels."""
    import cv2

    if landmarks.shape == (size, size):
        return cv2.resize(landmarks.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    landmarks = (landmarks + 0.5) * (side / size) - 0.5
    pose = fit_similarity(CANONICAL_STABLE, landmarks[list(STABLE)])
    unit = max(float(np.hypot(pose[0, 0], pose[1, 0])), 1e-6)
    (right, down), (x, y) = pose[:, 1] / unit, pose[:, 2]
    along = np.arange(side, dtype=np.float32)
    below = (along - x) * right + ((along - y) * down)[:, None]
    face = whole_face_mask(landmarks, side, way=WAY) if np.isfinite(landmarks[JAW]).all() else np.ones_like(below)
    return face * np.clip((BOTTOM * unit - below) / (WAY * unit), 0, 1).astype(np.float32)


class _Level:
    """One resolution of the registration; matrices go from target to drawn, in pixels of the full crop."""

    def __init__(self, drawn, target, weights, side):
        import cv2

        drawn, real = (cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA) for each in (drawn, target))
        weights = cv2.resize(weights, (side, side), interpolation=cv2.INTER_AREA)
        rows, columns = np.flatnonzero(weights.any(axis=1)), np.flatnonzero(weights.any(axis=0))
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else np.s_[:4, :4]
        self._drawn, self._real, self._weights = _grey(drawn), _grey(real)[part].copy(), weights[part].copy()
        self._extent = self._weights.shape[::-1]
        self._to_drawn = _pixels(side / len(target), (0, 0))
        self._to_real = _pixels(side / len(target), (part[1].start or 0, part[0].start or 0))
        self.pixels = int((self._weights > 0.1).sum())

    def equal_blur(self, matrix):
        """Blur the sharper one of the two pictures until both have the same share of strong slopes, under a transform."""
        import cv2

        share, shown = self._weights, self._shown(self._inwards(matrix))
        real, drawn = (_sharpness(picture, share) for picture in (self._real, shown))
        sharper = self._real if real > drawn else shown
        tried = [_sharpness(sharper if not blur else cv2.GaussianBlur(sharper, (0, 0), blur), share) for blur in SOFTER]
        blur = float(np.interp(-min(real, drawn), -np.array(tried), np.square(SOFTER))) ** 0.5
        if blur < SOFTER[1] / 2:
            return
        if real > drawn:
            self._real = cv2.GaussianBlur(self._real, (0, 0), blur)
        else:
            self._drawn = cv2.GaussianBlur(self._drawn, (0, 0), blur)

    def refined(self, matrix):
        """The transform after at most MOST_STEPS steps from (2, 3) `matrix`; None where nothing can be solved."""
        import cv2

        width, height = self._extent
        across, along = (cv2.Sobel(self._real, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
        x, y = np.arange(width) - (width - 1) / 2, np.arange(height)[:, None] - (height - 1) / 2
        unit = max(width, height) / 2  # parameters of a like size keep the equations well conditioned
        slopes = np.stack([(x * across + y * along) / unit, (x * along - y * across) / unit, across, along,
                           np.ones_like(across), self._real / 64], -1).reshape(-1, 6).astype(np.float32)  # fmt: skip
        share, centre = self._weights.ravel(), np.array([(width - 1) / 2, (height - 1) / 2])
        real = self._real.ravel()
        place = self._inwards(matrix)
        for _ in range(MOST_STEPS):
            shown = self._shown(place).ravel()
            gain, offset = _levels(shown, real, share)
            away = gain * shown + offset - real
            spread = ROBUST * max(float(np.median(np.abs(away[share > 0.1]))), 0.5)
            weighted = slopes * (share / np.maximum(np.abs(away) / spread, 1))[:, None]
            equations = weighted.T @ slopes
            equations[np.diag_indices(6)] += 1e-6 * np.trace(equations)
            try:
                a, b, dx, dy, _, _ = np.linalg.solve(equations.astype(np.float64), weighted.T @ away).tolist()
            except np.linalg.LinAlgError:
                return None
            a, b = a / unit, b / unit
            step = np.array([[1 + a, -b, 0], [b, 1 + a, 0]])
            step[:, 2] = centre + (dx, dy) - step[:, :2] @ centre
            place = place @ np.linalg.inv(np.vstack([step, (0, 0, 1)]))
            if not np.isfinite(place).all():
                return None
            if np.hypot(a, b) * unit * 1.5 + np.hypot(dx, dy) < STILL:
                break
        return self._outwards(place)

    def correlation(self, matrix):
        """Weighted correlation of the grey levels under a transform."""
        shown, real, share = self._shown(self._inwards(matrix)).ravel(), self._real.ravel(), self._weights.ravel()
        shown, real = shown - np.average(shown, weights=share), real - np.average(real, weights=share)
        return float((share * shown) @ real / max(np.sqrt(float((share * shown) @ shown) * float((share * real) @ real)), 1e-6))

    def _shown(self, place):
        import cv2

        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(self._drawn, place[:2], self._extent, flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def _inwards(self, matrix):
        """The same transform from the pixels of the small target part to those of the small drawn face."""
        return self._to_drawn @ np.vstack([matrix, (0, 0, 1)]) @ np.linalg.inv(self._to_real)

    def _outwards(self, place):
        return (np.linalg.inv(self._to_drawn) @ place @ self._to_real)[:2]


def _pixels(zoom, corner):
    """(3, 3) from pixels of the crop to those of the crop resized by `zoom`, counted from its pixel `corner`; centres kept."""
    shift = 0.5 * zoom - 0.5 - np.asarray(corner, np.float64)
    return np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]], [0, 0, 1]])


def _grey(picture):
    """(h, w, 3) uint8 -> (h, w) float32, blurred."""
    import cv2

    return cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), SOFTENED)


def _sharpness(picture, share):
    """Mean squared slope of grey levels (h, w) over their variance, both with the weights (h, w)."""
    total = float(share.sum())
    mean = float((picture * share).sum()) / total
    steep = (np.square(np.diff(picture, axis=1)) * share[:, 1:]).sum() + (np.square(np.diff(picture, axis=0)) * share[1:]).sum()
    return float(steep) / max(float((np.square(picture - mean) * share).sum()), 1e-6)


def _levels(shown, real, share):
    """(gain, offset) that bring mean and standard deviation of grey levels to those of the real ones."""
    total = float(share.sum())
    mean, real_mean = float(share @ shown) / total, float(share @ real) / total
    spread, real_spread = float(share @ (shown - mean) ** 2), float(share @ (real - real_mean) ** 2)
    gain = np.sqrt(real_spread / max(spread, 1e-6)) if spread > 1e-6 else 1.0
    return gain, real_mean - gain * mean

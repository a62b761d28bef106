"""What a frame of a face looks like beside the others of its video: sharp, uncovered, lit alike (ours)."""

from dataclasses import dataclass

import numpy as np

from faces.landmarks import CANONICAL_STABLE, STABLE, fit_similarity

SIDE = 48  # pixels of the small picture of a lower face
LEFT, TOP, WIDTH = -0.9, 0.15, 1.8  # what it shows, in canonical eye distances
BLURRED = 0.6  # of the usual sharpness
COVERED = 0.30  # of the skin's brightness: how far the skin beside the mouth looks otherwise than usual, mean
LIT = 1.35  # times brighter or darker than usual
ALIKE = 0.22  # mean difference of two shots' usual looks that still are one person in one light
LEAST = 5  # frames from which "usual" can be told


@dataclass(frozen=True)
class Looks:
    """Measures of n frames.

    Attributes:
        small: (n, SIDE, SIDE, 3) float32, the lower face in the canonical place, over its mean brightness.
        light: (n,) float, mean grey level of the skin.
        detail: (n,) float, mean absolute Laplacian of the lower face over its brightness, at the picture's own resolution.
    """

    small: np.ndarray
    light: np.ndarray
    detail: np.ndarray

    @staticmethod
    def of(pictures, landmarks):
        """Measure (n, S, S, 3) uint8 pictures with (n, 68, 2) landmarks in their pixels."""
        import cv2

        zoom = SIDE / WIDTH
        lay = np.array([[zoom, 0, -LEFT * zoom - 0.5], [0, zoom, -TOP * zoom - 0.5]])
        small, light, detail = [], [], []
        for picture, points in zip(pictures, np.asarray(landmarks, np.float64), strict=True):
            fit = fit_similarity(points[list(STABLE)], CANONICAL_STABLE)
            matrix = lay[:, :2] @ fit
            matrix[:, 2] += lay[:, 2]
            scale = 1 / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-6)
            smooth = cv2.GaussianBlur(picture, (0, 0), scale / 3) if scale > 1.5 else picture
            crop = cv2.warpAffine(smooth, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            mean = max(float(crop.mean()), 1.0)
            small.append(crop / np.float32(mean))
            light.append(mean)
            detail.append(_detail(picture, points) / mean)
        return Looks(np.stack(small), np.array(light), np.array(detail))

    def good(self, own):
        """(n,) bool: which of the frames `own` (n,) int are sharp, uncovered and lit as these frames usually are.

        One is always kept: the most usual. With fewer than LEAST nothing is usual, and all are kept.
        """
        if len(own) < LEAST:
            return np.ones(len(own), bool)
        small, light, detail = self.small[own], self.light[own], self.detail[own]
        strange = _strangeness(small)
        kept = strange <= COVERED
        bright = np.median(light[kept]) if kept.any() else np.median(light)
        kept &= np.abs(np.log(light / bright)) <= np.log(LIT)
        kept &= detail >= BLURRED * (np.median(detail[kept]) if kept.any() else np.median(detail))
        if not kept.any():
            kept[np.argmin(strange)] = True
        return kept


def same_looks(looks, shots):
    """{number of a shot: number of the first shot that looks the same}, for the shots (n,) int of n frames."""
    merged, usual = {}, {}
    for shot in np.unique(shots):
        mine = np.median(looks.small[shots == shot], axis=0)
        light = float(np.median(looks.light[shots == shot]))
        for other, (theirs, their_light) in usual.items():
            apart = float((np.abs(mine - theirs).mean(-1) * _skin()).sum() / _skin().sum())
            if apart < ALIKE and abs(np.log(light / their_light)) < np.log(LIT):
                merged[int(shot)] = other
                break
        else:
            usual[int(shot)] = mine, light
            merged[int(shot)] = int(shot)
    return merged


def _strangeness(small):
    """(n,) mean difference from the median over the skin beside the mouth."""
    away = np.abs(small - np.median(small, axis=0)).mean(-1) * _skin()
    return away.sum((1, 2)) / _skin().sum()


def _skin():
    """(SIDE, SIDE) float32: cheeks, upper lip and chin of the small picture, without the lips."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    x, y = LEFT + (x + 0.5) * WIDTH / SIDE, TOP + (y + 0.5) * WIDTH / SIDE
    face = (np.abs(x) < 0.62 - 0.25 * np.clip(y - 0.9, 0, 1)) & (y > 0.35) & (y < 1.6)
    return face.astype(np.float32)


def _detail(picture, points):
    """Mean absolute Laplacian of the grey levels in the box of the lower face."""
    import cv2

    height, width = picture.shape[:2]
    left, top = np.clip(np.floor(points[[3, 13, 30, 8]].min(0)).astype(int), 0, (width - 4, height - 4))
    right, bottom = np.clip(np.ceil(points[[3, 13, 30, 8]].max(0)).astype(int), (left + 4, top + 4), (width, height))
    grey = cv2.cvtColor(picture[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean())

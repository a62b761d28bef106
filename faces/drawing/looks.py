"""What a frame of a face looks like beside the others of its video: sharp, uncovered, lit alike (ours)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from faces.drawing.warp import polygon
from faces.landmarks import CANONICAL_STABLE, STABLE, fit_similarity

SIDE = 48  # pixels of the small picture of a lower face
LEFT, TOP, WIDTH = -0.9, 0.15, 1.8  # what it shows, in canonical eye distances
BLURRED = 0.6  # of the usual sharpness
COVERED, TIMES_USUAL = 0.12, 2.5  # of the skin's brightness: how far skin beside the mouth may look otherwise, and how far
# beside the usual distance of uncovered frames, which is large where the head turns
LIT = 1.35  # times brighter or darker than usual
LEAST = 5  # frames from which "usual" can be told


@dataclass(frozen=True)
class Looks:
    """Measures of n frames.

    Attributes:
        small: (n, SIDE, SIDE, 3) float32, the lower face in the canonical place, over its mean brightness.
        light: (n,) float, mean grey level of the skin.
        detail: (n,) float, mean absolute Laplacian of the lower face over its brightness, at the picture's own resolution.
        lips: (n,) float, how far the colour of the lips differs from that of the skin around, over the brightness.
    """

    small: np.ndarray
    light: np.ndarray
    detail: np.ndarray
    lips: np.ndarray

    @staticmethod
    def of(pictures, landmarks):
        """Measure (n, S, S, 3) uint8 pictures with (n, 68, 2) landmarks in their pixels."""
        small, light, detail, lips = [], [], [], []
        for picture, points in zip(pictures, np.asarray(landmarks, np.float64), strict=True):
            look, mean, placed = small_picture(picture, points)
            small.append(look)
            light.append(mean)
            detail.append(_detail(picture, points) / mean)
            lips.append(_lips(look, placed))
        return Looks(np.stack(small), np.array(light), np.array(detail), np.array(lips))

    def good(self, own):
        """(n,) bool: which of the frames `own` (n,) int are sharp, uncovered and lit as the best of these frames are.

        What lies over a mouth has no lips, so the usual look is the median of the quarter whose lips stand out most; well lit
        are the brighter ones. One frame is always kept: the most usual. With fewer than LEAST nothing is usual: all are kept.
        """
        if len(own) < LEAST:
            return np.ones(len(own), bool)
        small, light, detail, lips = self.small[own], self.light[own], self.detail[own], self.lips[own]
        best = np.argsort(-lips, kind="stable")[: max(3, len(own) // 4)]
        strange = _apart(small, np.median(small[best], axis=0))
        kept = strange <= max(COVERED, TIMES_USUAL * float(np.median(strange[best])))
        if kept.any():
            kept &= np.abs(np.log(light / np.percentile(light[kept], 80))) <= np.log(LIT)
            kept &= detail >= BLURRED * np.median(detail[kept])
        kept[np.argmin(strange)] |= not kept.any()
        return kept

    def blur(self, own):
        """(n,) float: how much less sharp the frames `own` (n,) int are than the usual one of them; 0 for sharper ones."""
        detail = self.detail[own]
        return np.maximum(-np.log(np.maximum(detail, 1e-6) / max(float(np.median(detail)), 1e-6)), 0)


def small_picture(picture, landmarks):
    """The lower face in the canonical place, over its brightness.

    Args:
        picture: (S, S, 3) uint8 RGB.
        landmarks: (68, 2) float, in its pixels.

    Returns:
        (SIDE, SIDE, 3) float32; float mean grey level; (68, 2) landmarks in the small picture.
    """
    import cv2

    zoom = SIDE / WIDTH
    fit = fit_similarity(landmarks[list(STABLE)], CANONICAL_STABLE) * zoom
    fit[:, 2] -= (LEFT * zoom + 0.5, TOP * zoom + 0.5)
    shrink = min(1.0, float(np.hypot(fit[0, 0], fit[1, 0])) * 1.5)
    if shrink < 1:
        extent = [max(8, round(side * shrink)) for side in picture.shape[1::-1]]
        picture = cv2.resize(picture, extent, interpolation=cv2.INTER_AREA)
    matrix = fit.copy()
    matrix[:, :2] /= shrink
    matrix[:, 2] += matrix[:, :2] @ np.full(2, 0.5 - 0.5 * shrink)  # pixel centres, before and after shrinking
    crop = cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mean = max(float(crop.mean()), 1.0)
    return crop / np.float32(mean), mean, landmarks @ fit[:, :2].T + fit[:, 2]


def nearest_look(small, others):
    """Least difference of a small picture from `others` (n, SIDE, SIDE, 3), over the skin beside the mouth."""
    return float(_apart(others, small).min())


def _apart(first, second):
    """(n,) mean difference of small pictures over the skin beside the mouth."""
    skin = _skin()
    return (np.abs(first - second).mean(-1) * skin).sum((-1, -2)) / skin.sum()


@lru_cache(maxsize=1)
def _skin():
    """(SIDE, SIDE) float32: cheeks, upper lip and chin of the small picture, without the lips."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    x, y = LEFT + (x + 0.5) * WIDTH / SIDE, TOP + (y + 0.5) * WIDTH / SIDE
    lips = (x / 0.42) ** 2 + ((y - 1.1) / 0.2) ** 2 < 1
    face = ~lips & (np.abs(x) < 0.62 - 0.25 * np.clip(y - 0.9, 0, 1)) & (y > 0.35) & (y < 1.6)
    return face.astype(np.float32)


def _lips(small, points):
    """Difference in colour between the lips and a ring around them, in a small picture with its landmarks (68, 2)."""
    outer = points[48:60]
    around = outer.mean(0) + (outer - outer.mean(0)) * 1.5
    whole = polygon(outer, SIDE)
    lips = whole * (1 - polygon(points[60:68], SIDE))
    ring = polygon(around, SIDE) * (1 - whole)
    first, second = ((small * share[..., None]).sum((0, 1)) / max(float(share.sum()), 1e-6) for share in (lips, ring))
    return float(np.linalg.norm(first - second))


def _detail(picture, points):
    """Mean absolute Laplacian of the grey levels in the box of the lower face."""
    import cv2

    height, width = picture.shape[:2]
    left, top = np.clip(np.floor(points[[3, 13, 30, 8]].min(0)).astype(int), 0, (width - 4, height - 4))
    right, bottom = np.clip(np.ceil(points[[3, 13, 30, 8]].max(0)).astype(int), (left + 4, top + 4), (width, height))
    grey = cv2.cvtColor(picture[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean())

"""Windows: upright squares of whole frame pixels about the face, cut out and laid back without resampling.

Whoever draws with the person's own pixels wants each of them sampled once. A window is as large as the largest face of the
track, so all windows of a video have one size. It lies about the stable points, and neither jaw nor lips move it.
"""

from dataclasses import dataclass

import numpy as np

from faces.laying import paste
from faces.tracking.smoothing import smooth_poses

# In eye distances from the point between the eyes: eyes to the chin of a wide open mouth, ear to ear.
EXTENT = np.array([(-1.3, -0.45), (1.3, -0.45), (1.3, 2.3), (-1.3, 2.3)])
MIDDLE = EXTENT.mean(0)
LARGEST = 640  # pixels; a larger window is shrunk by a whole factor
STEP = 8  # sides are multiples of it
CALM = 5  # frames; the size of a face is the median over so many, so that one bad frame does not count
LEAST = 16  # pixels


@dataclass(frozen=True)
class WindowCrop:
    """An upright square of whole pixels, which may reach beyond the frame; its border is repeated there.

    Attributes:
        left, top: frame pixels of its first column and row.
        size: S, side in crop pixels.
        factor: frame pixels of a crop pixel's side; 1: the frame's own pixels.
    """

    left: int
    top: int
    size: int
    factor: int = 1

    @property
    def matrix(self):
        """(2, 3) float64, frame pixel -> crop pixel, pixel centres at whole numbers."""
        first = np.array([self.left, self.top]) + (self.factor - 1) / 2
        return np.array([[1, 0, -first[0]], [0, 1, -first[1]]]) / self.factor

    @property
    def smear(self):
        """Crop pixels by which laying it back spreads its weights."""
        return 0.0 if self.factor == 1 else 2.5

    def extract(self, frame):
        """(H, W, 3) uint8 -> (S, S, 3) uint8, an own copy; shrunk by area where `factor` says so."""
        import cv2

        height, width = frame.shape[:2]
        side = self.size * self.factor
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + side, height), min(self.left + side, width)
        if bottom - top == side and right - left == side:
            square = frame[top:bottom, left:right]
        else:
            rows = np.clip(np.arange(self.top, self.top + side), 0, height - 1)
            columns = np.clip(np.arange(self.left, self.left + side), 0, width - 1)
            square = frame[rows[:, None], columns]
        if self.factor == 1:
            return np.ascontiguousarray(square) if square.base is None else square.copy()
        return cv2.resize(square, (self.size, self.size), interpolation=cv2.INTER_AREA)

    def corners(self):
        """(4, 2) float64 frame coordinates of the outer corners, clockwise from the top left."""
        side = self.size * self.factor
        square = np.array([(0, 0), (side, 0), (side, side), (0, side)], np.float64)
        return square + (self.left, self.top) - 0.5

    def lay(self, shape, face, mask):
        """As AlignedCrop.lay; the pixels of `face` are those of the result where `factor` is 1."""
        import cv2

        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return None
        border = 0 if self.factor == 1 else 2
        first = np.maximum([rows[0] - border, columns[0] - border], 0)
        last = np.minimum([rows[-1] + border, columns[-1] + border], self.size - 1) + 1
        part = slice(first[0], last[0]), slice(first[1], last[1])
        face, mask = face[part], mask[part]
        if self.factor > 1:
            extent = (face.shape[1] * self.factor, face.shape[0] * self.factor)
            face = cv2.resize(face, extent, interpolation=cv2.INTER_CUBIC)
            mask = cv2.resize(mask, extent, interpolation=cv2.INTER_LINEAR)
        top, left = self.top + int(first[0]) * self.factor, self.left + int(first[1]) * self.factor
        height, width = mask.shape
        inside = slice(max(0, -top), min(height, shape[0] - top)), slice(max(0, -left), min(width, shape[1] - left))
        if inside[0].stop <= inside[0].start or inside[1].stop <= inside[1].start:
            return None
        place = tuple(slice(at + one.start, at + one.stop) for at, one in zip((top, left), inside, strict=True))
        return place, face[inside], mask[inside]

    def paste(self, frame, face, mask):
        """Copy of `frame` with `face` (S, S, 3) uint8 laid back where it was, weighted by `mask` (S, S) float32 in [0, 1]."""
        return paste(self.lay(frame.shape, face, mask), frame)


def plan_windows(track, poses, largest=LARGEST, sigma=0.0):
    """One window for each frame of a track, all of one size.

    Args:
        track: FaceTrack.
        poses: (N, 4) float a, b, x, y: the similarity [[a, -b, x], [b, a, y]], canonical -> frame; NaN without a face.
        largest: pixels; a side above it is divided by a whole factor.
        sigma: frames, width of the kernel that smooths the windows' path, see `faces.tracking.smoothing.smooth_poses`.

    Returns:
        list of N WindowCrop, None where there is no face.
    """
    plan, runs = [None] * len(poses), track.runs()
    side = max((_side(poses[start:end]) for start, end in runs), default=0.0)
    factor = max(1, int(np.ceil(side / max(largest, LEAST))))
    size = max(LEAST, STEP * int(np.ceil(side / factor / STEP)))
    for start, end in runs:
        for number, (a, b, x, y) in enumerate(smooth_poses(poses[start:end], EXTENT, sigma), start):
            middle = np.array([[a, -b], [b, a]]) @ MIDDLE + (x, y)
            left, top = np.rint(middle - (size * factor - 1) / 2).astype(int)
            plan[number] = WindowCrop(int(left), int(top), size, factor)
    return plan


def _side(poses):
    """Frame pixels of the side that holds EXTENT in each of a run of frames."""
    a, b = poses[:, 0, None], poses[:, 1, None]
    x, y = EXTENT.T
    turned = np.stack([a * x - b * y, b * x + a * y])  # (2, n, 4)
    sides = np.ptp(turned, axis=2).max(0)
    around = np.clip(np.arange(len(sides))[:, None] + np.arange(CALM) - CALM // 2, 0, len(sides) - 1)
    return float(np.median(sides[around], axis=1).max())

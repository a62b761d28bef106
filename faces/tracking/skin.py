"""How a face is lit in a frame, and how sharp it is there: two measures that tracking notes of each frame (ours)."""

import numpy as np

from faces.landmarks import eye_distance

SAMPLES = 48  # pixels of the longer side of the picture in which the light is measured
DARK = 8.0  # grey levels: noise in the dark is no detail


def light_and_detail(frame, landmarks):
    """Measure one face.

    Args:
        frame: (H, W, 3) uint8 RGB.
        landmarks: (68, 2) float, pixels.

    Returns:
        light: (3,) float, mean colour of cheeks and nose, which speech does not move, 0 to 255; NaN where none is in the frame.
        detail: float, mean absolute Laplacian of the grey levels of eyes, nose and mouth over their mean; NaN likewise.
    """
    points = np.asarray(landmarks, np.float64)
    return _light(frame, still_cheeks(points)), _detail(frame, points[36:68])


def still_cheeks(landmarks):
    """(15, 2) float64 outline of cheeks and nose, from the lids down to the base of the nose, without the jaw's line."""
    lids = landmarks[[41, 40, 39, 27, 42, 47, 46]]
    down = landmarks[33] - landmarks[27]
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    middle = landmarks[30]
    left, right = (middle + (landmarks[side] - middle) * 0.8 for side in ([1, 2, 3], [15, 14, 13]))
    return np.concatenate([lids + 0.12 * float(eye_distance(landmarks)) * down, right[:2], landmarks[[33]], left[1::-1]])


def _box(points, frame):
    """(left, top, right, bottom) of points inside a frame, or None where less than 4 pixels of it are."""
    height, width = frame.shape[:2]
    left, top = np.clip(np.floor(points.min(0)).astype(int), 0, (width, height))
    right, bottom = np.clip(np.ceil(points.max(0)).astype(int) + 1, 0, (width, height))
    return None if min(right - left, bottom - top) < 4 else (left, top, right, bottom)


def _light(frame, outline):
    import cv2

    box = _box(outline, frame)
    if box is None:
        return np.full(3, np.nan)
    left, top, right, bottom = box
    scale = min(1.0, SAMPLES / max(right - left, bottom - top))
    extent = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    small = cv2.resize(frame[top:bottom, left:right], extent, interpolation=cv2.INTER_NEAREST)
    skin = np.zeros(small.shape[:2], np.uint8)
    cv2.fillPoly(skin, [np.rint((outline - (left, top)) * scale).astype(np.int32)], 1)
    return np.array(cv2.mean(small, skin)[:3]) if skin.any() else np.full(3, np.nan)


def _detail(frame, points):
    import cv2

    box = _box(points, frame)
    if box is None:
        return np.nan
    left, top, right, bottom = box
    grey = cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(grey, cv2.CV_16S)
    return cv2.norm(edges, cv2.NORM_L1) / grey.size / (cv2.mean(grey)[0] + DARK)

"""What light falls on a mouth: colours of skin, lips and whites of the eyes of a picture, and how sharp its edges are."""

from dataclasses import dataclass

import numpy as np

from faces.landmarks import CANONICAL_STABLE, STABLE, apply_affine, fit_similarity

DENSITY = 160  # pixels of an eye distance in the view that is measured, and in which own teeth are looked for
VIEW = (-1.0, -0.3, 1.0, 2.0)  # left, top, right, bottom in eye distances
EYES = (tuple(range(36, 42)), tuple(range(42, 48)))
OUTER_LIPS, INNER_LIPS = tuple(range(48, 60)), tuple(range(60, 68))
CHEEKS = ((1, 31, 48, 36), (15, 35, 54, 45))  # the middle of these points lies on a cheek
CHEEK_RADIUS = 0.13
WHITEST, DARKEST = 0.85, 0.10  # the brightest of an eye's pixels, from this quantile on, are its white, the darkest its pupil
NOSTRILS, DARKEST_NOSTRIL = ((31, 35), (0.05, 0.12, 0.10)), 0.05  # around these points: beside, above, below, eye distances
LUMINANCE = np.array([0.299, 0.587, 0.114])
LEAST_BLUR, MOST_BLUR = 0.5, 0.04  # standard deviation of an edge: pixels, and eye distances


@dataclass(frozen=True)
class FaceColours:
    """Colours of a face, (3,) float64 RGB in [1, 255], and its sharpness.

    Attributes:
        skin, lips: medians of the cheeks and of the lips. white: of the eyes. shade: the geometric mean of pupils and nostrils,
            the darkest of a face. blur: standard deviation of its sharpest edges in pixels.
    """

    skin: np.ndarray
    lips: np.ndarray
    white: np.ndarray
    shade: np.ndarray
    blur: float


def face_colours(picture, landmarks):
    """Measure a face.

    Args:
        picture: (H, W, 3) uint8 RGB.
        landmarks: (68, 2) pixels, with the mouth as the picture shows it.

    Returns:
        FaceColours.
    """
    view, matrix, scale = canonical_view(picture, landmarks)
    points = apply_affine(matrix, np.asarray(landmarks, np.float64))
    eyes = _within(points, EYES[0], view.shape) | _within(points, EYES[1], view.shape)
    lips = _within(points, OUTER_LIPS, view.shape) & ~_within(points, INNER_LIPS, view.shape)
    skin = np.zeros(view.shape[:2], bool)
    grid_y, grid_x = np.mgrid[: view.shape[0], : view.shape[1]]
    for cheek in CHEEKS:
        x, y = points[list(cheek)].mean(0)
        skin |= (grid_x - x) ** 2 + (grid_y - y) ** 2 < (CHEEK_RADIUS * DENSITY) ** 2
    seen = view[eyes].astype(np.float64)
    luminance = seen @ LUMINANCE
    white = seen[luminance >= np.quantile(luminance, WHITEST)].mean(0) if len(seen) else np.median(view[skin], 0)
    colours = [np.median(view[part], 0) if part.any() else white for part in (skin, lips)]
    shade = _darkest(view, points, seen, luminance)
    colours = (np.clip(colour, 1, 255) for colour in (*colours, white, shade))
    return FaceColours(*colours, edge_blur(picture, landmarks, scale))


def _darkest(view, points, eyes, luminance):
    """(3,) geometric mean of the darkest of the eyes' pixels (n, 3), whose luminance is known, and of those under the nose."""
    (left, right), (beside, above, below) = NOSTRILS[0], np.array(NOSTRILS[1]) * DENSITY
    low = np.maximum((points[left, 0] - beside, points[[left, right], 1].mean() - above), 0).astype(int)
    high = np.maximum((points[right, 0] + beside, points[[left, right], 1].mean() + below), low + 1).astype(int)
    nose = view[low[1] : high[1], low[0] : high[0]].reshape(-1, 3).astype(np.float64)
    found = []
    for pixels, bright, share in ((eyes, luminance, DARKEST), (nose, nose @ LUMINANCE, DARKEST_NOSTRIL)):
        if len(pixels):
            found.append(pixels[bright <= np.quantile(bright, share)].mean(0) + 1)
    return np.exp(np.log(found).mean(0)) if found else np.full(3, 20.0)


def canonical_view(picture, landmarks):
    """The face upright at DENSITY: (H, W, 3) uint8, matrix (2, 3) picture -> view, picture pixels of an eye distance."""
    import cv2

    stable = np.asarray(landmarks, np.float64)[list(STABLE)]
    matrix = fit_similarity(stable, CANONICAL_STABLE) * DENSITY
    matrix[:, 2] -= np.array(VIEW[:2]) * DENSITY
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    fine = int(np.clip(np.ceil(0.75 / max(zoom, 1e-6)), 1, 8))
    enlarged = matrix * fine
    enlarged[:, 2] += (fine - 1) / 2
    extent = tuple(int((VIEW[axis + 2] - VIEW[axis]) * DENSITY) for axis in (0, 1))
    view = cv2.warpAffine(picture, enlarged, (extent[0] * fine, extent[1] * fine), flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    if fine > 1:
        view = cv2.resize(view, extent, interpolation=cv2.INTER_AREA)
    return view, matrix, DENSITY / zoom


def edge_blur(picture, landmarks, scale):
    """Standard deviation in pixels of the sharpest edges at eyes and mouth.

    Zhuo and Sim, 2011: the picture is blurred once more by a known width; the ratio of the gradients tells the width that was
    there.
    """
    import cv2

    known = max(1.0, 0.012 * scale)
    widths = []
    for part in (*EYES, OUTER_LIPS):
        points = np.asarray(landmarks)[list(part)]
        low = np.maximum(np.floor(points.min(0) - 0.08 * scale).astype(int), 0)
        high = np.minimum(np.ceil(points.max(0) + 0.08 * scale).astype(int), picture.shape[1::-1])
        if (high - low < 4).any():
            continue
        grey = picture[low[1] : high[1], low[0] : high[0]].astype(np.float32) @ LUMINANCE.astype(np.float32)
        sharp, soft = (
            np.hypot(cv2.Sobel(part, cv2.CV_32F, 1, 0), cv2.Sobel(part, cv2.CV_32F, 0, 1))
            for part in (grey, cv2.GaussianBlur(grey, (0, 0), known))
        )
        strong = sharp >= np.quantile(sharp, 0.92)
        ratio = np.maximum(sharp[strong] / np.maximum(soft[strong], 1e-3), 1.02)
        widths.append(known / np.sqrt(ratio**2 - 1))
    if not widths:
        return LEAST_BLUR
    return float(np.clip(np.quantile(np.concatenate(widths), 0.3), LEAST_BLUR, max(LEAST_BLUR, MOST_BLUR * scale)))


def _within(points, indices, shape):
    """(H, W) bool: inside the polygon of these points."""
    import cv2

    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points[list(indices)] * 16).astype(np.int32)], 255, shift=4)
    return mask > 127

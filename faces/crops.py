"""Face crops and their way back into the frame.

Seven kinds. `box` is Wav2Lip's: an upright rectangle resized to a square, so that released weights work. `aligned` is a
similarity transform that brings the stable points of the face to fixed places, whatever the roll of the head. `window` is an
upright square of the frame's own pixels (`faces.window`). None of these looks at jaw or lips: a crop whose border follows the
chin would tell the model how far the real mouth is open. Nor does `au112`, the alignment of the action-unit papers by eyes and
nose (`faces.eyes_nose`); `au128`, that of their released code, follows one mouth corner a little. `davs` is the alignment of
DAVS by eyes and mouth corners (`faces.three_points`). `pcavs` has one scale and one turn for a shot, and follows the mouth
(`faces.shot_alignment`).
"""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from faces import eyes_nose, shot_alignment, three_points
from faces.eyes_nose import eyes_nose_poses, released_poses
from faces.landmarks import CANONICAL_JAW, CANONICAL_STABLE, JAW, STABLE, apply_affine, fit_similarity
from faces.laying import paste
from faces.shot_alignment import shot_poses
from faces.three_points import steady_poses, three_point_poses
from faces.tracking.smoothing import smooth_poses
from faces.window import WindowCrop, plan_windows

# In units of the eye distance, from the point between the eyes (see CANONICAL_STABLE). The aligned crop holds the chin of an
# open mouth; its middle row lies at the base of the nose. The box spans cheek to cheek and mid-forehead to chin, the usual
# extent of S3FD boxes [inferred: no S3FD weights could be had to measure it].
ALIGNED_SIDE, ALIGNED_TOP = 2.8, -0.7
CORNERS = np.array([(x, ALIGNED_TOP + y) for x in (-ALIGNED_SIDE / 2, ALIGNED_SIDE / 2) for y in (0, ALIGNED_SIDE)])
BOX_EXTENT = (-1.0, -0.75, 1.0, 1.88)
SMOOTH_SECONDS = 0.16
WAV2LIP_PADS = (0, 10, 0, 0)
KINDS = ("aligned", "box", "window", "davs", "au112", "au128", "pcavs")
SQUARES = {  # of the kinds that a similarity cuts out: side in eye distances, and the outer top left corner
    "aligned": (ALIGNED_SIDE, (-ALIGNED_SIDE / 2, ALIGNED_TOP)),
    "davs": (three_points.SIDE, three_points.START),
    "au112": (eyes_nose.SIDE, eyes_nose.START),
    "au128": (eyes_nose.RELEASED_SIDE, eyes_nose.RELEASED_START),
    "pcavs": (shot_alignment.SIDE, shot_alignment.START),
}
FITS = {  # of single frames to own templates
    "davs": (three_point_poses, three_points.TEMPLATE),
    "au112": (eyes_nose_poses, eyes_nose.TEMPLATE),
    "au128": (released_poses, eyes_nose.RELEASED),
}
MIN_BOX = 4


@dataclass(frozen=True)
class CropSpec:
    """What kind of crop a model was trained on.

    Attributes:
        kind: one of KINDS.
        size: side of the square that the model sees, in pixels. A window is as large as the face in the track; this is the side
            above which it is shrunk.
        pads: top, bottom, left, right, in frame pixels, added to a box; the other kinds take none.
    """

    kind: str = "aligned"
    size: int = 96
    pads: tuple[int, int, int, int] = WAV2LIP_PADS

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError(f"crop kind {self.kind!r}: unknown; choose {', '.join(KINDS[:-1])} or {KINDS[-1]}")


@dataclass(frozen=True)
class AlignedCrop:
    """A square cut out by a similarity transform.

    Attributes:
        matrix: (2, 3) float64, frame pixel -> crop pixel, pixel centres at whole numbers.
        size: side in pixels.
    """

    matrix: np.ndarray
    size: int

    @property
    def smear(self):
        """Crop pixels by which laying it back spreads its weights."""
        return 1.5 + 0.75 * float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def extract(self, frame):
        """(H, W, 3) uint8 -> (S, S, 3) uint8; shrinks by area, so large faces do not alias; the border is repeated outside."""
        import cv2

        zoom = float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))
        fine = int(np.clip(np.ceil(0.75 / max(zoom, 1e-6)), 1, 8))
        matrix = _scaled(self.matrix, fine)
        side = self.size * fine
        crop = cv2.warpAffine(frame, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return crop if fine == 1 else cv2.resize(crop, (self.size, self.size), interpolation=cv2.INTER_AREA)

    def corners(self):
        """(4, 2) float64 frame coordinates of the crop's outer corners, clockwise from its top left."""
        edge = self.size - 0.5
        square = np.array([(-0.5, -0.5), (edge, -0.5), (edge, edge), (-0.5, edge)])
        return apply_affine(inverse(self.matrix), square)

    def lay(self, shape, face, mask):
        """`face` (S, S, 3) uint8 and `mask` (S, S) float32 in [0, 1] on the pixels of a frame of `shape` (H, W, ...).

        A face smaller than the crop is shrunk by area, so that it does not alias.

        Returns:
            (rows, columns) slices of the frame, (h, w, 3) uint8, (h, w) float32; None if nothing of the mask is in the frame.
        """
        height, width = shape[:2]
        corners = apply_affine(inverse(self.matrix), _extent_of(mask))
        left, top = np.maximum(np.floor(corners.min(0)).astype(int) - 1, 0)
        right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int) + 2, (width, height))
        if right <= left or bottom <= top:
            return None
        shifted = self.matrix.copy()
        shifted[:, 2] += shifted[:, :2] @ (left, top)
        return (slice(top, bottom), slice(left, right)), *_lay_back(face, mask, shifted, (int(right - left), int(bottom - top)))

    def paste(self, frame, face, mask):
        """Copy of `frame` with `face` (S, S, 3) uint8 laid back where it was, weighted by `mask` (S, S) float32 in [0, 1]."""
        return paste(self.lay(frame.shape, face, mask), frame)


@dataclass(frozen=True)
class BoxCrop:
    """An upright rectangle of whole pixels, resized to a square as Wav2Lip does.

    Attributes:
        box: (y1, y2, x1, x2) ints inside the frame, ends exclusive.
        size: side of the square in pixels.
    """

    box: tuple[int, int, int, int]
    size: int
    smear = 1.5  # crop pixels by which laying it back spreads its weights

    @property
    def matrix(self):
        """(2, 3) float64, frame pixel -> crop pixel, pixel centres at whole numbers (cv2.resize's convention)."""
        y1, y2, x1, x2 = self.box
        sx, sy = self.size / (x2 - x1), self.size / (y2 - y1)
        return np.array([[sx, 0, (0.5 - x1) * sx - 0.5], [0, sy, (0.5 - y1) * sy - 0.5]])

    def extract(self, frame):
        """(H, W, 3) uint8 -> (S, S, 3) uint8."""
        import cv2

        y1, y2, x1, x2 = self.box
        return cv2.resize(frame[y1:y2, x1:x2], (self.size, self.size))

    def corners(self):
        """(4, 2) float64 frame coordinates of the box's outer corners, clockwise from its top left."""
        y1, y2, x1, x2 = self.box
        return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float64) - 0.5

    def lay(self, shape, face, mask):
        """As AlignedCrop.lay."""
        import cv2

        y1, y2, x1, x2 = self.box
        extent = (x2 - x1, y2 - y1)
        laid, weight = cv2.resize(face, extent), cv2.resize(mask, extent)
        rows = np.flatnonzero(weight.any(axis=1))
        if not len(rows):
            return None
        part = slice(rows[0], rows[-1] + 1)
        return (slice(y1 + part.start, y1 + part.stop), slice(x1, x2)), laid[part], weight[part]

    def paste(self, frame, face, mask):
        """Copy of `frame` with `face` (S, S, 3) uint8 resized back into the box, weighted by `mask` (S, S) float32."""
        return paste(self.lay(frame.shape, face, mask), frame)


Crop = AlignedCrop | BoxCrop | WindowCrop


def plan_crops(track, spec, *, fps=25, smooth=True):
    """Lay one crop over each frame of a track.

    Args:
        track: FaceTrack.
        spec: CropSpec.
        fps: frames per second; the smoothing kernel has a fixed width in seconds.
        smooth: smooth the path of the crop over time inside each shot, without lead or lag, see `smooth_poses`, and
            `faces.three_points.steady_poses` for "davs", "au112" and "au128"; without it, those are fitted in each frame
            alone, as published. "pcavs" takes no notice of it: its own recursion is part of it.

    Returns:
        list of N crops; None where there is no face.
    """
    sigma = SMOOTH_SECONDS * float(fps) if smooth else 0.0
    points = track.landmarks[:, list(STABLE)].astype(np.float64)
    pose = fit_similarity(np.broadcast_to(CANONICAL_STABLE, points.shape), points)  # canonical -> frame
    poses = np.stack([pose[:, 0, 0], pose[:, 1, 0], pose[:, 0, 2], pose[:, 1, 2]], 1)
    if spec.kind == "window":
        return plan_windows(track, poses, spec.size, sigma)
    fit, template = FITS.get(spec.kind, (None, None))
    published = fit(track.landmarks) if fit else shot_poses(track) if spec.kind == "pcavs" else None
    plan = [None] * len(track)
    for start, end in track.runs():
        if published is None:
            path = smooth_poses(poses[start:end], CORNERS, sigma)
        elif smooth and fit:
            path = steady_poses(published[start:end], poses[start:end], CORNERS, float(fps), template.mean(0))
        else:
            path = published[start:end]
        for number, parameters in enumerate(path, start):
            plan[number] = _crop(*parameters, spec, track.width, track.height)
    return plan


def face_boxes(track):
    """The upright box of each detected face, as wide and high as S3FD's boxes usually are, see BOX_EXTENT [inferred].

    Neither smoothed nor cut off at the frame's border, and blind to jaw and lips.

    Args:
        track: FaceTrack.

    Returns:
        (N, 4) float64 x1, y1, x2, y2 in pixels; NaN where no face was detected.
    """
    boxes = np.full((len(track), 4), np.nan)
    found = np.flatnonzero(track.present & ~track.interpolated)
    points = track.landmarks[found][:, list(STABLE)].astype(np.float64)
    pose = fit_similarity(np.broadcast_to(CANONICAL_STABLE, points.shape), points)
    for frame, matrix in zip(found, pose, strict=True):
        middle, half = _upright(matrix[0, 0], matrix[1, 0], matrix[0, 2], matrix[1, 2])
        boxes[frame] = *(middle - half), *(middle + half)
    return boxes


def fixed_box(box, spec, width, height):
    """A crop from a box given by hand, the same for every frame.

    Args:
        box: top, bottom, left, right in pixels, ends exclusive (Wav2Lip's `--box`).
        spec: CropSpec; its size is used, its pads are not.
        width, height: of the frame.

    Raises:
        InputError: the box is empty, turned round, or not inside the frame.
    """
    y1, y2, x1, x2 = (int(value) for value in box)
    if not (0 <= y1 < y2 <= height and 0 <= x1 < x2 <= width):
        raise InputError(
            f"--box {y1} {y2} {x1} {x2}: must be top bottom left right with 0 <= top < bottom <= {height} "
            f"and 0 <= left < right <= {width}"
        )
    if y2 - y1 < MIN_BOX or x2 - x1 < MIN_BOX:
        raise InputError(f"--box {y1} {y2} {x1} {x2}: is smaller than {MIN_BOX} pixels")
    return BoxCrop((y1, y2, x1, x2), spec.size)


def mean_face(size, kind="aligned"):
    """Where jaw and stable points of a mean face lie in a crop whose place was given by hand: it fills the crop as faces do.

    Args:
        size: S. kind: "aligned" or "box".

    Returns:
        (68, 2) float64 crop pixels; NaN but for JAW and STABLE.
    """
    left, top, right, bottom = BOX_EXTENT if kind == "box" else (-ALIGNED_SIDE / 2, ALIGNED_TOP, ALIGNED_SIDE / 2,
                                                                 ALIGNED_TOP + ALIGNED_SIDE)  # fmt: skip
    points = np.full((68, 2), np.nan)
    points[list(STABLE)], points[JAW] = CANONICAL_STABLE, CANONICAL_JAW
    return (points - (left, top)) / (right - left, bottom - top) * size - 0.5


def paste_mask(size, style="feather", kind="aligned"):
    """Weights with which a generated face is laid over the frame.

    Args:
        size: S.
        style: "feather": only the half that was generated, fading out towards nose, sides and chin, so that no border shows.
            "face": the whole face, forehead to chin, fading out over a tenth of the crop or more on all four sides (ours).
            "hard": the whole square, as Wav2Lip pastes.
        kind: of the crop; box, davs, au112 and au128 crops end near the chin, so their lower edges fade over a shorter way.

    Returns:
        (S, S) float32 in [0, 1].
    """
    if style == "hard":
        return np.ones((size, size), np.float32)
    if style not in ("feather", "face"):
        raise InputError(f"paste style {style!r}: unknown; choose feather, face or hard")
    at = (np.arange(size) + 0.5) / size
    side = _ramp(at, 0.02, 0.16) * _ramp(1 - at, 0.02, 0.16)
    bottom = {"box": 0.08, "davs": 0.05, "au112": 0.06, "au128": 0.05}.get(kind, 0.10)
    top = _ramp(at, 0.44, 0.58) if style == "feather" else _ramp(at, 0.02, 0.16)
    vertical = top * _ramp(1 - at, 0.0, bottom)
    return (vertical[:, None] * side[None, :]).astype(np.float32)


def inverse(matrix):
    """Inverse of a (2, 3) affine matrix."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -(linear @ matrix[:, 2])[:, None]], 1)


def _crop(a, b, x, y, spec, width, height):
    """Crop for the pose (canonical -> frame) with linear part [[a, -b], [b, a]] and shift (x, y)."""
    if spec.kind in SQUARES:
        to_frame = np.array([[a, -b, x], [b, a, y]])
        side, corner = SQUARES[spec.kind]
        unit = side / spec.size  # canonical units per crop pixel
        start = np.add(corner, unit / 2)
        crop_to_frame = np.concatenate([to_frame[:, :2] * unit, (to_frame[:, :2] @ start + to_frame[:, 2])[:, None]], 1)
        return AlignedCrop(inverse(crop_to_frame), spec.size)
    middle, half = _upright(a, b, x, y)
    pad_top, pad_bottom, pad_left, pad_right = spec.pads
    y1, y2 = int(round(middle[1] - half[1])) - pad_top, int(round(middle[1] + half[1])) + pad_bottom
    x1, x2 = int(round(middle[0] - half[0])) - pad_left, int(round(middle[0] + half[0])) + pad_right
    y1, y2, x1, x2 = max(0, y1), min(height, y2), max(0, x1), min(width, x2)
    if y2 - y1 < MIN_BOX or x2 - x1 < MIN_BOX:
        return None  # the face has left the frame
    return BoxCrop((y1, y2, x1, x2), spec.size)


def _upright(a, b, x, y):
    """(middle (2,), half width and height (2,)) in pixels of the upright box of a pose (canonical -> frame)."""
    left, top, right, bottom = BOX_EXTENT
    # The box turns about its own middle.
    middle = np.array([[a, -b], [b, a]]) @ ((left + right) / 2, (top + bottom) / 2) + (x, y)
    return middle, np.array([right - left, bottom - top]) * float(np.hypot(a, b)) / 2


def _lay_back(face, mask, matrix, extent):
    """Warp a crop and its mask to the frame's grid; matrix: frame -> crop; extent: (width, height) of the result."""
    import cv2

    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    fine = int(np.clip(np.ceil(0.75 * zoom), 1, 8))
    matrix = inverse(_scaled(inverse(matrix), fine))
    enlarged = (extent[0] * fine, extent[1] * fine)
    back = cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(face, matrix, enlarged, flags=cv2.INTER_CUBIC | back, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(mask, matrix, enlarged, flags=cv2.INTER_LINEAR | back, borderMode=cv2.BORDER_CONSTANT)
    if fine == 1:
        return laid, weight
    return tuple(cv2.resize(picture, extent, interpolation=cv2.INTER_AREA) for picture in (laid, weight))


def _extent_of(mask):
    """(4, 2) float64 crop coordinates of the outer corners of the part of a mask that is not zero, one pixel wider."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros((4, 2))
    top, bottom, left, right = rows[0] - 1.5, rows[-1] + 1.5, columns[0] - 1.5, columns[-1] + 1.5
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def _scaled(matrix, factor):
    """The same crop at `factor` times the size, pixel centres kept in place."""
    scaled = matrix * factor
    scaled[:, 2] += (factor - 1) / 2
    return scaled


def _ramp(at, start, end):
    """0 below `start`, 1 above `end`, a half cosine between."""
    if end <= start:
        return np.ones_like(at)
    return 0.5 - 0.5 * np.cos(np.pi * np.clip((at - start) / (end - start), 0, 1))

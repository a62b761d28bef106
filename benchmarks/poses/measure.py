"""Where a crop lies against where it should lie, how it trembles, and whether the border of the paste shows."""

from dataclasses import dataclass

import numpy as np

from faces.crops import ALIGNED_SIDE, ALIGNED_TOP, BOX_EXTENT, CropSpec, inverse, paste_mask, plan_crops
from faces.landmarks import LEFT_EYE, MOUTH, RIGHT_EYE, apply_affine
from faces.tracking.track import FaceSelection, track_face

SIZE = 96
KINDS = ("box", "aligned")
TOLERANCE = 0.15  # eye distances: a frame is good when both eyes and the mouth lie within this of their places in the crop
SEAM_EVERY = 6  # frames
BRIGHTER, BLUR = 12, 0.7  # what is pasted: the crop itself, so many grey levels brighter, blurred by so many crop pixels
NOISE = 2.0  # grey levels, of the clip that is held still
MARKS = (RIGHT_EYE, LEFT_EYE, MOUTH)


@dataclass(frozen=True)
class Truth:
    """What the upright clip says of every frame.

    Attributes:
        points: (N, 3, 2) float64 right eye, left eye, mouth, in eye distances from the clip's face; NaN where unknown.
        poses: (N, 2, 3) float64 canonical face -> the same unit; NaN where unknown.
        known: (N,) bool, the upright clip showed a face.
    """

    points: np.ndarray
    poses: np.ndarray
    known: np.ndarray

    def held(self):
        """The first known frame, for ever."""
        first = int(np.flatnonzero(self.known)[0])
        return Truth(*(np.broadcast_to(part[first], part.shape) for part in (self.points, self.poses, self.known)))


def read_truth(track, matrices, fps):
    """Truth from the FaceTrack of the upright clip and the (N, 2, 3) matrices of its pose."""
    crops = plan_crops(track, CropSpec("aligned", SIZE), fps=fps)
    unit = ALIGNED_SIDE / SIZE
    start = (-ALIGNED_SIDE / 2 + unit / 2, ALIGNED_TOP + unit / 2)
    from_canonical = inverse(np.array([[unit, 0, start[0]], [0, unit, start[1]]]))  # canonical -> crop
    points, poses = np.full((len(track), 3, 2), np.nan), np.full((len(track), 2, 3), np.nan)
    for number, (crop, matrix) in enumerate(zip(crops, matrices, strict=True)):
        if crop is not None:
            back = inverse(matrix)
            marks = np.stack([track.landmarks[number][part].mean(0) for part in MARKS]).astype(np.float64)
            points[number] = apply_affine(back, marks)
            poses[number] = compose(back, compose(inverse(crop.matrix), from_canonical))
    return Truth(points, poses, track.present.copy())


def compose(second, first):
    """(2, 3) matrix of `first`, then `second`."""
    linear = second[:, :2] @ first[:, :2]
    return np.concatenate([linear, (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]], 1)


def ideal_crop(pose, kind, width=None, height=None):
    """(2, 3) matrix frame -> crop of the crop that a face in a known pose (canonical -> frame) should get.

    A box is not rounded to whole pixels; it ends at the frame's border when its size is given.
    """
    if kind == "aligned":
        unit = ALIGNED_SIDE / SIZE
        start = (-ALIGNED_SIDE / 2 + unit / 2, ALIGNED_TOP + unit / 2)
        return inverse(compose(pose, np.array([[unit, 0, start[0]], [0, unit, start[1]]])))
    left, top, right, bottom = BOX_EXTENT
    scale = float(np.hypot(*pose[:, 0]))
    middle = apply_affine(pose, np.array([((left + right) / 2, (top + bottom) / 2)]))[0]
    half = np.array([right - left, bottom - top]) * scale / 2
    pads = CropSpec("box").pads
    low = middle - half - (pads[2], pads[0])
    high = middle + half + (pads[3], pads[1])
    if width is not None:
        low, high = np.maximum(low, 0), np.minimum(high, (width, height))
    sx, sy = SIZE / np.maximum(high - low, 1)
    return np.array([[sx, 0, (0.5 - low[0]) * sx - 0.5], [0, sy, (0.5 - low[1]) * sy - 0.5]])


def follow_face(frames, matrices, detector, truth, fps):
    """FaceTrack of posed frames; of several faces the one nearest to the known place is chosen."""
    first = int(np.flatnonzero(truth.known)[0]) if truth is not None else 0
    near = matrices[first][:, 2] if truth is None else apply_affine(matrices[first], truth.points[first]).mean(0)
    return track_face(frames, detector, FaceSelection(near=tuple(near)), fps=fps)


def measure_pose(frames, matrices, track, truth, upright, fps, kind):
    """Figures of one kind of crop on one posed clip.

    Args:
        frames: list of (H, W, 3) uint8; matrices: (N, 2, 3) of its pose; track: its FaceTrack.
        truth: Truth of the clip; upright: (2, 3) matrix of the upright pose.
        fps: frames a second; kind: "aligned" or "box".

    Returns:
        dict: frames (with a known face), found, good (of them), error (list, eye distances), eyes (list of (2, 2) lists,
        places of both eyes in the crop, pixels of 96), jitter (pixels of 96, NaN without three frames in a row), seam and
        hard_seam (lists, see `seam`).
    """
    crops = plan_crops(track, CropSpec(kind, SIZE), fps=fps)
    height, width = frames[0].shape[:2]
    error, eyes, away, seams, hard = [], [], np.full((len(frames), 4, 2), np.nan), [], []
    for number in np.flatnonzero(truth.known):
        crop = crops[number]
        if crop is None:
            continue
        pose = compose(matrices[number], truth.poses[number])
        marks = apply_affine(matrices[number], truth.points[number])
        wanted = apply_affine(ideal_crop(compose(upright, truth.poses[number]), kind),
                              apply_affine(upright, truth.points[number]))  # fmt: skip
        scale = float(np.hypot(*pose[:, 0]))
        away_from_marks = apply_affine(inverse(crop.matrix), wanted) - marks
        error.append(float(np.linalg.norm(away_from_marks, axis=1).max()) / scale)
        eyes.append(apply_affine(crop.matrix, marks[:2]).tolist())
        ideal = inverse(ideal_crop(pose, kind, width, height))
        pixel = float(np.sqrt(abs(np.linalg.det(ideal[:, :2]))))
        square = np.array([(-0.5, -0.5), (SIZE - 0.5, -0.5), (SIZE - 0.5, SIZE - 0.5), (-0.5, SIZE - 0.5)])
        away[number] = (crop.corners() - apply_affine(ideal, square)) / pixel
        if number % SEAM_EVERY == 0:
            changed = brighter(crop.extract(frames[number]))
            seams.append(seam(frames[number], crop, changed, paste_mask(SIZE, "feather", kind)))
            hard.append(seam(frames[number], crop, changed, paste_mask(SIZE, "hard", kind)))
    bend = np.linalg.norm(np.diff(away, 2, axis=0), axis=-1)
    jitter = float(np.sqrt(np.nanmean(bend**2))) if np.isfinite(bend).any() else float("nan")
    good = sum(value <= TOLERANCE for value in error)
    return {"frames": int(truth.known.sum()), "found": len(error), "good": good, "error": error, "eyes": eyes,
            "jitter": jitter, "seam": [value for value in seams if value is not None],
            "hard_seam": [value for value in hard if value is not None]}  # fmt: skip


def brighter(face):
    """The crop with a known change, which a paste has to hide."""
    import cv2

    return np.clip(cv2.GaussianBlur(face, (0, 0), BLUR).astype(np.int16) + BRIGHTER, 0, 255).astype(np.uint8)


def seam(frame, crop, face, mask):
    """How far the border of a paste stands out.

    The mean grey-level gradient within 1.5 crop pixels of the line where the paste weighs one half, over that from 3 to 8
    crop pixels to both sides; the same ratio of the frame as it was is divided out.

    Returns:
        float, 1 where the border cannot be told from what lies beside it; None where it lies outside the frame.
    """
    import cv2

    height, width = frame.shape[:2]
    bordered = np.pad(mask, 1)  # a hard mask ends at the crop's edge
    matrix = crop.matrix + np.array([[0, 0, 1], [0, 0, 1]])
    weight = cv2.warpAffine(bordered, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    inside = (weight >= 0.5).astype(np.uint8)
    if not inside.any() or inside.all():
        return None
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5) + cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) - 0.5
    pixel = 1 / float(np.sqrt(abs(np.linalg.det(crop.matrix[:, :2]))))
    line, beside = depth <= max(1.0, 1.5 * pixel), (depth >= 3 * pixel) & (depth <= 8 * pixel)
    if line.sum() < 20 or beside.sum() < 20:
        return None

    def ratio(picture):
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        steep = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)) / 8
        return (steep[line].mean() + 0.1) / (steep[beside].mean() + 0.1)

    return float(ratio(crop.paste(frame, face, mask)) / ratio(frame))


def hold_still(frames, first):
    """As many copies of one frame with camera noise, the same in every run."""
    rng = np.random.default_rng(0)
    still = frames[first].astype(np.float32)
    return [np.clip(np.rint(still + rng.normal(0, NOISE, still.shape)), 0, 255).astype(np.uint8) for _ in frames]

"""One generated video against the real one: likeness of the face and mouth crops, lips, movement; beside two baselines."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from common.errors import InputError
from faces.crops import CropSpec, plan_crops
from faces.mouth import mouth_opening
from faces.track import FaceSelection, track_face
from metrics.correlation import pearson
from metrics.image import mouth_region, psnr, ssim
from metrics.landmarks import mouth_distances

FACE_SIZE = 96
ROWS = ("generated", "copy", "real")
IMAGE_METRICS = ("ssim_face", "psnr_face", "ssim_mouth", "psnr_mouth")
METRICS = (*IMAGE_METRICS, "lmd_raw", "lmd_aligned", "lmd_normalised", "mouth_correlation", "mouth_range")
LENGTH_SECONDS, LENGTH_SHARE = 0.5, 0.05
_ASPECT = 0.02


@dataclass(frozen=True)
class Comparison:
    """What came out for one pair.

    Attributes:
        rows: {"generated" | "copy" | "real": {metric: float or None}}; None where a metric is undefined. "copy" is the first
            compared frame of the real video held (no motion), measured on the other frames; "real" is the real video against
            itself. See `metrics.report.PROTOCOL` for the metrics.
        frames: how many frames were compared, and how many were left out and why.
        fps: of the real video, as text.
        openings: {"generated", "real"}: (n,) float64 mouth opening on the compared frames.
        notes: sentences for the reader: resized, another frame rate, damage, different lengths.
    """

    rows: dict
    frames: dict
    fps: str
    openings: dict = field(repr=False)
    notes: list


def compare_videos(generated, real, detector, *, face_size=FACE_SIZE, frames=None, selection=None):
    """Measure one generated video against the real one. Both are streamed twice: once to track, once to look.

    The crop of every frame comes from the track of the real video and is applied to both, so a displaced face counts as
    displaced. The generated video is read at the frame rate of the real one, and brought to its size when the shape agrees.

    Args:
        generated, real: paths.
        detector: see `faces.detectors.build_detector`.
        face_size: side of the aligned face crop in pixels; SSIM, PSNR, LMD raw and aligned depend on it.
        frames: look at the first so many frames only.
        selection: FaceSelection for the real video; the generated one follows the face that is nearest to it.

    Returns:
        Comparison.

    Raises:
        InputError: a file cannot be read, has no face, has another shape; the lengths differ by more than 0.5 s and 5 %; or no
            frame has a face in both.
    """
    from media import VideoReader, probe

    with ExitStack() as stack:
        truth = stack.enter_context(VideoReader(real))
        made = stack.enter_context(VideoReader(generated, fps=truth.info.fps))
        fit = fitting(made.info, truth.info)
        track = _track(islice(truth, frames), detector, selection, truth.info)
        start = track.landmarks[np.flatnonzero(track.present)[0]].mean(0)
        near = FaceSelection(near=(float(start[0]), float(start[1])))
        made_track = _track(map(fit, islice(made, frames)), detector, near, made.info)
        count = _common_length(len(made_track), len(track), truth.info.fps, generated, real)
        seen, made_seen = _detected(track)[:count], _detected(made_track)[:count]
        crops = plan_crops(track, CropSpec("aligned", face_size), fps=truth.info.fps)
        usable = np.flatnonzero(seen & made_seen & [crop is not None for crop in crops[:count]])
        if not len(usable):
            raise InputError(f"{generated}: no frame has a face both there and in {real}; nothing to compare")
        images = _image_metrics(map(fit, made), truth, crops, usable)
        matrices = np.stack([crops[index].matrix for index in usable])
        points = made_track.landmarks[usable].astype(np.float64), track.landmarks[usable].astype(np.float64)
        notes = _notes(made, truth, len(made_track), len(track), fps=probe(generated).fps)
    left_out = {
        "no_face_real": int((~seen).sum()),
        "no_face_generated": int((seen & ~made_seen).sum()),
        "beyond_the_shorter": abs(len(made_track) - len(track)),
    }
    rows = {row: {**images[row], **_lip_metrics(row, *points, matrices)} for row in ROWS}
    openings = {"generated": mouth_opening(points[0]), "real": mouth_opening(points[1])}
    counts = {"compared": len(usable), "generated": len(made_track), "real": len(track), "left_out": left_out}
    return Comparison(rows, counts, str(truth.info.fps), openings, notes)


def _track(frames, detector, selection, info):
    track = track_face(frames, detector, selection, fps=info.fps)
    if not track.present.any():
        raise InputError(f"{info.path}: no face was found in any of its {len(track)} frames; give a video that shows a face")
    return track


def _detected(track):
    """(N,) bool: a face was found, not interpolated."""
    return track.present & ~track.interpolated


def fitting(made, truth):
    """Function that brings a generated frame to the size of the real one.

    One row or column more is what an encoder adds to odd sizes, and is cut; else the frame is resized.

    Args:
        made, truth: VideoInfo of the generated and of the real video.

    Raises:
        InputError: width to height differs by more than 2 %.
    """
    import cv2

    size = (truth.width, truth.height)
    if 0 <= made.width - truth.width <= 1 and 0 <= made.height - truth.height <= 1:
        return lambda frame: frame[: truth.height, : truth.width]
    if abs(made.width * truth.height / (made.height * truth.width) - 1) > _ASPECT:
        raise InputError(f"{made.path}: is {made.width}x{made.height}, but {truth.path} is {truth.width}x{truth.height}; "
                         "generated and real frames must show the same picture section")
    way = cv2.INTER_AREA if made.width > truth.width else cv2.INTER_CUBIC
    return lambda frame: cv2.resize(frame, size, interpolation=way)


def _common_length(made, truth, fps, generated, real):
    """Frames that both have; InputError when one is much longer."""
    difference = abs(made - truth)
    if difference > max(LENGTH_SECONDS * fps, LENGTH_SHARE * truth):
        raise InputError(f"{generated}: has {made} frames at {float(fps):g} a second, but {real} has {truth}; more than "
                         f"{LENGTH_SECONDS} s and {LENGTH_SHARE:.0%} apart cannot be the same clip (cut one, or use --frames)")
    return min(made, truth)


def _notes(made, truth, made_count, count, fps):
    notes = []
    if (made.info.width, made.info.height) != (truth.info.width, truth.info.height):
        notes.append(f"generated frames brought from {made.info.width}x{made.info.height} to "
                     f"{truth.info.width}x{truth.info.height}")
    if fps != truth.info.fps:
        notes.append(f"generated video read at {truth.info.fps} frames a second; it has {fps}")
    if made_count != count:
        notes.append(f"lengths differ: {made_count} generated, {count} real frames; the common part is compared")
    notes += [f"{reader.info.path}: {reader.damage}" for reader in (made, truth) if reader.damage]
    return notes


def _image_metrics(made_frames, true_frames, crops, usable):
    """Means over the usable frames: {row: {image metric: float or None}}."""
    totals = {row: np.zeros(len(IMAGE_METRICS)) for row in ROWS}
    wanted, held = set(usable.tolist()), None
    for index, (made, truth) in enumerate(zip(made_frames, true_frames, strict=False)):
        if index > usable[-1]:
            break
        if index not in wanted:
            continue
        crop = crops[index]
        real = crop.extract(truth)
        totals["generated"] += _likeness(crop.extract(made), real)
        totals["real"] += _likeness(real, real)
        if held is None:
            held = truth
        else:
            totals["copy"] += _likeness(crop.extract(held), real)
    counts = {"generated": len(usable), "real": len(usable), "copy": len(usable) - 1}
    return {row: dict(zip(IMAGE_METRICS, (totals[row] / counts[row]).tolist() if counts[row] else [None] * 4, strict=True))
            for row in ROWS}


def _likeness(picture, real):
    mouth, real_mouth = mouth_region(picture), mouth_region(real)
    return np.array([ssim(picture, real), psnr(picture, real), ssim(mouth, real_mouth), psnr(mouth, real_mouth)])


def _lip_metrics(row, generated, real, matrices):
    """LMD and mouth movement of one row; landmarks (n, 68, 2) of the compared frames."""
    if row == "real":
        generated = real
    elif row == "copy":
        generated, real, matrices = np.broadcast_to(real[0], real[1:].shape), real[1:], matrices[1:]
    if not len(real):
        return dict.fromkeys(METRICS[len(IMAGE_METRICS):])
    distances = mouth_distances(generated, real, matrices)
    made, truth = mouth_opening(generated), mouth_opening(real)
    correlation = pearson(made, truth)
    return {
        "lmd_raw": float(distances.raw.mean()),
        "lmd_aligned": float(distances.aligned.mean()),
        "lmd_normalised": float(distances.normalised.mean()),
        "mouth_correlation": None if np.isnan(correlation) else correlation,
        "mouth_range": _spread(made) / _spread(truth) if _spread(truth) else None,
    }


def _spread(series):
    """Standard deviation; exactly 0 for equal values, whatever the rounding of their mean."""
    return float(series.std()) if np.ptp(series) else 0.0

"""One video against the real one, frame by frame: which frames meet, and what the measures say of them."""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from faces.crops import CropSpec
from faces.tracking.track import FaceSelection
from metrics.footage import KEEP_BYTES, open_footage
from metrics.measures.base import FaceMeasure, Pair, TrackMeasure
from metrics.measures.registry import build_measures
from metrics.networks.load import Networks

FACE_SIZE = 96
LENGTH_SECONDS, LENGTH_SHARE = 0.5, 0.05
_ASPECT = 0.02


@dataclass(frozen=True)
class Comparison:
    """What came out for one pair.

    Attributes:
        values: {key of a column: float or None}; None where a measure is undefined.
        frames: how many frames were compared, and how many were left out and why.
        notes: sentences for the reader: resized, another frame rate, damage, different lengths.
    """

    values: dict
    frames: dict
    notes: list


def compare_videos(generated, real, detector, *, face_size=FACE_SIZE, frames=None, selection=None):
    """Open two videos and compare them by the measures that need no network, see `open_generated` and `compare_footage`."""
    truth = open_footage(real, detector, selection=selection, limit=frames)
    made = open_generated(generated, truth, detector, limit=frames)
    return compare_footage(made, truth, build_measures(Networks()), face_size=face_size)


def open_generated(path, truth, detector, *, limit=None, keep_bytes=KEEP_BYTES):
    """Open a generated video beside the real one: at its frame rate, brought to its size, following the face that is there.

    Args:
        path: video.
        truth: Footage of the real one.
        detector, limit, keep_bytes: as for `metrics.footage.open_footage`.

    Raises:
        InputError: cannot be read, shows no face, or has another shape.
    """
    start = truth.track.landmarks[np.flatnonzero(truth.track.present)[0]].mean(0)
    near = FaceSelection(near=(float(start[0]), float(start[1])))
    return open_footage(path, detector, selection=near, fps=truth.info.fps, fit=lambda info: fitting(info, truth.info),
                        limit=limit, keep_bytes=keep_bytes)


def compare_footage(made, truth, measures, *, face_size=FACE_SIZE, skip=0):
    """Measure a generated video against the real one.

    The crop of every frame comes from the track of the real video and is applied to both, so a displaced face counts as
    displaced.

    Args:
        made, truth: Footage, opened by `open_generated` and `open_footage`.
        measures: list of metrics.measures.base.Measure; those that need no pair are passed over.
        face_size: side of the aligned face crop in pixels; SSIM, PSNR, LMD raw and aligned depend on it.
        skip: leave out the first so many of the frames that have a face in both.

    Returns:
        Comparison.

    Raises:
        InputError: the lengths differ by more than 0.5 s and 5 %, or no frame has a face in both.
    """
    check_lengths(made.path, len(made), truth.info, len(truth))
    count = min(len(made), len(truth))
    seen, made_seen = truth.detected[:count], made.detected[:count]
    crops = truth.crops(CropSpec("aligned", face_size))
    hidden = np.zeros(count, bool) if truth.track.covered is None else truth.track.covered[:count]
    shown = seen & made_seen & [crop is not None for crop in crops[:count]]
    hidden = hidden & shown if (shown & ~hidden).any() else np.zeros(count, bool)
    usable = np.flatnonzero(shown & ~hidden)[skip:]
    if not len(usable):
        raise InputError(f"{made.path}: no frame has a face both there and in {truth.path}; nothing to compare")
    points = made.track.landmarks[usable].astype(np.float64), truth.track.landmarks[usable].astype(np.float64)
    pair = Pair(made, truth, usable, crops, *points)
    left_out = {
        "no_face_real": int((~seen).sum()),
        "no_face_generated": int((seen & ~made_seen).sum()),
        "covered_real": int(hidden.sum()),
        "beyond_the_shorter": abs(len(made) - len(truth)),
    }
    counts = {"compared": len(usable), "generated": len(made), "real": len(truth), "left_out": left_out}
    values = _accumulate(pair, [measure.begin() for measure in measures if isinstance(measure, FaceMeasure)])
    for measure in (one for one in measures if isinstance(one, TrackMeasure)):
        values |= measure.compare(pair)
    return Comparison(values, counts, _notes(made, truth))


def _accumulate(pair, accumulators):
    """Show the face crops of the compared frames to all accumulators in one pass over the videos; {key: value} of all."""
    if not accumulators:
        return {}
    wanted, last, values = set(pair.frames.tolist()), pair.frames[-1], {}
    for index, (frame, real) in enumerate(zip(pair.made.frames(), pair.real.frames(), strict=False)):
        if index > last:
            break
        if index in wanted:
            made_face, real_face = pair.crops[index].extract(frame), pair.crops[index].extract(real)
            for accumulator in accumulators:
                accumulator.add(made_face, real_face)
    for accumulator in accumulators:
        values |= accumulator.values()
    return values


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


def check_lengths(path, count, truth, real_count):
    """Refuse two videos whose lengths cannot be those of one clip.

    Args:
        path: of the generated video; count: its frames at the rate of the real one.
        truth: VideoInfo of the real video; real_count: its frames.

    Raises:
        InputError: the lengths differ by more than 0.5 s and 5 %.
    """
    if abs(count - real_count) > max(LENGTH_SECONDS * truth.fps, LENGTH_SHARE * real_count):
        raise InputError(f"{path}: has {count} frames at {float(truth.fps):g} a second, but {truth.path} has {real_count}; "
                         f"more than {LENGTH_SECONDS} s and {LENGTH_SHARE:.0%} apart cannot be the same clip (cut one, use "
                         "--frames, or --protocol unpaired where the sound is another one)")


def _notes(made, truth):
    from media import probe

    notes = []
    if made.path == truth.path:
        return notes
    if (made.info.width, made.info.height) != (truth.info.width, truth.info.height):
        notes.append(f"generated frames brought from {made.info.width}x{made.info.height} to "
                     f"{truth.info.width}x{truth.info.height}")
    fps = probe(made.path).fps
    if fps != truth.info.fps:
        notes.append(f"generated video read at {truth.info.fps} frames a second; it has {fps}")
    if len(made) != len(truth):
        notes.append(f"lengths differ: {len(made)} generated, {len(truth)} real frames; the common part is compared")
    return [*notes, *(note for one in (made, truth) for note in reading_notes(one))]


def reading_notes(footage):
    """What was changed or is damaged in a video that was read, as list of str with its path."""
    return [f"{footage.path}: {note}" for note in (*footage.info.notes, footage.damage) if note]

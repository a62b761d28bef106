"""What a sync expert says of one video: its crops are cut as the expert wants them, track by track."""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from common.errors import InputError
from faces.smoothing import segments
from metrics.sync.crops import TrackRules, cut_square, find_tracks, jpeg_colours, recolour, track_squares, whole_frame
from metrics.sync.score import FPS, WINDOW, SyncScore, score_sync, window_count


@dataclass(frozen=True)
class VideoSync:
    """Verdict on one video.

    Attributes:
        score: SyncScore; of several tracks the mean, and the offset of the longest.
        tracks: how many were judged.
        lips: (N, D) float32 embeddings of all windows.
    """

    score: SyncScore
    tracks: int
    lips: np.ndarray


def judge_video(footage, sound, judge, crop="tracked", rules=None):
    """Ask a judge about one video, at 25 frames a second (METHODS 5.2).

    Args:
        footage: metrics.footage.Footage.
        sound: ((channels, n) float32, rate), beginning with the first frame.
        judge: see `metrics.sync.judges.load_judge`.
        crop: "tracked" or "whole", for SyncNet; an expert of Wav2Lip's kind has a crop of its own.
        rules: metrics.sync.crops.TrackRules.

    Returns:
        VideoSync.

    Raises:
        InputError: no track counts, or none has six frames together with the sound.
    """
    samples, rate = sound
    shown = footage.sync_frames()
    colours = jpeg_colours(footage.info.luma) if judge.crop_spec is None else None
    scores, lips = [], []
    for start, cut in _tracks(footage, shown, judge, crop, rules):
        first = round(start / FPS * rate)
        heard = samples[:, first : round((start + len(cut)) / FPS * rate)]
        count = window_count(len(cut), heard.shape[1], rate)
        if not count:
            continue
        crops = _crops(footage, shown[start : start + count + WINDOW - 1], cut)
        crops = (recolour(one, colours) for one in crops)
        seen = judge.lips(islice(crops, WINDOW) if footage.still else crops)
        seen = seen.expand(count, -1) if footage.still else seen
        scores.append(score_sync(seen, judge.sound(heard, rate, count)))
        lips.append(seen.numpy())
    if not scores:
        raise InputError(f"{footage.path}: too short to be judged: sound and face must have at least {WINDOW + 1} frames at "
                         f"{FPS} a second in common")
    return VideoSync(_together(scores), len(scores), np.concatenate(lips))


def _tracks(footage, shown, judge, crop, rules):
    """List of (first frame at 25 a second, functions that cut the crop out of each frame)."""
    if judge.crop_spec is not None:
        plan = footage.crops(judge.crop_spec)
        plan = [plan[index] for index in shown]
        runs = segments(np.array([one is not None for one in plan]))
        return [(start, [one.extract for one in plan[start:end]]) for start, end in runs]
    if crop == "whole":
        return [(0, [whole_frame] * len(shown))]
    rules = rules or TrackRules()
    try:
        tracks = find_tracks(footage.boxes()[shown], rules)
    except InputError as error:
        raise InputError(f"{footage.path}: {error}") from error
    return [(track.start, [_cutter(square, rules.crop_scale) for square in track_squares(track, rules)]) for track in tracks]


def _cutter(square, crop_scale):
    return lambda frame: cut_square(frame, square, crop_scale)


def _crops(footage, wanted, cut):
    """Yield the crop of each wanted frame; `wanted` never decreases, and a frame may be wanted more than once."""
    frames, at, frame = enumerate(footage.frames()), -1, None
    for index, extract in zip(wanted, cut, strict=False):
        while at < index:
            at, frame = next(frames)
        yield extract(frame)


def _together(scores):
    """The mean of several tracks' scores; the offset is that of the longest."""
    if len(scores) == 1:
        return scores[0]
    longest = max(scores, key=lambda score: score.windows)
    means = {name: float(np.mean([getattr(score, name) for score in scores]))
             for name in ("distance", "confidence", "zero_distance")}
    curve = np.mean([score.curve for score in scores], 0)
    return SyncScore(**means, offset=longest.offset, curve=curve, windows=sum(score.windows for score in scores))

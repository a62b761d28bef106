"""What a sync expert says of one video: its crops are cut as the expert wants them, track by track."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from common.errors import InputError
from faces.tracking.smoothing import segments
from metrics.sync.crops import TrackRules, cut_square, find_tracks, jpeg_colours, recolour, track_squares, whole_frame
from metrics.sync.score import FPS, WINDOW, SyncScore, score_runs, window_count


@dataclass(frozen=True)
class VideoSync:
    """Verdict on one video.

    Attributes:
        score: SyncScore over the windows of all runs.
        tracks: how many runs were judged.
        lips: (N, D) float32 embeddings of all windows, those of runs that were too short among them.
        notes: sentences for the reader: several runs, windows left out.
    """

    score: SyncScore
    tracks: int
    lips: np.ndarray
    notes: tuple = ()


def judge_video(footage, sound, judge, crop="tracked", rules=None):
    """Ask a judge about one video, at 25 frames a second: `embed_runs`, then `judge_runs`; same arguments and errors."""
    return judge_runs(embed_runs(footage, sound, judge, crop, rules), footage, judge)


def embed_runs(footage, sound, judge, crop="tracked", rules=None):
    """Embed lips and sound of every run: a stretch of frames with one face, or a track of SyncNet's crop.

    Args:
        footage: metrics.footage.Footage.
        sound: ((channels, n) float32, rate), beginning with the first frame.
        judge: see `metrics.sync.judges.load_judge`.
        crop: "tracked" or "whole", for SyncNet; an expert of Wav2Lip's kind has a crop of its own.
        rules: metrics.sync.crops.TrackRules.

    Returns:
        list of (lips, sound), both (N, D) float32 tensors, N > 0.

    Raises:
        InputError: no track counts, or none has six frames together with the sound.
    """
    samples, rate = sound
    shown = footage.sync_frames()
    if judge.by_landmarks:
        runs = judge.embed(footage.track.landmarks[shown], footage.track.present[shown], samples, rate)
        return _some(runs, footage, judge)
    colours = jpeg_colours(footage.info.luma) if judge.crop_spec is None else None
    runs = []
    for start, cut in _tracks(footage, shown, judge, crop, rules):
        first = round(start / FPS * rate)
        heard = samples[:, first : round((start + len(cut)) / FPS * rate)]
        count = window_count(len(cut), heard.shape[1], rate)
        if not count:
            continue
        crops = _crops(footage, shown[start : start + count + WINDOW - 1], cut)
        crops = (recolour(one, colours) for one in crops)
        seen = judge.lips(islice(crops, WINDOW) if footage.still else crops)
        runs.append((seen.expand(count, -1) if footage.still else seen, judge.sound(heard, rate, count)))
    return _some(runs, footage, judge)


def _some(runs, footage, judge):
    """The runs; InputError where there is none."""
    if not runs:
        raise InputError(f"{footage.path}: too short to be judged: sound and face must have at least {judge.rule.beyond + 1} "
                         f"frames at {FPS} a second in common")
    return runs


def judge_runs(runs, footage, judge):
    """Verdict on what `embed_runs` gave, by the judge's own rule.

    Returns:
        VideoSync.

    Raises:
        InputError: too few windows, see `metrics.sync.score.score_runs`.
    """
    try:
        score = score_runs(runs, judge.rule)
    except InputError as error:
        raise InputError(f"{footage.path}: {error}") from error
    used = sum(len(lips) >= judge.rule.run for lips, _ in runs)
    notes = [f"{used} face tracks were judged together, each window with the same weight"] if used > 1 else []
    if score.left_out:
        notes.append(f"{score.left_out} windows of {len(runs) - used} face tracks were left out of the sync figures: each of "
                     f"these is shorter than {judge.rule.run} windows")
    return VideoSync(score, used, torch.cat([lips for lips, _ in runs]).numpy(), tuple(notes))


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

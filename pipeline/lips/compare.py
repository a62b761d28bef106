"""The lips of a real and a generated video, compared run by run: the temporal lip loss, on a detector's landmarks."""

from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np

from common.errors import InputError
from faces.detectors import build_detector
from faces.landmarks import MOUTH, interocular
from faces.mouth import mouth_opening
from faces.tracking.track import FaceSelection, track_face
from pipeline.progress import bar


@dataclass(frozen=True)
class Lips:
    """Lips of one video.

    Attributes:
        points: (N, 20, 2) float32 pixels, NaN where there is no face.
        eyes: (N,) distance of the outer eye corners in pixels.
        opening: (N,) mouth opening over that distance.
        middle: (2,) where the face is first seen, pixels.
    """

    points: np.ndarray
    eyes: np.ndarray
    opening: np.ndarray
    middle: tuple

    def __len__(self):
        return len(self.points)


def read_lips(path, *, fps=None, frames=None, near=None, what="video", detector="mediapipe", weights=None):
    """Follow the face of a video.

    Args:
        path: video.
        fps: Fraction to bring it to; None keeps its own.
        frames: look at the first so many only.
        near: (x, y) pixels; the face nearest to it is followed, else the largest.
        what: what it was given for, for messages.
        detector, weights: see `faces.detectors.build_detector`.

    Returns:
        Lips, Fraction fps.

    Raises:
        InputError: not a video that can be read, or no face in it.
    """
    from media import VideoReader
    from media.notes import say_notes

    with VideoReader(path, fps=fps, what=what) as reader, closing(build_detector(detector, weights=weights)) as finder:
        say_notes(reader.info)
        if reader.info.is_image:
            raise InputError(f"{path}: is a picture; the lips of a video are needed")
        with bar(f"lips of {path}", frames or reader.info.frames) as progress:
            track = track_face(
                islice(reader, frames), finder, FaceSelection(near=near), fps=fps or reader.info.fps, on_frame=progress.update
            )
        rate = fps or reader.info.fps
    if not track.present.any():
        raise InputError(f"{path}: no face was found in any of its {len(track)} frames; give a video that shows a face")
    marks = track.landmarks
    middle = marks[np.flatnonzero(track.present)[0]].mean(0)
    return Lips(marks[:, MOUTH], interocular(marks), mouth_opening(marks), (float(middle[0]), float(middle[1]))), rate


@dataclass(frozen=True)
class RunRow:
    """What one phoneme run came to.

    Attributes:
        phoneme: label; start, end: frames, end exclusive.
        compared: frames with a face in both videos.
        loss: sum of the lip distances over these frames, in eye distances, before weighing.
        least, most: similarity over the frames where it is known; None where it is nowhere known.
        weight: adaptive lip weight; None where no similarity is known, and W[p] stands in for it in training.
    """

    phoneme: str
    start: int
    end: int
    compared: int
    loss: float
    least: float | None
    most: float | None
    weight: float | None


@dataclass(frozen=True)
class LipReport:
    """What a comparison came to.

    Attributes:
        rows: RunRow of each run.
        loss: L_lip of the whole (docs/methods.md, eq. (32)), in eye distances.
        similarity: (N,) delta of each frame, NaN where it is not known.
        by_phoneme: {phoneme: mean weight of its runs}: W[p] of this one clip, each run counting alike.
    """

    rows: list
    loss: float
    similarity: np.ndarray
    by_phoneme: dict


def compare_lips(real, generated, runs, *, similarity="motion", mode="tolerant"):
    """Lip loss and adaptive lip weight of each phoneme run, by the very functions of `losses.temporal`.

    The shapes come from a detector here and from a small network in training, so the figures differ a little.

    Args:
        real, generated: Lips of at least as many frames as the runs have.
        runs: speech.phonemes.Runs.
        similarity, mode: see `losses.temporal`.

    Raises:
        InputError: no frame has a face in both.
    """
    import torch

    from losses.temporal import lip_distances, lip_shapes, lip_similarity, run_weights
    from speech.arpabet import PHONES

    count = runs.frames
    seen = ~np.isnan(real.eyes[:count]) & ~np.isnan(generated.eyes[:count])
    if not seen.any():
        raise InputError("no frame has a face in both videos; nothing to compare")
    eyes = torch.from_numpy(np.where(seen, real.eyes[:count], 1.0).astype(np.float64))
    shapes = []
    for lips in (generated, real):
        points = np.where(seen[:, None, None], lips.points[:count], 0.0).astype(np.float64)
        shapes.append(lip_shapes(torch.from_numpy(points), eyes)[None])
    delta, known = lip_similarity(*shapes, similarity)
    usable = torch.from_numpy(seen if similarity == "shape" else seen & np.roll(seen, 1))  # movement needs both frames
    known = (known & usable)[0]
    weights, has = run_weights(delta[0], known, torch.from_numpy(runs.frame_runs()), mode)
    distances = lip_distances(*shapes)[0].numpy() * seen
    delta = np.where(known.numpy(), delta[0].numpy(), np.nan)
    rows = []
    for number, (label, start, end) in enumerate(zip(runs.labels, runs.starts, runs.ends, strict=True)):
        spread = (None, None, None)
        if has[number]:
            spread = (float(np.nanmin(delta[start:end])), float(np.nanmax(delta[start:end])), float(weights[number]))
        sums = int(seen[start:end].sum()), float(distances[start:end].sum())
        rows.append(RunRow(PHONES[label], int(start), int(end), *sums, *spread))
    total = sum(row.loss * (1.0 if row.weight is None else row.weight) for row in rows) / max(1, int(seen.sum()))
    return LipReport(rows, total, delta, _by_phoneme(rows))


def _by_phoneme(rows):
    groups = {}
    for row in rows:
        if row.weight is not None:
            groups.setdefault(row.phoneme, []).append(row.weight)
    return {name: float(np.mean(groups[name])) for name in sorted(groups)}

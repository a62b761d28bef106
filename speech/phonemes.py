"""Temporal modules: the runs of video frames that belong to one phoneme (docs/methods.md, eq. (25), inferred).

Times are taken to the microsecond and compared with frame centres in whole numbers, so that an edge which lies on a centre, as
the 10 ms grid of aligners often puts it, falls to the same side however the float was rounded.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from common.errors import InputError
from speech.alignment import Interval
from speech.arpabet import NUMBER, PHONES, SILENCE

_TICKS = 1_000_000  # a second
_LARGEST_DENOMINATOR = 100_000  # keeps the products of a day of video inside 64 bits; 24000/1001 and 23.976 are exact


@dataclass(frozen=True, eq=False)
class Runs:
    """The frames of a video as runs of one phoneme each: sorted, without gap, neighbours of different labels.

    Attributes:
        labels: (R,) int64 phone classes, see `speech.arpabet.NUMBER`.
        starts, ends: (R,) int64 first frame of each run and the one after its last.
        fps: Fraction, frames a second.
        frames: N, of the video.
        lost: Intervals of phones that no frame was left for.
        moved: Intervals of phones that held no frame's centre and took the frame of a neighbour.
    """

    labels: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    fps: Fraction
    frames: int
    lost: tuple[Interval, ...] = ()
    moved: tuple[Interval, ...] = ()

    def __len__(self):
        return len(self.labels)

    @property
    def lengths(self):
        """(R,) int64 frames of each run."""
        return self.ends - self.starts

    def frame_labels(self):
        """(N,) int64 phone class of every frame."""
        return np.repeat(self.labels, self.lengths)

    def frame_runs(self):
        """(N,) int64 number of the run that every frame is in."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def as_json(self):
        """Plain dict: fps, frames, runs with phone, first frame, end (exclusive); lost and moved phones with their seconds."""
        runs = zip(self.labels.tolist(), self.starts.tolist(), self.ends.tolist(), strict=True)
        return {
            "fps": str(self.fps),
            "frames": self.frames,
            "runs": [{"phone": PHONES[label], "start": start, "end": end} for label, start, end in runs],
            "lost": [{"phone": one.label, "start": one.start, "end": one.end} for one in self.lost],
            "moved": [{"phone": one.label, "start": one.start, "end": one.end} for one in self.moved],
        }


def phoneme_runs(phones, fps, frames):
    """Phoneme runs of a video.

    Frame t belongs to the phone at (t + 1/2) / fps; a centre on an edge belongs to the phone that begins there. Neighbouring
    phones of one label are one run. A phone that holds no centre takes a frame from its neighbours in time, the last of the run
    before it or the first of the run after it, the one nearer to its middle if that run has others left, else the other one;
    else it is lost. Phones choose in order of time. Silence takes no frame: a pause without a centre vanishes. Frames before
    the first phone and after the last are silence; phones outside the video are left out and do not count as lost.

    Args:
        phones: Intervals sorted without gap or overlap, as `Alignment.phones`; () makes all frames silence.
        fps: frames a second: Fraction, int or float.
        frames: N of the video, >= 0.

    Returns:
        Runs; none where N is 0.

    Raises:
        InputError: fps is not a positive number.
        ValueError: phones have a gap, an overlap or an unknown label; frames is negative.
    """
    fps, frames = _check_rate(fps), int(frames)
    if frames < 0:
        raise ValueError(f"a video cannot have {frames} frames")
    return _Items(_tier(phones, fps, frames), fps, frames).settle()


def shuffled_runs(runs, seed):
    """The control: the same runs, labels with their lengths, in random order; neighbours that come to share a label merge.

    Args:
        runs: Runs.
        seed: as for numpy.random.default_rng; the same seed gives the same order.

    Returns:
        Runs of the same fps and frames, every label on as many frames as before; `lost` and `moved` are empty.
    """
    order = np.random.default_rng(seed).permutation(len(runs))
    return _joined(runs.labels[order], runs.lengths[order], runs.fps, runs.frames)


def _joined(labels, lengths, fps, frames, **more):
    """Runs from labels and lengths in order, equal neighbours merged."""
    labels, lengths = np.asarray(labels, np.int64), np.asarray(lengths, np.int64)
    edges = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    first = np.flatnonzero(np.diff(labels, prepend=-1))
    starts = edges[first]
    return Runs(labels[first], starts, np.append(starts[1:], edges[-1:])[: len(first)], fps, frames, **more)


def _check_rate(fps):
    try:
        exact = Fraction(fps).limit_denominator(_LARGEST_DENOMINATOR)
    except (ValueError, OverflowError, ZeroDivisionError, TypeError) as error:
        raise InputError(f"frame rate {fps} is not a number of frames a second") from error
    if exact <= 0:
        raise InputError(f"frame rate {fps} is not positive")
    return exact


def _tier(phones, fps, frames):
    """Phones inside the video, equal neighbours merged, silence around them so that every frame is covered."""
    end = (frames + 1) / float(fps)
    tier = []
    for one in phones:
        if one.label not in NUMBER:
            raise ValueError(f"{one.label!r} is no phone class")
        if one.start >= one.end or (tier and one.start != tier[-1].end):
            raise ValueError(f"phones have a gap or an overlap at {one.start} s")
        _push(tier, one)
    if not tier:
        return [Interval(0.0, end, SILENCE)]
    if tier[0].start > 0:
        tier.insert(0, Interval(0.0, tier[0].start, SILENCE))
    if tier[-1].end < end:
        _push(tier, Interval(tier[-1].end, end, SILENCE))
    return tier


def _push(tier, one):
    if tier and tier[-1].label == one.label:
        tier[-1] = replace(tier[-1], end=one.end)
    else:
        tier.append(one)


class _Items:
    """Phones with the frames whose centres they hold; `settle` gives frames to those that hold none."""

    def __init__(self, tier, fps, frames):
        ticks = np.rint(np.array([tier[0].start, *(one.end for one in tier)]) * _TICKS).astype(np.int64)
        self.fps, self.frames = fps, frames
        self.half_frame = fps.denominator * _TICKS  # in units of a tick over 2 fps.numerator, so that all are whole numbers
        # first t with (t + 1/2) / fps >= edge
        edges = -((self.half_frame - 2 * fps.numerator * ticks) // (2 * self.half_frame))
        edges = np.clip(edges, 0, frames)
        inside = (ticks[1:] > 0) & (ticks[:-1] * fps.numerator < frames * self.half_frame)
        held = edges[1:] > edges[:-1]
        silent = np.array([one.label == SILENCE for one in tier])
        keep = np.flatnonzero(held | (inside & ~silent))
        self.tier, self.first, self.end = [], [], []
        for index in keep.tolist():
            self._add(tier[index], int(edges[index]), int(edges[index + 1]))

    def _add(self, one, first, end):
        """Append a phone; where a vanished pause stood between two of one label they become one."""
        if self.tier and self.tier[-1].label == one.label:
            self.tier[-1] = replace(self.tier[-1], end=one.end)
            self.end[-1] = end
        else:
            self.tier.append(one)
            self.first.append(first)
            self.end.append(end)

    def settle(self):
        """Runs; phones without a frame are served from left to right."""
        labels, lengths, lost, moved = [], [], [], []
        at = 0  # the run that comes next in time
        for index, one in enumerate(self.tier):
            label = NUMBER[one.label]
            own = self.end[index] - self.first[index]
            if not own and not (labels and labels[-1] == label):
                at = self._next(max(at, index))
                own = self._take(one, lengths, at)
                (moved if own else lost).append(one)
            if labels and labels[-1] == label:
                lengths[-1] += own
            elif own:
                labels.append(label)
                lengths.append(own)
        return _joined(labels, lengths, self.fps, self.frames, lost=tuple(lost), moved=tuple(moved))

    def _next(self, index):
        while index < len(self.tier) and self.first[index] >= self.end[index]:
            index += 1
        return index

    def _take(self, one, lengths, after):
        """Take a frame from the run before or after phone `one`: 1, or 0 where neither has one to spare."""
        spare_before = bool(lengths) and lengths[-1] > 1
        spare_after = after < len(self.tier) and self.end[after] - self.first[after] > 1
        if spare_before and spare_after:
            frame = self.first[after]
            spare_before = self._distance(one, frame - 1) <= self._distance(one, frame)
        if spare_before:
            lengths[-1] -= 1
        elif spare_after:
            self.first[after] += 1
        return int(spare_before or spare_after)

    def _distance(self, one, frame):
        middle = (round(one.start * _TICKS) + round(one.end * _TICKS)) * self.fps.numerator
        return abs(middle - (2 * frame + 1) * self.half_frame)

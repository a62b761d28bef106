"""How far sound and lips are from each other, at every shift: LSE-D, LSE-C, AV offset, and the distance without a shift."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from common.errors import InputError
from metrics.rows import MAX_SHIFT

FPS = 25
WINDOW = 5  # frames that one embedding of the lips sees
_LEFT_OUT = 5  # windows are counted as the published code does: one fewer than there are


@dataclass(frozen=True)
class ShiftRule:
    """What is averaged at a shift, and how long a video must be for that; a judge names the rule that its embeddings need.

    Attributes:
        padded: sound beyond both ends of a run counts as an embedding of zeros, so that every window has a distance at every
            shift. False: only the windows that have sound at that shift are averaged.
        run: least windows of a run (consecutive windows of one face). Shorter runs enter no figure.
        overlap: least windows that the runs of a video have together at the largest shift.
        cosine: distances are 1 less the cosine of the embeddings; False: Euclidean.
        beyond: frames that a run has beyond its windows, for messages.
    """

    padded: bool
    run: int
    overlap: int
    cosine: bool = False
    beyond: int = _LEFT_OUT


# The published SyncNet: its code pads with zeros, and LSE-D and LSE-C are defined by that code.
PADDED = ShiftRule(padded=True, run=1, overlap=1)
# Embeddings of unit length: a zero is 1 away from everything, nearer than unrelated sound (1.41 for a right angle), so padded
# shifts would win. 25 windows are one second. A run of 25 has 10 windows with sound at a shift of 15 frames; shorter runs say
# little there, and 15 or fewer say nothing. 25 windows in all at the largest shift: with fewer, its mean is so much noisier
# than the mean without a shift that the least mean often lies at the ends of the search by chance (docs/evaluation.md).
OVERLAP = ShiftRule(padded=False, run=25, overlap=25)
# Judges by landmarks: an embedding for each frame, and cosines are what they learned from.
COSINES = ShiftRule(padded=False, run=25, overlap=25, cosine=True, beyond=0)


@dataclass(frozen=True)
class SyncScore:
    """What the expert says of one video.

    Attributes:
        distance: least mean distance over the shifts (LSE-D where the published SyncNet was asked).
        confidence: median of the mean distances over the shifts minus the least (LSE-C).
        offset: shift of the least one in frames, with the sign of syncnet_python: positive where the picture lags the sound.
        zero_distance: mean distance without a shift.
        curve: (31,) float64 mean distance at each offset from -15 to 15.
        windows: how many windows of five frames were compared; of a judge by landmarks, frames.
        left_out: windows of runs that were too short.
    """

    distance: float
    confidence: float
    offset: int
    zero_distance: float
    curve: np.ndarray
    windows: int
    left_out: int = 0

    @property
    def zero_confidence(self):
        """Confidence in no shift at all: the median of the mean distances less that without a shift."""
        return float(np.median(self.curve)) - self.zero_distance


def window_count(frames, samples, rate=16000):
    """Windows that picture and sound have in common: frames that both cover, less five; 0 when there are none.

    The last possible window is not used, as in the published code (docs/evaluation.md).

    Args:
        frames: video frames at 25 a second.
        samples: sound samples at `rate`.
    """
    return max(0, min(int(frames), int(samples) * FPS // rate) - _LEFT_OUT)


def score_sync(lips, sound, rule, max_shift=MAX_SHIFT):
    """`score_runs` of a single run; lips and sound (N, D)."""
    return score_runs([(lips, sound)], rule, max_shift)


def score_runs(runs, rule, max_shift=MAX_SHIFT):
    """Compare the embeddings of one video at every shift, as syncnet_python does for one run.

    Euclidean distances, or 1 less cosines, as the rule says. The mean of a shift is over the windows of all runs, so that each
    window counts once: a run of 100 windows weighs four times as much as one of 25. Distance, confidence and offset are taken
    from these means.

    Args:
        runs: list of (lips, sound), both (N, D) float32: an embedding for each window of five frames, and that of the sound
            which belongs to the same frames. N may differ between runs.
        rule: ShiftRule of the judge that made the embeddings; there is no default, for the wrong one makes wrong figures.
        max_shift: frames to either side.

    Returns:
        SyncScore.

    Raises:
        InputError: no window at all, no run is long enough, or too few windows have sound at the largest shift.
        ValueError: lips and sound differ in shape.
    """
    runs = [(torch.as_tensor(lips), torch.as_tensor(sound)) for lips, sound in runs]
    for lips, sound in runs:
        if lips.shape != sound.shape or lips.dim() != 2:
            raise ValueError(f"embeddings must both be (N, D), not {tuple(lips.shape)} and {tuple(sound.shape)}")
    used = [run for run in runs if len(run[0]) >= rule.run]
    _check_length([len(lips) for lips, _ in runs], used, rule, max_shift)
    found = [_shift_means(lips, sound, rule, max_shift) for lips, sound in used]
    means = found[0][0]
    if len(found) > 1:
        counts = torch.stack([count for _, count in found]).double()
        means = (torch.stack([mean for mean, _ in found]).double() * counts).sum(0) / counts.sum(0)
    least, at = torch.min(means, 0)
    curve = means.flip(0).double().cpu().numpy()  # from shifts of the sound to offsets of the picture
    windows = sum(len(lips) for lips, _ in used)
    return SyncScore(float(least), float(means.median() - least), max_shift - int(at), float(means[max_shift]), curve, windows,
                     sum(len(lips) for lips, _ in runs) - windows)


def _check_length(lengths, used, rule, max_shift):
    """InputError where the rule asks for more windows than there are."""
    longest = max(lengths, default=0)
    if not longest:
        least = rule.beyond + 1
        raise InputError(f"too short to be judged: sound and picture must have at least {least} frames in common")
    least = max(rule.run, rule.overlap + max_shift)
    needed = f"this sync expert needs {least + rule.beyond} frames with a face and sound in one piece, {FPS} a second"
    if not used:
        raise InputError(f"too short to be judged: the longest run has {longest + rule.beyond} frames; {needed}")
    heard = sum(len(lips) if rule.padded else max(0, len(lips) - max_shift) for lips, _ in used)
    if heard < rule.overlap:
        raise InputError(f"too short to be judged: at a shift of {max_shift} frames only {heard} windows have sound, and "
                         f"{rule.overlap} must have it; {needed}, or more in several pieces")


def _shift_means(lips, sound, rule, max_shift):
    """(2 max_shift + 1,) float32 mean distance of each shift of the sound, and int64 number of windows in each mean."""
    count, shifts = len(lips), range(-max_shift, max_shift + 1)
    if rule.padded:
        beyond = F.pad(sound, (0, 0, max_shift, max_shift))
        parts = [(lips, beyond[shift + max_shift : shift + max_shift + count]) for shift in shifts]
    else:
        parts = [(lips[max(0, -shift) : count - max(0, shift)], sound[max(0, shift) : count - max(0, -shift)])
                 for shift in shifts]
    distance = _angle if rule.cosine else F.pairwise_distance
    means = torch.stack([distance(*part).mean() for part in parts])
    return means, torch.tensor([len(part[0]) for part in parts])


def _angle(first, second):
    """1 less the cosine of vectors of unit length: (N, D), (N, D) -> (N,)."""
    return 1 - (first * second).sum(-1)

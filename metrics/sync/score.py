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
class SyncScore:
    """What the expert says of one video.

    Attributes:
        distance: least mean distance over the shifts (LSE-D where the published SyncNet was asked).
        confidence: median of the mean distances over the shifts minus the least (LSE-C).
        offset: shift of the least one in frames, with the sign of syncnet_python: positive where the picture lags the sound.
        zero_distance: mean distance without a shift.
        curve: (31,) float64 mean distance at each offset from -15 to 15.
        windows: how many windows of five frames were compared.
    """

    distance: float
    confidence: float
    offset: int
    zero_distance: float
    curve: np.ndarray
    windows: int


def window_count(frames, samples, rate=16000):
    """Windows that picture and sound have in common: frames that both cover, less five; 0 when there are none.

    The last possible window is not used, as in the published code (METHODS 5.2).

    Args:
        frames: video frames at 25 a second.
        samples: sound samples at `rate`.
    """
    return max(0, min(int(frames), int(samples) * FPS // rate) - _LEFT_OUT)


def score_sync(lips, sound, max_shift=MAX_SHIFT):
    """Compare the embeddings of one video at every shift (METHODS 5.2).

    Sound beyond both ends counts as an embedding of zeros. Euclidean distances; each shift's are averaged over all windows.

    Args:
        lips: (N, D) float32, one for each window of five frames, starting at frames 0, 1, ...
        sound: (N, D) float32, of the sound that belongs to the same frames.
        max_shift: frames to either side.

    Returns:
        SyncScore.

    Raises:
        InputError: no window at all.
        ValueError: the two differ in shape.
    """
    lips, sound = torch.as_tensor(lips), torch.as_tensor(sound)
    if lips.shape != sound.shape or lips.dim() != 2:
        raise ValueError(f"embeddings must both be (N, D), not {tuple(lips.shape)} and {tuple(sound.shape)}")
    count = len(lips)
    if not count:
        raise InputError(f"too short to be judged: sound and picture must have at least {_LEFT_OUT + 1} frames in common")
    padded = F.pad(sound, (0, 0, max_shift, max_shift))
    shifts = range(2 * max_shift + 1)
    means = torch.stack([F.pairwise_distance(lips, padded[shift : shift + count]).mean() for shift in shifts])
    least, at = torch.min(means, 0)
    curve = means.flip(0).double().cpu().numpy()  # from shifts of the sound to offsets of the picture
    return SyncScore(float(least), float(means.median() - least), max_shift - int(at), float(means[max_shift]), curve, count)

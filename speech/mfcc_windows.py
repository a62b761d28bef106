"""Windows of cepstral coefficients for single video frames: training and driving cut them with the same functions.

Column j of `speech.mfcc.mfcc` has its middle at sample 160 j + 200. Video frame l is on screen from l / fps to (l + 1) / fps.

* "published": as the published preparation of DAVS (Zhou et al. 2019, arXiv 1807.07860) at 25 frames a second: 20 columns,
  4 l - 8 to 4 l + 11 for frame l, counted from 0. The middle of the window is 7.5 ms later than that of the frame. At other
  rates (ours): the first 20 columns whose middle is not before the middle of the frame, so within one column at any rate.
* "centred" (ours): any number of columns, the middle of the window as near to the middle of the frame as it can be.
"""

import math
from fractions import Fraction

import numpy as np

from speech.mfcc import FRAME, STEP, SYNCNET, mfcc
from speech.waveform import SAMPLE_RATE
from speech.windows import checked_rate, window_start

COLUMNS = 20  # of a published window
PLACES = ("published", "centred")


def mfcc_window_start(frame, fps, *, columns=COLUMNS, place="published"):
    """First column of the window of a video frame; may be negative, may lie beyond the sound.

    Args:
        frame: index of the video frame, int.
        fps: frames a second, Fraction (int or float also taken, at its exact value).
        columns: of the window; 20 for "published".
        place: one of PLACES.

    Raises:
        InputError: fps is not positive.
        ValueError: unknown place, or another number of columns than the published one.
    """
    if place == "centred":
        return window_start(frame, fps, columns=columns, step=STEP, first=FRAME // 2)
    if place != "published" or columns != COLUMNS:
        raise ValueError(f"no place {place!r} for windows of {columns} columns")
    middle = Fraction(SAMPLE_RATE * (2 * int(frame) + 1), 2) / checked_rate(fps)
    return math.ceil((middle - FRAME // 2) / STEP - Fraction(COLUMNS - 1, 2))


def mfcc_windows(coefficients, frames, fps, *, columns=COLUMNS, place="published", recipe=SYNCNET):
    """The windows of many frames in one gather.

    Args:
        coefficients: (C, k) float32 of the whole sound, from speech.mfcc.mfcc by `recipe`; k may be 0.
        frames: n frame indices, in any order.
        fps, columns, place: as of `mfcc_window_start`.
        recipe: speech.mfcc.Recipe.

    Returns:
        (n, columns, C) float32, time x coefficient, contiguous; outside the sound what digital silence gives.
    """
    starts = [mfcc_window_start(frame, fps, columns=columns, place=place) for frame in frames]
    return gather_columns(coefficients, starts, columns, recipe)


def gather_columns(coefficients, starts, columns, recipe=SYNCNET):
    """Cut windows: (C, k) coefficients, n first columns -> (n, columns, C), digital silence outside; see `mfcc_windows`."""
    length = coefficients.shape[1]
    places = np.asarray(starts, np.int64).reshape(-1, 1) + np.arange(columns)
    outside = (places < 0) | (places >= length)
    if length == 0:
        return np.broadcast_to(silent_column(recipe), (*places.shape, len(coefficients))).copy()
    windows = np.ascontiguousarray(coefficients[:, np.clip(places, 0, length - 1)].transpose(1, 2, 0), np.float32)
    windows[outside] = silent_column(recipe)
    return windows


def silent_column(recipe):
    """(C,) float32: coefficients of digital silence; 0 where the recipe leaves the energy out."""
    if not recipe.energy:  # all filters give the same, and the transform of a constant is its first coefficient alone
        return np.zeros(recipe.coefficients, np.float32)
    return mfcc(np.zeros(FRAME), recipe)[:, 0]

"""Which audio belongs to which video frame: the one place that says so.

Time runs like this: mel column m is centred at m / 80 s; frame t is on screen from t / fps to (t + 1) / fps, so its centre is
(t + 1/2) / fps. A window is 16 mel columns, 200 ms.

Three modes:

* "centred" (ours): the middle of the window is the middle of the frames it belongs to, to the nearest column.
* "wav2lip": as the released inference, the window *begins* at column int(t * 80 / fps).
* "wav2lip_train": as the released training fed the generator, one frame earlier; released weights are in time with this one.
  The window of several frames, which the expert hears, was not shifted in training, and is not here.
"""

import math
from fractions import Fraction

import numpy as np

from common.errors import InputError
from speech.mel import MEL_RATE, SILENCE
from speech.waveform import SAMPLE_RATE

MEL_STEPS = 16
MODES = ("centred", "wav2lip", "wav2lip_train")


def mel_window_start(frame, fps, *, span=1, mode="centred"):
    """First mel column of the window of `span` frames from `frame` on; may be negative, may lie beyond the audio.

    "centred" is floor((frame + span/2) * 80 / fps - 15/2 + 1/2), in exact rational arithmetic: nearest, halves rounded up, no
    drift however long the video. The other two modes use the floating-point expressions of the released code, digit for digit;
    frame 0 of "wav2lip_train", which that code skips, continues the pattern before zero.

    Args:
        frame: index of the first video frame, int.
        fps: frames a second, Fraction (int or float also taken, at its exact value).
        span: frames that the window belongs to: 1 for the generator, 5 for the expert.
        mode: one of MODES.

    Raises:
        InputError: fps is not positive.
        ValueError: unknown mode, span < 1.
    """
    return _start(int(frame), _check(fps, span, mode), span, mode)


def _start(frame, fps, span, mode):
    if mode == "centred":
        return (2 * frame + span) * (MEL_RATE // 2) * fps.denominator // fps.numerator - (MEL_STEPS // 2 - 1)
    if mode == "wav2lip_train":
        first = frame - 1 if span == 1 else frame
        return math.floor(80.0 * (first / float(fps)))
    return math.floor(frame * (80.0 / float(fps)))


def window_start(frame, fps, *, columns, step, first, span=1):
    """First column of the window of any feature, such that its middle is the middle of the frames it belongs to.

    The rule of "centred" for a feature whose column j has its middle at sample `first` + j * `step`: nearest, halves rounded
    up, in exact rational arithmetic. For the mel, 16 columns, step 200, first 0, it is `mel_window_start`.

    Args:
        frame: index of the first video frame, int; fps: frames a second; span: frames that the window belongs to.
        columns: of the window; step: samples from one column to the next; first: sample in the middle of column 0.

    Returns:
        int, may be negative.

    Raises:
        InputError: fps is not positive.
    """
    middle = Fraction(SAMPLE_RATE * (2 * int(frame) + span), 2) / _check(fps, span, "centred")
    return math.floor((middle - first) / step - Fraction(columns - 1, 2) + Fraction(1, 2))


def mel_window(mel, frame, fps, *, span=1, mode="centred"):
    """The window of one frame: (80, m) mel -> (80, 16), with silence (-4) outside the audio. See `mel_window_start`."""
    return gather_windows(mel, [mel_window_start(frame, fps, span=span, mode=mode)])[0]


def mel_windows(mel, frames, fps, *, span=1, mode="centred"):
    """The windows of many frames in one gather.

    Args:
        mel: (80, m) float32, a memory map as well.
        frames: n frame indices, in any order.
        fps, span, mode: as in `mel_window_start`.

    Returns:
        (n, 80, 16) of mel's dtype, contiguous; silence (-4) outside the audio.
    """
    fps = _check(fps, span, mode)
    return gather_windows(mel, [_start(int(frame), fps, span, mode) for frame in frames])


def gather_windows(mel, starts):
    """Cut windows of 16 columns: (80, m) mel, n first columns -> (n, 80, 16), silence (-4) outside the audio."""
    mel = np.asarray(mel)
    starts = np.asarray(starts, dtype=np.int64).reshape(-1, 1)
    length = mel.shape[1]
    if length == 0:
        return np.full((len(starts), mel.shape[0], MEL_STEPS), SILENCE, dtype=mel.dtype)
    columns = starts + np.arange(MEL_STEPS)
    outside = (columns < 0) | (columns >= length)
    windows = np.ascontiguousarray(mel[:, np.clip(columns, 0, length - 1)].transpose(1, 0, 2))
    if outside.any():
        windows = np.where(outside[:, None, :], windows.dtype.type(SILENCE), windows)
    return windows


def wav2lip_inference_starts(n_mel_columns, fps):
    """First columns of all windows of the released inference loop, one for each output frame.

    Window i begins at int(i * (80. / fps)); the first one that would pass the end is replaced by the last 16 columns and ends
    the list, so the video stops up to 200 ms before the sound. Audio of fewer than 16 columns breaks the released code; here it
    yields one window that ends with the audio (a negative start, filled with silence).

    Args:
        n_mel_columns: m of the (80, m) mel.
        fps: frames a second.

    Returns:
        list of int, at least one.
    """
    step = 80.0 / float(_check(fps, 1, "wav2lip"))
    starts = []
    while (start := int(len(starts) * step)) + MEL_STEPS <= n_mel_columns:
        starts.append(start)
    return [*starts, n_mel_columns - MEL_STEPS]


def frame_count(n_samples, fps, rate=SAMPLE_RATE):
    """Video frames that cover `n_samples` of audio at `rate`: ceil(n_samples / rate * fps), exact.

    Raises:
        InputError: fps is not positive.
    """
    fps = _check(fps, 1, "centred")
    return -(-int(n_samples) * fps.numerator // (int(rate) * fps.denominator))


def _check(fps, span, mode):
    if mode not in MODES:
        raise ValueError(f"unknown audio window mode {mode!r}; choose one of {', '.join(MODES)}")
    if span < 1:
        raise ValueError(f"span must be at least 1, not {span}")
    return checked_rate(fps)


def checked_rate(fps):
    """A frame rate as a Fraction; InputError where it is no positive number."""
    try:
        fps = Fraction(fps)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise InputError(f"frame rate {fps} is not a number of frames a second; give one with --fps") from error
    if fps <= 0:
        raise InputError(f"frame rate {fps} is not positive; give one with --fps")
    return fps

"""The log mel of PC-AVS: what its audio encoder hears. One column every 10 ms, 20 of them for a video frame.

Source: the published code of Zhou et al. 2021 (arXiv 2104.11116), `config/AudioConfig.py` and `data/voxtest_dataset.py`. Its
short transform is that of the package lws in its mode "speech", written here with numpy alone. That package multiplies frames
of N = 1280 samples, H = 160 samples apart, by sqrt(2 H / N hann), hann(n) = (1 - cos(2 pi (n + 1/2) / N)) / 2, after it has put
N - H zeros before the sound and after it. So column j hears the samples from 160 j - 1120 on, and its middle is sample
160 j - 480.

The window of video frame t at 25 frames a second is columns 4 t - 8 to 4 t + 11, as published. These would lie about the
middle of the frame if column j had its middle at sample 160 j; as it has not, the window's middle is 35 ms before that of the
frame. "centred" (ours) is the window whose middle is nearest to that of the frame: four columns later at 25 frames a second.
"""

from functools import lru_cache

import numpy as np

from speech.mel import N_MELS, check_waveform, mel_filter_bank
from speech.windows import window_start

N_FFT, HOP = 1280, 160
FMIN, FMAX = 125.0, 7600.0
RMS, LEAST_RMS = 0.1, 1e-4  # what the loudness of a sound becomes; what its own counts as at least
REFERENCE_DB, FLOOR_DB = 20.0, -100.0
COLUMNS = 20  # of a window, 0.2 s
BEFORE = N_FFT - HOP  # zeros before the sound
# The sample that counts as the middle of column 0; the first gives the published columns at 25 frames a second.
MIDDLES = {"published": HOP // 2, "centred": N_FFT // 2 - BEFORE}
PLACES = tuple(MIDDLES)


def loudness(waveform):
    """Factor that brings a sound to the published root mean square, 0.1: float.

    Args:
        waveform: (n,) float in [-1, 1] of the whole sound; quieter than a mean square of 1e-4 squared counts as that.

    Raises:
        InputError: the waveform is empty or has samples that are not finite.
    """
    return RMS / max(LEAST_RMS, float(np.sqrt(np.mean(np.square(check_waveform(waveform))))))


def column_count(samples):
    """Columns of a sound of so many samples: 7 + ceil(n / 160)."""
    return -(-samples // HOP) + N_FFT // HOP - 1


def log_mel(waveform):
    """Log mel of a whole sound at the published loudness.

    Magnitudes, 80 Slaney mels from 125 to 7600 Hz, 20 log10(max(1e-5, x)) - 20 dB, [-100, 0] dB mapped to [0, 1] and clipped.

    Args:
        waveform: (n,) float in [-1, 1], 16 kHz, n >= 1.

    Returns:
        (80, column_count(n)) float32 in [0, 1]; digital silence is 0.

    Raises:
        InputError: the waveform is empty or has samples that are not finite.
    """
    waveform = check_waveform(waveform)
    return log_mel_columns(waveform * loudness(waveform), 0, column_count(len(waveform)))


def log_mel_columns(samples, first, count, begin=0):
    """Some columns, from samples whose loudness is settled already.

    Args:
        samples: (n,) float, a piece of the sound; digital silence is heard where it has none.
        first: first column, may be negative; count: number of columns.
        begin: number in the sound of the first sample of the piece.

    Returns:
        (80, count) float32 in [0, 1].
    """
    start, end = (sample - begin for sample in heard(first, count))
    inside = np.asarray(samples[max(start, 0) : max(end, 0)], np.float64)
    before = max(0, min(-start, end - start))
    padded = np.pad(inside, (before, end - start - before - len(inside)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    magnitude = np.abs(np.fft.rfft(frames * _window(), axis=1))
    decibels = 20 * np.log10(np.maximum(10 ** (FLOOR_DB / 20), mel_filter_bank(N_FFT, FMIN, FMAX) @ magnitude.T)) - REFERENCE_DB
    return np.clip((decibels - FLOOR_DB) / -FLOOR_DB, 0, 1).astype(np.float32)


def heard(first, count):
    """(start, end): the samples that `count` columns hear from column `first` on; they may lie outside the sound."""
    start = first * HOP - BEFORE
    return start, start + (count - 1) * HOP + N_FFT


def log_mel_start(frame, fps, *, place="published"):
    """First column of the window of a video frame; may be negative, may lie beyond the sound.

    Args:
        frame: index of the video frame, int.
        fps: frames a second, Fraction (int or float also taken, at its exact value). "published" is ours at rates other than
            25.
        place: one of PLACES.

    Raises:
        InputError: fps is not positive. ValueError: unknown place.
    """
    if place not in MIDDLES:
        raise ValueError(f"no place {place!r}; choose one of {', '.join(PLACES)}")
    return window_start(frame, fps, columns=COLUMNS, step=HOP, first=MIDDLES[place])


def log_mel_windows(mel, frames, fps, *, place="published"):
    """The windows of many frames in one gather.

    Args:
        mel: (80, m) float32 of the whole sound, from `log_mel`; m may be 0.
        frames: n frame indices, in any order; fps, place: as of `log_mel_start`.

    Returns:
        (n, 1, 80, 20) float32, contiguous; 0 outside the sound.
    """
    starts = [log_mel_start(frame, fps, place=place) for frame in frames]
    places = np.asarray(starts, np.int64).reshape(-1, 1) + np.arange(COLUMNS)
    outside = (places < 0) | (places >= mel.shape[1])
    if mel.shape[1] == 0:
        return np.zeros((len(places), 1, N_MELS, COLUMNS), np.float32)
    windows = np.ascontiguousarray(mel[:, np.clip(places, 0, mel.shape[1] - 1)].transpose(1, 0, 2), np.float32)
    return np.where(outside[:, None, :], np.float32(0), windows)[:, None]


@lru_cache(maxsize=1)
def _window():
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(N_FFT) + 0.5) / N_FFT)
    return np.sqrt(2 * HOP / N_FFT * hann)

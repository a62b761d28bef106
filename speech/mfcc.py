"""Mel-frequency cepstral coefficients with the defaults of python_speech_features: what SyncNet's audio tower hears.

Source: METHODS 5.2; Chung and Zisserman 2016, whose published code calls python_speech_features.mfcc on the 16-bit samples of a
wav file. Written anew; the tests hold it against that package.
"""

from functools import lru_cache

import numpy as np

from speech.mel import check_waveform, preemphasis
from speech.waveform import SAMPLE_RATE

FRAME = 400
STEP = 160
N_FFT = 512
N_FILTERS = 26
N_CEPSTRA = 13
LIFTER = 22
MFCC_RATE = SAMPLE_RATE // STEP
_EPSILON = np.finfo(np.float64).eps
_BLOCK = 4096


def mfcc(waveform, *, as_int16=True):
    """13 coefficients every 10 ms from frames of 25 ms; the first is the log energy of the frame.

    Pre-emphasis 0.97, no window function, 512-point power spectrum over 512, 26 triangular filters from 0 to 8 kHz, log,
    orthonormal DCT-II, sine lifter 22. The last frame is filled with zeros. Column j begins at sample 160 j.

    SyncNet's code reads the wav file with scipy, hence sees integers: loudness shifts the zeroth coefficient by a constant, and
    what is quieter than half a step becomes exact zero. `as_int16` reproduces both, by `to_int16`. Its window for video frame t
    (25 fps) is columns 4 t to 4 t + 20.

    Args:
        waveform: (n,) float in [-1, 1], 16 kHz, n >= 1.
        as_int16: quantise to 16-bit integers first (SyncNet); False takes the values as they are.

    Returns:
        (13, k) float32, k = 1 + ceil(max(0, n - 400) / 160).

    Raises:
        InputError: the waveform is empty or has samples that are not finite.
    """
    waveform = check_waveform(waveform)
    emphasised = preemphasis(to_int16(waveform) if as_int16 else waveform)
    columns = 1 + max(0, -(-(len(emphasised) - FRAME) // STEP))
    padded = np.pad(emphasised, (0, (columns - 1) * STEP + FRAME - len(emphasised)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::STEP]
    result = np.empty((N_CEPSTRA, columns), dtype=np.float32)
    for start in range(0, columns, _BLOCK):
        result[:, start:start + _BLOCK] = _cepstra(frames[start:start + _BLOCK])
    return result


def to_int16(waveform):
    """The 16-bit samples that a wav file of this waveform holds: round(32768 x), saturated. (n,) -> (n,) int16.

    Rounding half to even and saturating is what ffmpeg does without dither (inferred from its sample conversion).
    """
    return np.clip(np.rint(np.asarray(waveform, dtype=np.float64) * 32768), -32768, 32767).astype(np.int16)


def _cepstra(frames):
    """(k, 400) samples -> (13, k) coefficients."""
    power = np.abs(np.fft.rfft(frames, N_FFT, axis=1)) ** 2 / N_FFT
    energy = _no_zero(power.sum(axis=1))
    bands = np.log(_no_zero(power @ _filter_bank().T))
    cepstra = _dct() @ bands.T
    cepstra[0] = np.log(energy)
    return cepstra


def _no_zero(values):
    return np.where(values == 0, _EPSILON, values)


@lru_cache(maxsize=1)
def _filter_bank():
    """(26, 257) triangles whose corners lie on whole bins; mel = 2595 log10(1 + f / 700)."""
    mels = np.linspace(0, 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700), N_FILTERS + 2)
    corners = np.floor((N_FFT + 1) * 700 * (10 ** (mels / 2595) - 1) / SAMPLE_RATE)[:, None]
    bins = np.arange(N_FFT // 2 + 1)
    lower, centre, upper = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins >= lower) & (bins < centre)
    falling = (bins >= centre) & (bins < upper)
    return np.where(rising, (bins - lower) / np.maximum(centre - lower, 1), 0) + np.where(
        falling, (upper - bins) / np.maximum(upper - centre, 1), 0)


@lru_cache(maxsize=1)
def _dct():
    """(13, 26): orthonormal DCT-II of 26 bands, first 13 rows, each times its lifter weight 1 + 11 sin(pi k / 22)."""
    k, n = np.arange(N_CEPSTRA)[:, None], np.arange(N_FILTERS)
    basis = np.cos(np.pi * k * (2 * n + 1) / (2 * N_FILTERS)) * np.sqrt(2.0 / N_FILTERS)
    basis[0] /= np.sqrt(2)
    return basis * (1 + LIFTER / 2 * np.sin(np.pi * k / LIFTER))

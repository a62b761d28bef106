"""The mel spectrogram of Wav2Lip: what the audio encoders of the generator and of the colour expert hear.

Source: Prajwal et al. 2020 (arXiv 2008.10010), whose numbers go back to the Tacotron pre-processing; docs/methods.md, eq. (2).
Written with numpy alone; the tests hold it against the same recipe in librosa.
"""

from functools import lru_cache

import numpy as np

from common.errors import InputError
from speech.waveform import SAMPLE_RATE

N_FFT = 800
HOP = 200
N_MELS = 80
FMIN, FMAX = 55.0, 7600.0
PREEMPHASIS = 0.97
REFERENCE_DB = 20.0
FLOOR_DB = -100.0
MAX_ABS = 4.0
SILENCE = -MAX_ABS
MEL_RATE = SAMPLE_RATE // HOP
_BLOCK = 2048


def mel_spectrogram(waveform):
    """Log mel spectrogram with Wav2Lip's settings, 80 columns a second.

    Pre-emphasis 0.97; magnitude of an 800-point transform every 200 samples under a periodic Hann window, zeros beyond both
    ends; 80 Slaney mels from 55 to 7600 Hz; 20 log10(max(1e-5, x)) - 20 dB; [-100, 0] dB mapped to [-4, 4] and clipped. All in
    float64 until the end. Column m is centred at sample 200 m, which is m / 80 s. Zeros beyond the ends are what librosa 0.11
    does by default; the librosa of 2020 mirrored the signal there, which changes the two outermost columns at either end.

    Args:
        waveform: (n,) float in [-1, 1], 16 kHz, n >= 1.

    Returns:
        (80, 1 + n // 200) float32 in [-4, 4]; digital silence is -4 everywhere.

    Raises:
        InputError: the waveform is empty or has samples that are not finite.
    """
    emphasised = preemphasis(check_waveform(waveform))
    columns = 1 + len(emphasised) // HOP
    padded = np.pad(emphasised, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    bank = mel_filter_bank()
    mel = np.empty((N_MELS, columns), dtype=np.float32)
    for start in range(0, columns, _BLOCK):
        magnitude = np.abs(np.fft.rfft(frames[start:start + _BLOCK] * window, axis=1))
        mel[:, start:start + _BLOCK] = _normalise(bank @ magnitude.T)
    return mel


def check_waveform(waveform):
    """Return `waveform` as (n,) float64; raise InputError when it is empty or not finite."""
    waveform = np.asarray(waveform, dtype=np.float64)
    if waveform.ndim != 1:
        raise ValueError(f"waveform must be (n,), not {waveform.shape}")
    if waveform.size == 0:
        raise InputError("the audio is empty; give audio with at least one sample")
    if not np.isfinite(waveform).all():
        raise InputError("the audio holds samples that are NaN or infinite; export it again")
    return waveform


def preemphasis(waveform, coefficient=PREEMPHASIS):
    """First-order high pass y[n] = x[n] - coefficient x[n - 1], with x[-1] = 0. (n,) -> (n,) float64."""
    emphasised = np.array(waveform, dtype=np.float64)
    emphasised[1:] -= coefficient * emphasised[:-1]
    return emphasised


@lru_cache(maxsize=4)
def mel_filter_bank(n_fft=N_FFT, fmin=FMIN, fmax=FMAX):
    """Triangular filters on the Slaney mel scale, each of unit area: (80, 1 + n_fft // 2) float64, read-only.

    The scale (Slaney, Auditory Toolbox, 1998) is linear up to 1 kHz at 200/3 Hz a mel, then logarithmic with 27 mels for a
    factor of 6.4. Weights pass through float32, which is what librosa returns and what released networks were trained on.
    """
    edges = _mel_to_hz(np.linspace(_hz_to_mel(fmin), _hz_to_mel(fmax), N_MELS + 2))[:, None]
    bins = np.arange(n_fft // 2 + 1) * (SAMPLE_RATE / n_fft)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre))
    bank = (np.maximum(triangles, 0) * (2.0 / (upper - lower))).astype(np.float32).astype(np.float64)
    bank.setflags(write=False)
    return bank


_LINEAR_HZ_PER_MEL = 200.0 / 3
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27


def _hz_to_mel(hz):
    return hz / _LINEAR_HZ_PER_MEL if hz < _KNEE_HZ else _KNEE_MEL + np.log(hz / _KNEE_HZ) / _LOG_STEP


def _mel_to_hz(mel):
    logarithmic = _KNEE_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _KNEE_MEL) - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * _LINEAR_HZ_PER_MEL, logarithmic)


def _normalise(magnitude):
    """Mel magnitudes to decibels to [-4, 4]."""
    decibels = 20 * np.log10(np.maximum(10 ** (FLOOR_DB / 20), magnitude)) - REFERENCE_DB
    return np.clip(2 * MAX_ABS * (decibels - FLOOR_DB) / -FLOOR_DB - MAX_ABS, -MAX_ABS, MAX_ABS)

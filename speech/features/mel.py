"""The mel window of each frame of 25 a second, flat: the feature that needs no package."""

import numpy as np

from speech.mel import mel_spectrogram
from speech.windows import MEL_STEPS, mel_windows

MEL = 80 * MEL_STEPS


def mel_feature(waveform, first, count):
    """(n,) float32 in [-1, 1], 16 kHz -> (count, 1280) float32 in [-4, 4]; see `speech.features`."""
    if count <= 0:
        return np.empty((0, MEL), np.float32)
    mel = mel_spectrogram(np.asarray(waveform, np.float32))
    return mel_windows(mel, range(first, first + count), 25).reshape(count, MEL).astype(np.float32, copy=False)

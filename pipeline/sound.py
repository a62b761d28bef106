"""The sound of a result: as it was given, and as networks hear it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from common.errors import InputError
from media import decode_audio
from speech.mel import mel_spectrogram
from speech.waveform import to_waveform


@dataclass(frozen=True)
class Sound:
    """What is heard.

    Attributes:
        samples: (channels, n) float32 at `rate`, for the result's sound track.
        rate: samples a second.
        waveform: (n,) float32 in [-1, 1], 16 kHz mono.
    """

    samples: np.ndarray
    rate: int
    waveform: np.ndarray

    @staticmethod
    def read(path, what="audio"):
        """Decode the sound of an audio or video file.

        Args:
            path: the file.
            what: what it was given for, for messages.

        Raises:
            InputError: no sound track, no sample, or samples that are not numbers.
        """
        samples, rate = decode_audio(path, what)
        try:
            waveform = to_waveform(samples, rate)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return Sound(samples, rate, waveform)

    @cached_property
    def mel(self):
        """(80, m) float32 in [-4, 4], 80 columns a second; computed when it is first asked for."""
        return mel_spectrogram(self.waveform)

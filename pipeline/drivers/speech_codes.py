"""What lips hear of a clip: speech features at 25 frames a second, and movements brought to the result's own rate."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from speech.arpabet import NUMBER, SILENCE
from speech.features import FRAME_RATE, features
from speech.phonemes import phoneme_runs

PIECE = 1500  # frames of a movement that are made at once
BEYOND = 2  # frames of movement before the first and after the last one, from which those at the ends are interpolated


@dataclass(frozen=True)
class SpeechCodes:
    """Speech features of a whole clip.

    Attributes:
        features: (T + 2 margin, D) float32, 25 a second; row margin + BEYOND is that of the clip's first frame.
        fps: Fraction, frames a second of the result; frames: its length.
        phonemes: (T,) int64, class of the phoneme that is spoken, 25 a second, the clip from BEYOND on; or None.
    """

    features: np.ndarray
    fps: Fraction
    frames: int
    phonemes: np.ndarray | None = None

    @staticmethod
    def hear(name, waveform, fps, frames, margin, phones=None):
        """Of a waveform (n,) float32, 16 kHz; `margin`: frames that are heard before and after each one.

        `phones`: of speech.alignment.Alignment, for a network that asks for phonemes; beyond the clip there is silence.

        Raises:
            InputError: a package that the features need is missing.
        """
        count = _count(frames, Fraction(fps))
        heard = features(name, waveform, -margin - BEYOND, count + 2 * margin)
        phonemes = None
        if phones is not None:
            own = phoneme_runs(phones, FRAME_RATE, count - 2 * BEYOND).frame_labels()
            phonemes = np.pad(own, BEYOND, constant_values=NUMBER[SILENCE])
        return SpeechCodes(heard, Fraction(fps), frames, phonemes)

    def __len__(self):
        return self.frames

    def __getitem__(self, numbers):
        """The frames' own numbers: movements hang together and are made for many frames at once, see `LipwarpDriver.look`."""
        return numbers

    def at_rate(self, make, numbers):
        """Movements at 25 frames a second, from BEYOND frames before the clip on, at the middles of frames of the result.

        Args:
            make: function of first, last -> (last - first, ...) float32 movements. It is asked for those about `numbers` alone.
            numbers: (n,) int, one or more, ascending.

        Returns:
            (n, ...) float32; cubic between (Catmull-Rom), the same numbers where the result has 25 frames a second.
        """
        middles = (np.asarray(numbers) + 0.5) * float(FRAME_RATE / self.fps) - 0.5 + BEYOND
        first, last = max(0, int(middles[0]) - 2), min(_count(self.frames, self.fps), int(middles[-1]) + 4)
        return cubic(make(first, last), middles - first)


def _count(frames, fps):
    """Movements, 25 a second, that a result of so many frames asks for: BEYOND before and after it, too."""
    return -int(-frames * FRAME_RATE // fps) + 2 * BEYOND


def in_pieces(make, frames, overlap, first=0, last=None):
    """What `make` gives for all frames, made piece by piece, so that what is made on the way does not grow with the length.

    Args:
        make: function of first, last -> (last - first, ...) array of these frames.
        frames: int, all of them.
        overlap: frames to either side that a frame depends on; a piece is made with so many more, which are cut off.
        first, last: of the frames that are wanted; None: up to the end.
    """
    parts, last = [], frames if last is None else last
    for start in range(first, max(last, first + 1), PIECE):
        begin, end = max(0, start - overlap), min(last, start + PIECE)
        parts.append(make(begin, min(frames, end + overlap))[start - begin : end - begin])
    return np.concatenate(parts)


def cubic(values, places):
    """Catmull-Rom interpolation of (T, ...) values at places (n,) in frames; the ends are repeated -> (n, ...) float32."""
    places = np.clip(places, 0, len(values) - 1)
    first = np.floor(places + 1e-9).astype(np.int64)
    t = np.maximum(places - first, 0)
    weights = np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], 1) / 2
    around = np.clip(first[:, None] + np.arange(-1, 3), 0, len(values) - 1)
    out = np.zeros((len(places), *values.shape[1:]), np.float32)
    for column in range(4):
        out += weights[:, column].reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32) * values[around[:, column]]
    return out

"""What networks hear: numbers of the sound at every frame of 25 a second, by one contract.

`features(name, waveform, first, count)` -> (count, width) float32: row k belongs to frame `first + k`, whose middle is at
(first + k + 1/2) / 25 s. Frames before the sound's beginning and after its end hear silence. An impulse in the sound shows in
the row of its frame (a test, for each kind).
"""

from common.suggest import refuse_unknown
from speech.features.embedding import EMBEDDING, speech_embedding
from speech.features.mel import MEL, mel_feature

__all__ = ["FEATURES", "FRAME", "FRAME_RATE", "features", "width_of"]

FRAME_RATE = 25
FRAME = 640  # samples of a frame
FEATURES = {"embedding": (EMBEDDING, speech_embedding), "mel": (MEL, mel_feature)}  # name: (width, function)


def width_of(name):
    """Numbers a frame of a kind of feature; InputError for an unknown one."""
    refuse_unknown([name], FEATURES, "kind of speech feature")
    return FEATURES[name][0]


def features(name, waveform, first, count):
    """Features of `count` frames from frame `first` on, which may be negative.

    Args:
        name: a key of FEATURES. "embedding": mid ++ fin layers of Google's speech embedding, 288 numbers; "mel": a window of
            the log mel spectrogram, 1,280 numbers.
        waveform: (n,) float32 in [-1, 1], 16 kHz mono.

    Returns:
        (count, width) float32.

    Raises:
        InputError: an unknown kind, or a package that it needs is missing.
    """
    width_of(name)
    return FEATURES[name][1](waveform, int(first), int(count))

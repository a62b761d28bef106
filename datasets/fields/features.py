"""The field of speech features: what networks hear of each frame, of the clip's own voice or of a changed one."""

import numpy as np

from common.errors import InputError
from datasets.fields.registry import FIELDS, register
from datasets.speech import MARGIN
from speech.features import FRAME_RATE, width_of
from speech.windows import mel_windows


def _check(options):
    width_of(options["features"])
    if type(options["margin"]) is not int or not 0 <= options["margin"] <= MARGIN:
        raise InputError(f"margin: {options['margin']!r}: must be a whole number of frames between 0 and {MARGIN}")


@register(
    "speech", "(T + 2 M, D)", "float32", "any",
    "speech features (speech.features) of the frames from M before the window to M after it; D: 288 embedding, 1280 mel",
    options={"features": "embedding", "margin": 0}, check=_check, voices=True,
    arrays=(("waveform",), ("mel",)),
)  # fmt: skip
def speech(window):
    margin = window.options["margin"]
    frames = np.arange(window.start - margin, window.start + window.length + margin)
    if window.options["features"] == "embedding":
        stored = window.data.kept.speech(window.number).embedding(window.voice.number)
        return stored[np.minimum(frames + MARGIN, len(stored) - 1)].astype(np.float32)
    own = window.voice.number == 0
    mel = window.clip["mel"] if own else window.data.kept.speech(window.number).mel(window.voice.number)
    return window.sound(mel_windows(mel, frames, FRAME_RATE)).reshape(len(frames), -1)


def check_changes(fields, options, augment):
    """InputError where changes of the sound are asked for, and all that is heard is the embedding, which is stored as it is.

    Args:
        fields: names; options: dict of field -> its options; augment: dict of strengths, or None.
    """
    if "speech" not in fields or options["speech"]["features"] == "mel" or any(FIELDS[name].sound for name in fields):
        return
    for key in ("gain_db", "noise", "silence"):
        if (augment or {}).get(key):
            raise InputError(f"data.augment.{key}: changes nothing where the speech embedding is heard; set it to 0, and "
                             "data.augment.voice above 0, or let the network hear the mel")  # fmt: skip

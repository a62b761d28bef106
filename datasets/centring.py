"""Windows that are centred on a spoken word: `data.centre` of a config."""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from common.suggest import refuse_unknown

CENTRES = ("word", "known")
JITTER = 1  # frames by which a window of training is moved at most


@dataclass(frozen=True)
class Spoken:
    """The word that a window is centred on.

    Attributes:
        number: its class in the vocabulary of the corpus.
        middle: second of the clip at which the middle of the word is heard.
    """

    number: int
    middle: float


def check_centre(centre, cut):
    """InputError for a centre that is none, or that goes not with windows of phoneme runs."""
    if centre is None:
        return
    refuse_unknown([centre], CENTRES, "data.centre")
    if cut != "frames":
        raise InputError("data.centre: windows of whole phoneme runs cannot be centred on words; give data.window a number of "
                         "frames")  # fmt: skip


def draw_word(times, classes, rng):
    """One of the words of a clip, all alike: (K, 2) seconds, (K,) classes -> Spoken; None where K is 0."""
    if not len(classes):
        return None
    pick = int(rng.integers(len(classes)))
    return Spoken(int(classes[pick]), float(times[pick].mean()))


def centred_start(word, fps, frames, window, jitter, rng):
    """First frame of a window whose frame `window // 2` is that in which the middle of a word is heard.

    Args:
        word: Spoken; fps: frames a second of the clip, or of its changed voice; frames: of the clip or voice.
        window: frames of the window, no more than `frames`.
        jitter: frames by which it is moved at most, drawn from the numpy Generator `rng`; 0 draws nothing.

    Returns:
        int in [0, frames - window]: near the ends of the clip the word is not in the middle of the window.
    """
    start = int(np.floor(word.middle * float(fps))) - window // 2
    if jitter:
        start += int(rng.integers(-jitter, jitter + 1))
    return min(max(start, 0), frames - window)

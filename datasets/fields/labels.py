"""Fields of labels: phonemes and their runs, words, what pads a window, and which window it is."""

import numpy as np

from datasets.fields.registry import register
from datasets.words import NO_WORD


@register(
    "phoneme", "(T,)", "int64", "0 ... 39", "class of the phoneme in each frame (speech.arpabet.PHONES)", clips="phones",
    voices=True,
)  # fmt: skip
def phoneme(window):
    return window.labels(window.runs.frame_labels()).astype(np.uint8)


@register(
    "run", "(T,)", "int64", "0 ... T - 1", "number of each frame's phoneme run in the window", clips="phones", voices=True
)
def run(window):
    runs = window.labels(window.runs.frame_runs())
    return np.cumsum(np.diff(runs, prepend=runs[:1]) != 0).astype(np.int16)  # a fast voice may leave out a short run


@register(
    "word", "(T,)", "int64", "-1 ...", "class of the word in each frame (vocabulary of the corpus), -1 where no word is known",
    clips="words", voices=True,
)  # fmt: skip
def word(window):
    return window.labels(window.data.kept.words(window.number))


@register(
    "spoken_word", "()", "int64", "-1 ...",
    "class of the word that the window is centred on (data.centre), else of the one in its middle frame; -1 where no word is "
    "known", voices=True,
)  # fmt: skip
def spoken_word(window):
    if window.data.centre is not None:
        return np.int64(NO_WORD if window.word is None else window.word.number)
    return np.int64(window.labels(window.data.kept.words(window.number))[window.length // 2])


@register(
    "speaker", "()", "int64", "-1 ...", "number of the person among those of the training split, sorted by name; -1 for others",
    voices=True,
)  # fmt: skip
def speaker(window):
    return np.int64(window.data.person(window.row.speaker))


@register("valid", "(T,)", "float32", "0 or 1", "0 in frames that only pad a window of whole phoneme runs", voices=True)
def valid(window):
    return (np.arange(window.length) < window.count).astype(np.uint8)


@register("clip", "()", "int64", "0 ...", "number of the clip in the split", voices=True)
def clip(window):
    return np.int64(window.number)


@register("frame", "()", "int64", "0 ...", "first frame of the window in the clip, or in its changed voice", voices=True)
def frame(window):
    return np.int64(window.start)

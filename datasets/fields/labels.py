"""Fields of labels: phonemes and their runs, words, what pads a window, and which window it is."""

import numpy as np

from datasets.fields.registry import register


@register("phoneme", "(T,)", "int64", "0 ... 39", "class of the phoneme in each frame (speech.arpabet.PHONES)", clips="phones")
def phoneme(window):
    return window.runs.frame_labels()[window.frames].astype(np.uint8)


@register("run", "(T,)", "int64", "0 ... T - 1", "number of each frame's phoneme run in the window", clips="phones")
def run(window):
    runs = window.runs.frame_runs()[window.frames]
    return (runs - runs[0]).astype(np.int16)


@register(
    "word", "(T,)", "int64", "-1 ...", "class of the word in each frame (vocabulary of the corpus), -1 where no word is known",
    clips="words",
)  # fmt: skip
def word(window):
    return window.data.words(window.number)[window.frames]


@register("valid", "(T,)", "float32", "0 or 1", "0 in frames that only pad a window of whole phoneme runs")
def valid(window):
    return (np.arange(window.length) < window.count).astype(np.uint8)


@register("clip", "()", "int64", "0 ...", "number of the clip in the split")
def clip(window):
    return np.int64(window.number)


@register("frame", "()", "int64", "0 ...", "first frame of the window in the clip")
def frame(window):
    return np.int64(window.start)

"""Sentences of a prepared corpus and the words in them: which frames a classifier is given for each word."""

from dataclasses import dataclass

import numpy as np

from benchmarks.held_out.choice import spread
from common.errors import InputError

FPS = 25


@dataclass(frozen=True)
class Spoken:
    """One word of one sentence.

    Attributes:
        row: datasets.prepared.ClipRow of the sentence.
        word: class, a number of the vocabulary.
        frames: (N,) int64 frames of the sentence that the classifier is given.
    """

    row: object
    word: int
    frames: np.ndarray


def heard_frames(middle, count, frames=12, stride=2):
    """Frames that are heard around a word: `frames` of them at `stride`, the middle one at the word's.

    Near the ends of the clip they are moved inside, as in training.

    Args:
        middle: frame in the middle of the word; count: frames of the clip, at least (frames - 1) * stride + 1.

    Returns:
        (frames,) int64.
    """
    span = (frames - 1) * stride + 1
    first = int(np.clip(middle - span // 2, 0, count - span))
    return first + stride * np.arange(frames)


def words_of(corpus, row, numbers, frames=12, stride=2, *, shift=0, aligned=False):
    """List of Spoken of one sentence.

    Args:
        numbers: dict of word -> class.
        shift: frames by which the windows are moved, as far as the clip reaches.
        aligned: windows begin on a multiple of `stride`, so that codes of every stride-th frame serve them all.

    Raises:
        InputError: a word that the vocabulary lacks.
    """
    from datasets.words import read_words, vocabulary_path

    times, words = read_words(corpus.folder, row)
    if lacking := [word for word in words if word not in numbers]:
        raise InputError(f"{vocabulary_path(corpus.folder)}: lacks {lacking[0]!r}, which {row.id} holds; run prepare.py with "
                         "--words again")  # fmt: skip
    middles = np.clip(times.mean(1) * row.fps, 0, row.frames - 1).astype(int)
    found = []
    for word, middle in zip(words, middles, strict=True):
        heard = heard_frames(middle + shift, row.frames, frames, stride)
        found.append(Spoken(row, numbers[word], heard - heard[0] % stride if aligned else heard))
    return found


def sentences_of(corpus, split, *, frames=12, stride=2, most=None):
    """Sentences of a split that have words and are long enough for a window, and how many were left out.

    Args:
        split: "train", "val", "test" or "unseen"; most: see `spread`; None takes all.

    Returns:
        (list of ClipRow, {reason: count}).

    Raises:
        InputError: a sentence is not at 25 frames a second.
    """
    span = (frames - 1) * stride + 1
    every = corpus.split(split)
    if odd := [row for row in every if round(float(row.fps), 3) != FPS]:
        raise InputError(f"{corpus.folder}: {odd[0].id} has {odd[0].fps} frames a second, DAVS hears {FPS}; prepare the corpus "
                         f"with --fps {FPS}")  # fmt: skip
    with_words = [row for row in every if "from" in row.side.get("words", {})]
    rows = [row for row in with_words if row.frames >= span]
    left_out = {"without words": len(every) - len(with_words), f"shorter than {span} frames": len(with_words) - len(rows)}
    return spread(rows, most), {reason: count for reason, count in left_out.items() if count}


def left_out_text(left_out):
    """"; left out: 2 without words", or "" where nothing was."""
    return "; left out: " + ", ".join(f"{count} {reason}" for reason, count in left_out.items()) if left_out else ""


def is_letter(word):
    """Whether a word is the name of one letter."""
    return len(word) == 1

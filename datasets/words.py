"""Words beside the prepared clips, and the corpus's vocabulary, which numbers them; datasets.preparing.words makes both."""

import json

import numpy as np

from common.errors import InputError
from common.files import atomic_output
from datasets.clip_files import read_side, side_path

KIND = "words"
NO_WORD = -1  # class of a frame in which no word is spoken, or none is known


def vocabulary_path(folder):
    """Where the vocabulary of a corpus lies."""
    return folder / "vocabulary.json"


def read_vocabulary(folder):
    """Words of a corpus in the order of their classes, as a tuple; () where it has none yet.

    Raises:
        InputError: the file is no list of words.
    """
    path = vocabulary_path(folder)
    if not path.is_file():
        return ()
    try:
        words = json.loads(path.read_text(encoding="utf-8"))["words"]
        if not all(isinstance(word, str) for word in words) or len(set(words)) != len(words):
            raise ValueError("a word stands in it twice, or is no text")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is no vocabulary ({error}); remove it and run prepare.py with --words again; classes may "
                         "then have other numbers") from error  # fmt: skip
    return tuple(words)


def extend_vocabulary(folder, words):
    """Enter words that are new, in alphabetical order behind those that are there, so that no class changes its number.

    Returns:
        The vocabulary, as of `read_vocabulary`.
    """
    known = read_vocabulary(folder)
    added = tuple(sorted(set(words) - set(known)))
    if added:
        _write_vocabulary(folder, [*known, *added])
    return known + added


def _write_vocabulary(folder, words):
    with atomic_output(vocabulary_path(folder)) as path:
        path.write_text(json.dumps({"words": list(words)}, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


def begin_vocabulary(folder, words):
    """Write a vocabulary whose classes are given: those of a corpus that numbers its words itself.

    Raises:
        InputError: the corpus has another one, which is not the beginning of this one.
    """
    known = read_vocabulary(folder)
    for number, (old, new) in enumerate(zip(known, words, strict=False)):
        if old != new:
            raise InputError(f"{vocabulary_path(folder)}: class {number} is {old!r}, and {new!r} in the corpus that is read; "
                             "choose another --out")  # fmt: skip
    if len(words) > len(known):
        _write_vocabulary(folder, words)


def read_words(folder, row):
    """((K, 2) float64 seconds of the clip, list of K words) of a clip.

    Raises:
        InputError: they were not made, or the file is broken.
    """
    arrays, notes = read_side(folder, KIND, row.id)
    times, words = arrays.get("word_times"), notes.get("words")
    if times is None or not isinstance(words, list) or times.shape != (len(words), 2):
        path = side_path(folder, KIND, row.id)
        raise InputError(f"{path}: holds no words; remove it and run prepare.py with --words again")
    return np.array(times), words


def word_classes(folder, row, numbers):
    """Words of a clip as classes.

    Args:
        folder: of the corpus; row: ClipRow; numbers: dict of word -> class.

    Returns:
        ((K, 2) float64 seconds of the clip, (K,) int64 classes).

    Raises:
        InputError: they were not made, or hold a word that the vocabulary lacks.
    """
    times, words = read_words(folder, row)
    if lacking := [word for word in words if word not in numbers]:
        raise InputError(f"{vocabulary_path(folder)}: lacks {lacking[0]!r}, which {row.id} holds; run prepare.py with --words "
                         "again")  # fmt: skip
    return times, np.array([numbers[word] for word in words], np.int64)


def frame_words(folder, row, numbers):
    """Class of the word in the middle of each frame of a clip.

    Args, errors: as of `word_classes`.

    Returns:
        (N,) int32, `NO_WORD` where no word is spoken or known.
    """
    middles = (np.arange(row.frames) + 0.5) / row.fps
    classes = np.full(row.frames, NO_WORD, np.int32)
    for (start, end), number in zip(*word_classes(folder, row, numbers), strict=True):
        classes[(middles >= start) & (middles < end)] = number
    return classes

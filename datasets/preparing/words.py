"""Words of the prepared clips, as side files: the times that the corpus gives (GRID's .align and others), or LRW's labels."""

import numpy as np

from common.errors import InputError
from common.files import content_hash, require_file
from datasets.prepared import read_manifest
from datasets.preparing.side import SideKind, add_side
from datasets.words import KIND, extend_vocabulary, read_words
from speech.alignment.given import read_alignment

VERSION = 1  # of what is stored, and of how words are read
LABEL_VERSION = 2  # the same, of labels
LABELLED_SECONDS = 29 / 25  # of a source whose label is the one word in its middle: LRW, and examples of DAVS made of it


def add_words(clips, folder, workers=1, *, retry_failed=False):
    """Store the words that good clips lack, and enter new ones into the corpus's vocabulary; arguments as of `add_side`."""
    add_side(SideKind(KIND, _make, _parameters), clips, folder, workers, retry_failed=retry_failed)
    rows = [row for row in read_manifest(folder).values() if not row.error and "from" in row.side.get(KIND, {})]
    vocabulary = extend_vocabulary(folder, {word for row in rows for word in read_words(folder, row)[1]})
    print(f"vocabulary: {len(vocabulary)} words")


def _make(row, source, folder):
    """Arrays, notes and origin for `SideKind.make`: `word_times` (K, 2) float64, seconds of the clip; notes: the K words."""
    if source.word:
        return {"word_times": labelled_times(row)}, {"words": [source.word]}, "label"
    if source.align is None:
        raise InputError("the corpus gives no times of words for it")
    given = read_alignment(source.align, row.seconds, row.sound_begins, part=True).words
    words = [word for word in given if word.label]
    if not words:
        raise InputError(f"{source.align}: no given word lies inside the clip")
    times = np.array([[word.start, word.end] for word in words], np.float64)
    return {"word_times": times}, {"words": [word.label for word in words]}, "given"


def labelled_times(row):
    """Seconds of the one word of a source of LRW, as a pair whose middle is the middle of the source.

    The prepared clip may begin after the source, or end before it, because a face is missing there. The pair holds the whole
    clip, so each of its frames has the label.

    Args:
        row: ClipRow.

    Returns:
        (1, 2) float64 seconds of the clip.

    Raises:
        InputError: the middle of the source lies outside the clip.
    """
    middle = LABELLED_SECONDS / 2 - row.sound_begins
    if not 0 <= middle < row.seconds:
        raise InputError(f"the word, in the middle of the source, is not in the part that was kept; it is at {middle:.2f} "
                         f"s of a clip of {row.seconds:.2f} s")  # fmt: skip
    half = max(middle, row.seconds - middle)
    return np.array([[middle - half, middle + half]])


def _parameters(row, source):
    given = None if source.align is None else content_hash(require_file(source.align, "times of words"))
    version = LABEL_VERSION if source.word else VERSION
    return {"version": version, "label": source.word, "given": given, "begin": row.sound_begins, "seconds": row.seconds}

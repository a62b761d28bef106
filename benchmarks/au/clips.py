"""Held-out clips of a prepared corpus with action units: their labels, their sound and their faces."""

import numpy as np
import torch

from benchmarks.held_out.choice import spread
from common.action_units import SOURCES
from common.errors import InputError
from datasets.action_units import KIND, read_action_units
from datasets.fields.speech import clip_cepstra
from datasets.label_rates import count_sources
from speech.mfcc_windows import mfcc_windows

DEFAULT_SPLITS = ("test", "unseen")


def open_corpus(folder):
    """datasets.prepared.PreparedCorpus, of which a clip at least has action units.

    Raises:
        InputError: no prepared corpus, or none with action units.
    """
    from datasets.prepared import PreparedCorpus

    corpus = PreparedCorpus.open_folder(folder)
    if not any(_labelled(row) for row in corpus.rows):
        raise InputError(f"{corpus.folder}: no clip has action units; run prepare.py on it with --action_units geometry")
    return corpus


def rows_of(corpus, splits, limit=None):
    """Sentences with action units, by split.

    Args:
        corpus: PreparedCorpus; splits: names, or None: those of DEFAULT_SPLITS that have any.
        limit: at most about so many of each split, of all its people; None: all.

    Returns:
        ({split: list of ClipRow}, {split: number of clips without action units, which are left out}).

    Raises:
        InputError: a split that was asked for has none, or none of the usual ones has.
    """
    found, left_out = {}, {}
    for split in splits or DEFAULT_SPLITS:
        every = corpus.split(split)
        rows = [row for row in every if _labelled(row)]
        if rows:
            found[split], left_out[split] = spread(rows, limit), len(every) - len(rows)
        elif splits:
            raise InputError(f"{corpus.folder}: split {split} has no clip with action units; choose another --split")
    if not found:
        raise InputError(f"{corpus.folder}: splits {' and '.join(DEFAULT_SPLITS)} have no clip with action units; prepare it "
                         "with --test_share above 0, or choose another --split")  # fmt: skip
    return found, left_out


def sources_line(corpus, splits):
    """Line of text: whose labels the sentences of a report have.

    Args:
        corpus: PreparedCorpus; splits: {split: {"sentences": ids, ...}}.
    """
    counts = sources_of(corpus, splits)
    told = (f"{SOURCES.get(name, name)}: {count} clip{'s' if count > 1 else ''}" for name, count in counts.items())
    return f"labels: {'; '.join(told)}"


def sources_of(corpus, splits):
    """{name of common.action_units.SOURCES: number of sentences}; arguments as of `sources_line`."""
    ids = {name for found in splits.values() for name in found["sentences"]}
    return count_sources([row for row in corpus.rows if row.id in ids])


def labels_of(corpus, row):
    """datasets.action_units.ActionUnits of a clip."""
    return read_action_units(corpus.folder, row)


def cepstra_of(corpus, row):
    """(12, k) float32 cepstra of the sound of a clip.

    Raises:
        InputError: the corpus holds no sound.
    """
    if not corpus.has_sound:
        raise InputError(f"{corpus.folder}: its clips hold no sound; give a corpus that prepare.py made from videos")
    return clip_cepstra(corpus.open(row))


def windows_of(cepstra, count, fps, columns):
    """(count, columns, 12) float32 tensor: windows whose middles are those of the frames, as in training."""
    return torch.from_numpy(mfcc_windows(cepstra, range(count), fps, columns=columns, place="centred"))


def silence():
    """(12, 0) float32: the cepstra of no sound; `windows_of` fills them up with digital silence."""
    return np.zeros((12, 0), np.float32)


def _labelled(row):
    return "from" in row.side.get(KIND, {})

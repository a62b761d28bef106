"""Labels of the training frames of a corpus: how often each is present, by which losses weigh, and whose labels they are."""

from collections import Counter

import numpy as np

from common.errors import InputError
from datasets.action_units import KIND, read_action_units


def label_rates(corpus, field):
    """Shares of the frames of the training clips in which each label of a field is present.

    Every frame whose labels are known counts once, also of clips that `data.exclude`, `data.part` or `data.speakers` leave out.

    Args:
        corpus: datasets.prepared.PreparedCorpus.
        field: "action_units".

    Returns:
        list of floats in [0, 1], one a label.

    Raises:
        InputError: no training clip has such labels, or those of the corpus are of mixed origin.
        ValueError: a field without labels that are present or absent.
    """
    _check_field(field)
    check_sources(corpus)
    present, known = 0, 0
    for row in corpus.split("train"):
        if "from" in row.side.get(KIND, {}):
            units = read_action_units(corpus.folder, row)
            present, known = present + units.present[units.known].sum(0, dtype=np.int64), known + int(units.known.sum())
    if not known:
        raise InputError(f"{corpus.folder}: no training clip has action units; run prepare.py on it again with --action_units")
    return [float(share) for share in present / known]


def label_sources(corpus, field):
    """Names of whose labels the training clips hold, sorted: of common.action_units.SOURCES; [] where no clip has any.

    Args:
        corpus, field: as of `label_rates`.
    """
    _check_field(field)
    return sorted(count_sources(corpus.split("train")))


def count_sources(rows):
    """{name of common.action_units.SOURCES: number of clips} of ClipRows that have action units, the most first."""
    found = Counter(row.side[KIND]["from"] for row in rows if "from" in row.side.get(KIND, {}))
    return dict(found.most_common())


def check_sources(corpus):
    """InputError where some clips of a corpus, of any split, have action units of one origin and others of another."""
    if len(counts := count_sources(corpus.rows)) > 1:
        told = " and ".join(f"by {name} in {count}" for name, count in counts.items())
        raise InputError(f"{corpus.folder}: its clips hold action units of mixed origin, {told}; run prepare.py on all of them "
                         "with one --action_units")  # fmt: skip


def _check_field(field):
    if field != KIND:
        raise ValueError(f"field {field} has no rates")

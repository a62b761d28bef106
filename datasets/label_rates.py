"""How often labels are present in the training frames of a corpus: what losses weigh rare labels by."""

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
        InputError: no training clip has such labels.
        ValueError: a field without labels that are present or absent.
    """
    if field != KIND:
        raise ValueError(f"field {field} has no rates")
    present, known = 0, 0
    for row in corpus.split("train"):
        if "from" in row.side.get(KIND, {}):
            units = read_action_units(corpus.folder, row)
            present, known = present + units.present[units.known].sum(0, dtype=np.int64), known + int(units.known.sum())
    if not known:
        raise InputError(f"{corpus.folder}: no training clip has action units; run prepare.py on it again with --action_units")
    return [float(share) for share in present / known]

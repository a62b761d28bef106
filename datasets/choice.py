"""Which clips of a split a dataset draws its windows from."""

from common.errors import InputError
from common.files import text_share
from common.suggest import refuse_unknown
from datasets.fields import FIELDS
from datasets.label_rates import check_sources

_FILLED_BY = {  # what a clip may lack -> what to do
    "phones": "run prepare.py on it again, which aligns them",
    "words": "run prepare.py on it again with --words, which stores those that the corpus gives",
    "action_units": "run prepare.py on it again with --action_units geometry, or with openface and --au_csv",
}


def choose_rows(corpus, split, least, *, exclude=(), speakers=None, part=(0.0, 1.0), min_av_confidence=None, needs=()):
    """Rows of a split that serve.

    Args:
        corpus: datasets.prepared.PreparedCorpus.
        split: "train", "val", "test" or "unseen".
        least: frames that a clip must have.
        exclude: ids, or the beginnings of ids, of clips that are left out.
        speakers: names of the people whose clips serve; None takes all.
        part: (low, high) in [0, 1]: only clips whose id hashes into it.
        min_av_confidence: only clips whose AV offset was measured with this confidence, or "sure", and is made up for to within
            half a frame; None takes all.
        needs: what a clip must have: "phones", "words", "action_units".

    Returns:
        (list of ClipRow, at least one; dict of what is needed -> number of clips that were left out for want of it).

    Raises:
        InputError: an unknown name, action units of mixed origin, or no clip is left; the message says why.
    """
    if speakers is not None:
        refuse_unknown(speakers, sorted({row.speaker for row in corpus.split(split)}), f"speaker of split {split!r}")
    long_enough = [row for row in corpus.split(split) if row.frames >= least and (speakers is None or row.speaker in speakers)]
    low, high = part
    rows = [row for row in long_enough if not row.id.startswith(tuple(exclude)) and low <= part_of(row.id) < high]
    if min_av_confidence is not None:
        rows = _in_sync(corpus, rows, min_av_confidence)
    if not rows:
        left_out = " that data.exclude, data.part and data.min_av_confidence leave" if long_enough else ""
        raise InputError(f"{corpus.folder}: no clip of split {split!r}{left_out} has {least} frames or more")
    without = {}
    for what in needs:
        fit = [row for row in rows if _has(row, what)]
        if not fit:
            raise InputError(f"{corpus.folder}: its clips hold no {what.replace('_', ' ')}; {_FILLED_BY[what]}")
        if what == "action_units":
            check_sources(corpus)
        without[what], rows = len(rows) - len(fit), fit
    return rows, without


def check_arrays(corpus, row, fields, options, augment):
    """InputError where fields need an array that the clips of a corpus do not hold; `row` stands for all of them.

    Args:
        corpus: PreparedCorpus; row: one of its ClipRows.
        fields: names; options: dict of field -> its options; augment: dict of strengths, or None.
    """
    needed = {name: FIELDS[name].reads(options.get(name)) for name in fields}
    changes = next((key for key in ("gain_db", "noise", "silence") if (augment or {}).get(key)), None)
    if not any(needed.values()):
        return
    held = corpus.open(row)
    for name, arrays in needed.items():
        for choice in arrays:
            if not set(choice) & set(held):
                raise InputError(f"{corpus.folder}: its clips hold no {choice[0]}, which the field {name} needs; prepare a "
                                 "corpus of videos, or train a network that hears the field mfcc alone")  # fmt: skip
    if changes and "waveform" not in held:
        raise InputError(f"data.augment.{changes}: the clips of {corpus.folder} hold windows of MFCC in place of a sound; "
                         "those cannot be changed; set it to 0")  # fmt: skip


def part_of(clip_id):
    """A number in [0, 1) by a hash of the clip's id, independent of the one that splits a corpus."""
    return text_share(f"part/{clip_id}")


def _has(row, what):
    return bool(row.phones) if what == "phones" else "from" in row.side.get(what, {})


def _in_sync(corpus, rows, confidence):
    """Rows whose sound and picture are known to belong together to within half a frame."""
    if rows and all(row.av_confidence is None for row in rows):
        raise InputError(f"data.min_av_confidence: the AV offsets of {corpus.folder} were never measured; run  "
                         f"python prepare.py --out {corpus.folder} --measure_av_offset")  # fmt: skip
    measured = [row for row in rows if row.av_offset is not None and row.av_confidence is not None]
    near = [row for row in measured if abs(row.av_offset - row.av_corrected) <= 0.5]
    return [row for row in near if (row.av_is_sure if confidence == "sure" else row.av_confidence >= confidence)]

"""How a generated video was drawn, as its own metadata say: in which precision, and with what its network was taught."""

from common.errors import InputError
from media import read_metadata

TAG, TAUGHT = "precision", "taught_with"


def made_precision(path):
    """The tag "precision" of a video ("fp32", "fp16", "bf16", ...); None where it has none, or cannot be read."""
    try:
        return read_metadata(path).get(TAG)
    except InputError:
        return None


def made_taught_with(path):
    """The tag "taught_with" of a video, a list, see training.checkpoint.Checkpoint; [] where it has none or cannot be read."""
    try:
        told = read_metadata(path).get(TAUGHT)
    except InputError:
        return []
    return told.split("; ") if told else []


def told_precisions(records, systems):
    """One line on the precisions of all generated videos, for the report.

    Args:
        records: of the videos, see `metrics.scorer.Scores`; "precision" is what `made_precision` gave.
        systems: names of the systems, in the order of the table.

    Returns:
        "fp32" where all videos say so; else the systems with theirs, such as "a: fp32; b: fp16 (3 videos), not told (1 video)".
    """
    counts = {}
    for record in records:
        if record["row"].kind == "generated":
            told = counts.setdefault(record["row"].system, {})
            name = record["precision"] or "not told"
            told[name] = told.get(name, 0) + 1
    names = {name for told in counts.values() for name in told}
    if len(names) == 1:
        return names.pop()
    return "; ".join(f"{system}: {_some(counts[system])}" for system in systems if system in counts)


def _some(told):
    if len(told) == 1:
        return next(iter(told))
    return ", ".join(f"{name} ({count} video{'s' if count > 1 else ''})" for name, count in sorted(told.items()))

"""What the metadata of a generated video say of its making: run, weights, precision, and what its network was taught with."""

import re
from dataclasses import dataclass

from common.errors import InputError
from media import read_metadata

_WEIGHTS = re.compile(r"\bwith checkpoint .+ \(sha256 ([0-9a-f]{16,64})\)")


@dataclass(frozen=True)
class VideoTags:
    """Of a video that was not made by us, or that cannot be read, all are empty.

    Attributes:
        run: name of the training run of the checkpoint, or None.
        weights: the first 16 digits of the SHA-256 of the checkpoint, or None.
        precision: "fp32", "fp16", "bf16", or None.
        taught_with: list of str, see training.checkpoint.Checkpoint.
    """

    run: str | None = None
    weights: str | None = None
    precision: str | None = None
    taught_with: tuple = ()

    @staticmethod
    def read(path):
        """VideoTags of a file."""
        try:
            tags = read_metadata(path)
        except InputError:
            return VideoTags()
        found = _WEIGHTS.search(tags.get("comment", ""))
        taught = tags.get("taught_with")
        return VideoTags(tags.get("run") or None, found and found[1], tags.get("precision"),
                         tuple(taught.split("; ")) if taught else ())


def common_tag(videos, name):
    """The value of an attribute of VideoTags where all of a list of them have the same; else None."""
    values = {getattr(one, name) for one in videos}
    return values.pop() if len(values) == 1 else None


def told_precisions(records, systems):
    """One line on the precisions of all generated videos, for the report.

    Args:
        records: of the videos, see `metrics.scorer.Scores`; "precision" is that of VideoTags.
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

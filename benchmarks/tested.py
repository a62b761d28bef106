"""The networks that a benchmark measures beside one another: what they are called, what is known of them, what they need."""

import re
from dataclasses import dataclass, field

from benchmarks.held_out.networks import facts_of, names_of
from common.errors import InputError

SEED_ENDING = re.compile(r"(?P<stem>.+)_s\d+(?P<steps>, \d+ steps)?")


@dataclass(frozen=True)
class Tested:
    """One network.

    Attributes:
        name: what tables call it; no two of a table share it.
        model: of models.MODELS, in eval mode.
        crop: kind of crop that it was trained on; None: not known.
        mask_top: share of the crop's height from which on its masked faces are 0.
        facts: see benchmarks.held_out.networks.facts_of.
        judges: tuple of SHA-256 of the networks that taught it, see training.checkpoint.Checkpoint.
        raw_crops: whether its crops were laid by each frame alone; None: not known.
    """

    name: str
    model: object = field(repr=False)
    crop: str | None
    mask_top: float
    facts: dict = field(repr=False)
    judges: tuple = field(repr=False, default=())
    raw_crops: bool | None = None


def open_networks(paths, expect=None, device="cpu"):
    """Tested networks of checkpoints, in their order.

    Args:
        paths: of checkpoints; expect: name of the network in models.MODELS, None for any; device: of torch.

    Raises:
        InputError: a path holds no checkpoint, or one of another network.
    """
    import torch

    from training.checkpoint import load_checkpoint

    loaded = [load_checkpoint(path, device, expect=expect) for path in paths]
    found = []
    for name, one in zip(names_of(loaded), loaded, strict=True):
        model = one.model.to(memory_format=torch.channels_last)  # faster on a CPU
        data = one.config["data"]
        found.append(Tested(name, model, data.get("crop"), data.get("mask_top", 0.5), facts_of(one),
                            tuple(judge["judge_sha256"] for judge in one.judges), data.get("raw_crops")))  # fmt: skip
    return found


def require_crops(corpus, tested):
    """Raise InputError where a network learned from other crops than those of a datasets.prepared.PreparedCorpus."""
    crop, size = corpus.settings.get("crop"), corpus.settings.get("size")
    wanted = (tested.crop or crop, tested.model.face_size)
    if (crop, size) != wanted:
        raise InputError(f"{corpus.folder}: holds {crop} crops of {size} pixels, but {tested.name} learned from {wanted[0]} "
                         f"crops of {wanted[1]}; prepare the corpus with --crop {wanted[0]} --size {wanted[1]}")  # fmt: skip
    raw = bool(corpus.settings.get("raw_crops", False))
    if tested.raw_crops not in (None, raw):
        own, how = ("raw", "without") if raw else ("smoothed", "with")
        raise InputError(f"{corpus.folder}: holds {own} crops, but {tested.name} did not learn from such ones; prepare the "
                         f"corpus {how} --raw_crops")  # fmt: skip


def groups_of(names):
    """{stem: names} of runs that differ in their seeds: NAME_s0, NAME_s1 and so on; of two runs or more, in the given order.

    Drawers that are called "NAME_s0, 20 steps" are put together by name and steps.
    """
    groups = {}
    for name in names:
        if match := SEED_ENDING.fullmatch(name):
            groups.setdefault(match["stem"] + (match["steps"] or ""), []).append(name)
    return {stem: own for stem, own in groups.items() if len(own) > 1}

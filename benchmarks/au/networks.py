"""The networks of action units that are measured beside one another."""

import re
from dataclasses import dataclass, field

from benchmarks.held_out.networks import facts_of, names_of
from common.errors import InputError

SEED_ENDING = re.compile(r"(?P<stem>.+)_s\d+")


@dataclass(frozen=True)
class Tested:
    """One network.

    Attributes:
        name: what tables call it; no two of a table share it.
        model: of models.MODELS, in eval mode.
        crop: kind of crop that it was trained on; None: not known.
        facts: see benchmarks.held_out.networks.facts_of.
    """

    name: str
    model: object = field(repr=False)
    crop: str | None
    facts: dict = field(repr=False)


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
        found.append(Tested(name, model, one.config["data"].get("crop"), facts_of(one)))
    return found


def require_part(tested, part, cure):
    """Raise InputError where a network lacks a part, such as "unit_classifier"; `cure`: the config that trains one."""
    if getattr(tested.model, part, None) is None:
        stage = tested.facts["stage"]
        raise InputError(f"{tested.facts['file']}: is of stage {stage} and has no {part}; give a checkpoint of {cure}")


def require_crops(corpus, tested):
    """Raise InputError where a network learned from other crops than those of a datasets.prepared.PreparedCorpus."""
    crop, size = corpus.settings.get("crop"), corpus.settings.get("size")
    wanted = (tested.crop or crop, tested.model.face_size)
    if (crop, size) != wanted:
        raise InputError(f"{corpus.folder}: holds {crop} crops of {size} pixels, but {tested.name} learned from {wanted[0]} "
                         f"crops of {wanted[1]}; prepare the corpus with --crop {wanted[0]} --size {wanted[1]}")  # fmt: skip


def groups_of(names):
    """{stem: names} of runs that differ in their seeds: NAME_s0, NAME_s1 and so on; of two runs or more, in the given order."""
    groups = {}
    for name in names:
        if match := SEED_ENDING.fullmatch(name):
            groups.setdefault(match["stem"], []).append(name)
    return {stem: own for stem, own in groups.items() if len(own) > 1}

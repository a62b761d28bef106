"""The network of a run and its parts: where each begins, which stay as they are, and the rate of each."""

from dataclasses import dataclass

import torch

from common.errors import InputError
from common.suggest import refuse_unknown
from losses.term import origin_of
from models import MODELS, build_model
from training.checkpoint import difference_of, load_checkpoint
from training.config import starts_of
from training.config.missing import config_of_network, cure


@dataclass(frozen=True)
class Start:
    """A checkpoint from which a network has begun.

    Attributes:
        checkpoint: path; config: what it stores, see training.checkpoint.Checkpoint.
        parts: names of the parts of the network whose weights come from it.
        lacking: names of the modules that begin with new weights, because it has none of them, where all of it was taken.
        judges: what taught it, see training.checkpoint.Checkpoint; and itself, where it has a module that judges.
    """

    checkpoint: str
    config: dict
    parts: tuple
    lacking: tuple
    judges: tuple = ()


def build_network(config, device, starts=(), begun=None):
    """The network to train: fresh, or from checkpoints.

    Args:
        config: of the run; device: torch.device; starts: list of checkpoints and parts, see training.config.starts_of.
        begun: list that takes a Start for each of them.

    Raises:
        InputError: a network that cannot be trained by itself, an unknown part, a checkpoint that does not fit.
    """
    name = config["model"].get("name")
    trainable = [one for one, network in MODELS.items() if network.gives]
    if name is not None and name not in trainable:
        raise InputError(f"model.name: {name!r} cannot be trained by itself; choose one of {', '.join(trainable)}")
    torch.manual_seed(config["train"]["seed"])
    model = build_model(config["model"])
    found = [_begin(model, name, **entry) for entry in starts]
    if begun is not None:
        begun += found
    model.configure(config["data"])
    for part in config["train"]["freeze"]:
        for module in modules_of(model, part, "train.freeze"):
            module.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError("train.freeze: every part of the network stays as it is, so nothing would be learned")
    return model.to(device, memory_format=torch.channels_last)  # faster, on CPUs too


def require_starts(config):
    """Raise InputError where a fresh run gives no checkpoint for a part that does not learn, see models.network.Network.

    Args:
        config: of the run.
    """
    starts = starts_of(config["train"])
    for part in getattr(MODELS.get(config["model"].get("name")), "begins", ()):
        if not any(start["parts"] is None or part in start["parts"] for start in starts):
            raise InputError(f"train.init: names no checkpoint for the part {part}, which does not learn here and would stay "
                             f"random; give one with parts: [{part}]")  # fmt: skip


def inherited_facts(begun):
    """What the checkpoints of a run say of the judges that taught what it began from.

    Args:
        begun: list of Start, of `build_network`.

    Returns:
        dict of "init/SHA" (16 digits) -> {"judge": name, "judge_sha256": 64 digits}.
    """
    return {f"init/{one['judge_sha256'][:16]}": one for start in begun for one in start.judges}


def new_modules(begun):
    """Lines on modules that begin with new weights because no checkpoint has them.

    Args:
        begun: list of Start, of `build_network`.
    """
    given = {part for start in begun for part in start.parts}
    lines = []
    for start in begun:
        if new := [name for name in start.lacking if name not in given]:
            told = f"{', '.join(new)} {'begins' if len(new) == 1 else 'begin'} with new weights"
            lines.append(f"train.init: {start.checkpoint} has no {' and no '.join(new)}: {told}")
    return lines


def modules_of(model, part, key):
    """The modules of a part; `key` says in the message where its name was given."""
    parts = model.parts()
    refuse_unknown([part], parts or ["none"], f"part in {key}")
    return [model.get_submodule(attribute) for attribute in parts[part]]


def keep_frozen_in_eval(model, config):
    """Frozen parts in eval mode, so that the statistics of their batch norms stay as they are, too."""
    for part in config["train"]["freeze"]:
        for module in modules_of(model, part, "train.freeze"):
            module.eval()


def parameter_groups(model, settings):
    """Parameters that learn, in groups with a rate each.

    Args:
        model: the network.
        settings: section `optim` of a config; `parts` may hold lr, betas and weight_decay for parts of the network.

    Returns:
        list of dict for torch.optim: the parts of `settings`, in the network's order, then all else; without parts one group.

    Raises:
        InputError: an unknown part, one that is frozen, or two of which one lies in the other.
    """
    common = {key: settings[key] for key in ("lr", "betas", "weight_decay") if key in settings}
    groups, taken, own = [], {}, settings.get("parts") or {}
    for part in own:
        modules_of(model, part, "optim.parts")
    for part in (name for name in model.parts() if name in own) if own else ():
        modules = modules_of(model, part, "optim.parts")
        parameters = [one for module in modules for one in module.parameters() if one.requires_grad]
        if not parameters:
            raise InputError(f"optim.parts.{part}: has no parameter that learns; take it out of train.freeze, or out of here")
        if other := next((taken[id(one)] for one in parameters if id(one) in taken), None):
            raise InputError(f"optim.parts.{part}: shares parameters with {other}, which has a rate of its own here, too; give "
                             "one of the two")  # fmt: skip
        taken |= {id(one): part for one in parameters}
        groups.append({**common, **own[part], "params": parameters})
    rest = [one for one in model.parameters() if one.requires_grad and id(one) not in taken]
    if rest:
        groups.append({**common, "params": rest})
    for group in groups:
        group["betas"] = tuple(group["betas"])
    return groups


def _begin(model, name, checkpoint, parts):
    """Give the network, or some of its parts, the weights of a checkpoint; returns its Start."""
    try:
        start = load_checkpoint(checkpoint, expect=name if parts is None else None)
    except InputError as error:
        raise InputError(f"train.init: {error}{cure(checkpoint, 'train.init')}") from error
    state = start.model.state_dict()
    if start.config["data"].get("channel_order") == "bgr":
        state = start.model.with_colours_turned(state)
    lacking = []
    if parts is not None:
        state = _state_of_parts(model, state, start, parts)
    else:
        own = dict(model.named_modules())
        lacking = [name for name in model.optional if name in own and not _holds(state, name)]
        lacking = [name for name in lacking if not _inside(name, lacking)]
        for name in lacking:
            state |= {f"{name}.{key}": value for key, value in own[name].state_dict().items()}
        parts = [part for part, modules in model.parts().items()
                 if not any(name in lacking or _inside(name, lacking) for name in modules)]  # fmt: skip
    if difference := difference_of(model.state_dict(), state):
        raise InputError(f"train.init: {checkpoint} does not fit the section model: {difference}")
    model.load_state_dict(state)
    judging = start.model.judging is not None and getattr(start.model, start.model.judging) is not None
    judges = [{"judge": one["judge"], "judge_sha256": one["judge_sha256"]} for one in start.judges]
    return Start(str(checkpoint), start.config, tuple(parts), tuple(lacking), (*judges, *([origin_of(start)] * judging)))


def _holds(state, module):
    """Whether a state dict has any tensor of a module."""
    return any(key.startswith(f"{module}.") for key in state)


def _inside(module, others):
    """Whether a module lies inside one of others, by their names."""
    return any(module.startswith(f"{other}.") for other in others)


def _state_of_parts(model, state, start, parts):
    """The network's state with some parts from the state dict of a checkpoint `start`."""
    whole, known = model.state_dict(), model.parts()
    refuse_unknown(parts, known or ["none"], "part in train.init")
    for part in parts:
        begins = tuple(f"{attribute}." for attribute in known[part])
        names = [name for name in whole if name.startswith(begins)]
        if lacking := [name for name in names if name not in state]:
            told = _stage_with(model, part, start) or f" ({lacking[0]} is missing)"
            raise InputError(f"train.init: {start.path} has no part {part}{told}; take it out of parts, or name another "
                             "checkpoint")  # fmt: skip
        whole |= {name: state[name] for name in names}
    return whole


def _stage_with(model, part, start):
    """The stage that makes a part which a checkpoint lacks, in words; "" where the network has no stages."""
    stage, own = model.stages.get(part), start.config["model"].get("stage")
    if stage is None or own is None:
        return ""
    section = {"name": start.config["model"]["name"], "stage": stage}
    sizes = {key: getattr(model, key) for key in ("face_size", "width")}
    made = config_of_network(section, sizes) or config_of_network(section)
    how = f" (such as python train.py configs/{made.name})" if made is not None else ""
    return f": it is of stage {own}, and {part} comes with stage {stage}{how}"

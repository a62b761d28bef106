"""The network of a run and its parts: where each begins, which stay as they are, and the rate of each."""

import torch

from common.errors import InputError
from common.suggest import refuse_unknown
from models import MODELS, build_model
from training.checkpoint import difference_of, load_checkpoint
from training.config.missing import cure


def build_network(config, device, starts=()):
    """The network to train: fresh, or from checkpoints.

    Args:
        config: of the run; device: torch.device; starts: list of checkpoints and parts, see training.config.starts_of.

    Raises:
        InputError: a network that cannot be trained by itself, an unknown part, a checkpoint that does not fit.
    """
    name = config["model"].get("name")
    trainable = [one for one, network in MODELS.items() if network.gives]
    if name is not None and name not in trainable:
        raise InputError(f"model.name: {name!r} cannot be trained by itself; choose one of {', '.join(trainable)}")
    torch.manual_seed(config["train"]["seed"])
    model = build_model(config["model"])
    for entry in starts:
        _begin(model, name, **entry)
    model.configure(config["data"])
    for part in config["train"]["freeze"]:
        for module in modules_of(model, part, "train.freeze"):
            module.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError("train.freeze: every part of the network stays as it is, so nothing would be learned")
    return model.to(device, memory_format=torch.channels_last)  # faster, on CPUs too


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
        InputError: an unknown part, or one that is frozen.
    """
    common = {key: settings[key] for key in ("lr", "betas", "weight_decay") if key in settings}
    groups, taken, own = [], set(), settings.get("parts") or {}
    for part in own:
        modules_of(model, part, "optim.parts")
    for part in (name for name in model.parts() if name in own) if own else ():
        modules = modules_of(model, part, "optim.parts")
        parameters = [one for module in modules for one in module.parameters() if one.requires_grad and id(one) not in taken]
        if not parameters:
            raise InputError(f"optim.parts.{part}: has no parameter that learns; take it out of train.freeze, or out of here")
        taken |= {id(one) for one in parameters}
        groups.append({**common, **own[part], "params": parameters})
    rest = [one for one in model.parameters() if one.requires_grad and id(one) not in taken]
    if rest:
        groups.append({**common, "params": rest})
    for group in groups:
        group["betas"] = tuple(group["betas"])
    return groups


def _begin(model, name, checkpoint, parts):
    """Give the network, or some of its parts, the weights of a checkpoint."""
    try:
        start = load_checkpoint(checkpoint, expect=name if parts is None else None)
    except InputError as error:
        raise InputError(f"train.init: {error}{cure(checkpoint, 'train.init')}") from error
    state = start.model.state_dict()
    if start.config["data"].get("channel_order") == "bgr":
        state = start.model.with_colours_turned(state)
    if parts is not None:
        state = _state_of_parts(model, state, checkpoint, parts)
    else:
        for part in model.optional:
            if (added := getattr(model, part)) is not None:
                state = {**{f"{part}.{key}": value for key, value in added.state_dict().items()}, **state}
    if difference := difference_of(model.state_dict(), state):
        raise InputError(f"train.init: {checkpoint} does not fit the section model: {difference}")
    model.load_state_dict(state)


def _state_of_parts(model, state, checkpoint, parts):
    """The network's state with some parts from a checkpoint's state dict."""
    whole, known = model.state_dict(), model.parts()
    refuse_unknown(parts, known or ["none"], "part in train.init")
    for part in parts:
        begins = tuple(f"{attribute}." for attribute in known[part])
        names = [name for name in whole if name.startswith(begins)]
        if lacking := [name for name in names if name not in state]:
            raise InputError(f"train.init: {checkpoint} has no part {part} ({lacking[0]} is missing)")
        whole |= {name: state[name] for name in names}
    return whole

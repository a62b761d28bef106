"""Weights as other code wraps them: which dict of a loaded file is a network that is known, and by which names.

    {"state_dict": ...}, {"model": ...}, {"generator": ..., "ema": ...}     dicts in dicts
    module.  (DistributedDataParallel)      _orig_mod.  (torch.compile)     at any place of a name
    generator.  model.  net.                one prefix that all names of the network share (Lightning)
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from common.errors import InputError
from models import MODELS

_ADDED = {"module", "_orig_mod"}  # parts of a name that wrappers of torch add
_COUNTERS = {"n_averaged"}  # of torch.optim.swa_utils.AveragedModel
_AVERAGED = re.compile(r"(^|[_.])(ema|swa|avg|averaged?)($|[_.])", re.IGNORECASE)
_DEEPEST = 32  # dicts in dicts
_TO_GO_ON = {"optimizer", "average", "random", "step", "crop"}  # keys of checkpoint.pt, see training.run.Run.state
_PUBLISHED = ("a Wav2Lip generator, its lip-sync expert, its quality discriminator, a checkpoint of DAVS, syncnet_v2.model, "
              "FID's Inception, torchvision's VGG-19, or a checkpoint of this project")  # fmt: skip


def find_network(content, path, expect=None):
    """The published network in what a file holds.

    Of several networks the one that is expected is taken, else the first in the order of `models.MODELS`; of several copies
    of it the averaged one (its key says ema, swa, avg or average).

    Args:
        content: what was read: dicts in dicts, with tensors in the end.
        path: the file, for messages.
        expect: name of the network that is wanted, or None.

    Returns:
        (name, a key of `models.MODELS`; dict of name -> tensor, as the network itself names them).

    Raises:
        InputError: the state of a training run, no state dict, a network that is not known, or tensors that are not plain.
    """
    if isinstance(content, Mapping) and content.keys() >= _TO_GO_ON:
        raise InputError(f"{path}: is the state from which train.py goes on, not weights for use; give {_beside(Path(path))}")
    dicts = list(_state_dicts(content, set()))
    if not dicts:
        raise InputError(f"{path}: holds no state dict ({_reason(content)}); give a checkpoint with named weights")
    found = []
    for place, name in enumerate(sorted(MODELS, key=lambda name: name != expect)):
        for keys, state in dicts:
            for prefix, own in _named_as(MODELS[name].sign, state):
                averaged = any(_AVERAGED.search(key) for key in (*keys, prefix))
                own = {one: tensor for one, tensor in own.items() if not one.startswith(MODELS[name].unused)}
                found.append(((place, not averaged, len(found)), name, own))
    if found:
        _, name, state = min(found, key=lambda one: one[0])
        require_plain(state, path)
        return name, state
    state = max((state for _, state in dicts), key=len)
    require_plain(state, path)
    wanted = _PUBLISHED
    if expect is not None:
        known = MODELS[expect].sign or MODELS[expect].bundle
        published = f", published or of this project, with {MODELS[expect].role}" if known else ""
        wanted = f"a checkpoint{published or ' of this project with ' + MODELS[expect].role} ({expect})"
    raise InputError(f"{path}: weights of an unknown network (first names: {', '.join(list(state)[:3])}); give {wanted}")


def _state_dicts(content, seen, keys=()):
    """Yield (keys that lead there, {name: tensor}) for each dict that holds tensors, outer ones first, each dict once."""
    if not isinstance(content, Mapping) or len(keys) > _DEEPEST or id(content) in seen:
        return
    seen.add(id(content))
    if tensors := tensors_of(content):
        yield keys, tensors
    for name, value in content.items():
        yield from _state_dicts(value, seen, (*keys, str(name)))


def tensors_of(content):
    """The tensors that a mapping holds itself, under their names without what wrappers of torch add."""
    found = {}
    for name, value in content.items():
        if isinstance(name, str) and isinstance(value, torch.Tensor) and name not in _COUNTERS:
            found[".".join(part for part in name.split(".") if part not in _ADDED)] = value
    return found


def _named_as(sign, state):
    """Yield (prefix, the state without it) for each prefix below which all names of `sign` stand."""
    for name in state if sign else ():
        if name == sign[0] or name.endswith(f".{sign[0]}"):
            prefix = name[: -len(sign[0])]
            if all(prefix + one in state for one in sign):
                yield prefix, {one.removeprefix(prefix): tensor for one, tensor in state.items() if one.startswith(prefix)}


def _reason(content):
    """Why there is no state dict, in words."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if isinstance(content, Mapping) and content:
        return f"{next(iter(content))!r} is not a tensor under a name"
    return "an empty one" if isinstance(content, Mapping) else type(content).__name__


def require_plain(state, path):
    """InputError unless all tensors are plain ones."""
    odd = [name for name, value in state.items() if value.layout != torch.strided or value.is_quantized or value.is_complex()]
    if odd:
        raise InputError(f"{path}: {odd[0]} is not a plain tensor; give a checkpoint with plain float weights")


def _beside(path):
    """What to give in place of a checkpoint.pt: the weights of its run that are there."""
    names = [path.with_name(f"{name}.safetensors") for name in ("best", "last")]
    there = [one for one in (*names, *sorted(path.parent.glob("snapshots/*.safetensors"), reverse=True)) if one.is_file()]
    return f"{there[0]}, which lies beside it" if there else "best.safetensors or a snapshot of a run"

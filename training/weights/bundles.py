"""Published files with a state dict for each part of a network, such as those of DAVS.

    {"mfcc_encoder": {...}, "lip_feature_encoder": {...}, "Decoder": {...}, ..., "optimizer_G": {...}, "step": 7}

Which names belong to which part, the network says (`models.network.Network.bundle`). Other entries are not looked at.
"""

from collections.abc import Mapping

from common.errors import InputError
from models import MODELS
from training.weights.wrappings import require_plain, tensors_of

_FEWEST = 2  # names of parts by which a bundle is recognised
_DEEPEST = 3  # dicts around it


def find_bundle(content, path):
    """The published network in what a file holds, where its parts are state dicts of their own.

    Args:
        content: what was read: dicts in dicts, with tensors in the end.
        path: the file, for messages.

    Returns:
        (name, a key of `models.MODELS`; dict of name -> tensor, as the network itself names them); None where it is no bundle.

    Raises:
        InputError: a part is missing, or its tensors are not plain.
    """
    for level in _levels(content):
        for name, network in MODELS.items():
            found = {key: tensors_of(level[key]) for key in network.bundle if isinstance(level.get(key), Mapping)}
            found = {key: tensors for key, tensors in found.items() if tensors}
            if len(found) < min(_FEWEST, len(network.bundle)) or not found:
                continue
            if missing := [key for key in network.bundle if key not in found]:
                raise InputError(f"{path}: holds only some parts of {network.role}: {', '.join(missing)} missing; "
                                 "give a checkpoint with all of them")  # fmt: skip
            state = {f"{network.bundle[key]}.{one}": tensor for key, own in found.items() for one, tensor in own.items()}
            state = {one: tensor for one, tensor in state.items() if not one.startswith(network.unused)}
            require_plain(state, path)
            return name, state
    return None


def _levels(content):
    """Yield the mapping and those around which it lies, outer ones first."""
    level = [content]
    for _ in range(_DEEPEST):
        level = [one for one in level if isinstance(one, Mapping)]
        yield from level
        level = [inner for one in level for key, inner in one.items() if key in ("state_dict", "model", "checkpoint")]

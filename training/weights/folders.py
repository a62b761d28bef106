"""Published weights with a file for each part of a network, such as those of PC-AVS.

    latest_net_G.pth  latest_net_V.pth  latest_net_E.pth  latest_net_A_sync.pth  (latest_net_D.pth, of training alone)

Which file holds which part, the network says (`models.network.Network.files`).
"""

import re

from common.errors import InputError
from common.files import content_hash, text_hash
from models import MODELS
from training.weights.foreign import read_foreign
from training.weights.wrappings import require_plain, tensors_of

_FILE = re.compile(r"(?P<start>.*)_net_(?P<part>\w+)\.pth")


def files_of(path):
    """The files that belong together.

    Args:
        path: Path of a folder that holds such files, or of one of them.

    Returns:
        (name, a key of `models.MODELS`; dict of the published name of a part -> Path); None where `path` is nothing of that
        kind, such as any other file.

    Raises:
        InputError: a folder without such files, or with several sets of them; a file is missing.
    """
    if path.is_dir():
        found = sorted({(match["start"], path) for one in path.iterdir() if (match := _known(one.name))})
        if not found:
            raise InputError(f"{path}: is a folder without published weights (NAME_net_G.pth and its like); give a checkpoint")
        if len(found) > 1:
            names = ", ".join(start for start, _ in found)
            raise InputError(f"{path}: holds several sets of published weights ({names}); give one file of the set you mean")
        start, folder = found[0]
    elif match := _known(path.name):
        start, folder = match["start"], path.parent
    else:
        return None
    for name, network in MODELS.items():
        if network.files:
            files = {part: folder / f"{start}_net_{part}.pth" for part in network.files}
            if missing := [file.name for file in files.values() if not file.is_file()]:
                raise InputError(f"{folder}: {', '.join(missing)} missing, of {network.role}; put all its files into it")
            return name, files
    return None


def read_files(name, files):
    """State of the published network, under its own names.

    Args:
        name, files: as `files_of` gives them.

    Returns:
        (dict of name -> tensor; SHA-256 of the SHA-256 of all files, 64 hexadecimal digits).

    Raises:
        InputError: a file that cannot be read, see `read_foreign`, or without tensors.
    """
    network, state = MODELS[name], {}
    for part, path in files.items():
        content = read_foreign(path)
        tensors = tensors_of(content) if isinstance(content, dict) else {}
        if not tensors:
            raise InputError(f"{path}: holds no state dict; give the published file")
        require_plain(tensors, path)
        state |= {f"{network.files[part]}.{key}": tensor for key, tensor in tensors.items()}
    state = {key: tensor for key, tensor in state.items() if not key.startswith(network.unused)}
    return network.adopted(state), text_hash("".join(content_hash(files[part]) for part in sorted(files)))


def _known(name):
    """The match of a file's name, where it is that of a part, or of the discriminator beside the parts."""
    match = _FILE.fullmatch(name)
    parts = {part for network in MODELS.values() for part in network.files} | {"D"}
    return match if match and match["part"] in parts else None

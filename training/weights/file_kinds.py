"""The kind of a weights file, from its first bytes; nothing here imports torch."""

import json
import os
from pathlib import Path

from common.errors import InputError
from common.files import require_file

SAFETENSORS, ZIP, PICKLE = "safetensors", "zip", "pickle"
_LARGEST_HEADER = 100_000_000  # bytes of a safetensors header
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"


def kind_of(path):
    """SAFETENSORS; ZIP, of torch or a TorchScript archive; or PICKLE, the old format of torch.

    Raises:
        InputError: no such file (for the best weights of a run that chose none, the message names its last ones), an empty
            one, nothing of these, or a safetensors file that is damaged or was cut short.
    """
    last = Path(path).with_name("last.safetensors")
    if Path(path).name == "best.safetensors" and not Path(path).exists() and last.is_file():
        raise InputError(f"{path}: no such file; the run there has chosen no best weights (docs/training.md): take {last}")
    with open(require_file(path, "checkpoint"), "rb") as file:
        start = file.read(512)
    if start.startswith(_ZIP):
        return ZIP
    if len(start) >= 9 and start[8:9] == b"{" and not start.startswith((b"PK", b"{")):
        _check_whole(path)
        return SAFETENSORS  # a little-endian length, then the brace of the JSON header
    if start.startswith(_PICKLE):
        return PICKLE
    web = start.lstrip().lower().startswith((b"<!doctype", b"<html"))
    what = "is a web page, not the file behind it" if web else "is not a checkpoint"
    raise InputError(f"{path}: {what}; give a .safetensors of this project, or the published weights themselves")


def _check_whole(path):
    """InputError for a safetensors file whose size is not what its header says."""
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LARGEST_HEADER or length + 8 > size:
            raise InputError(f"{path}: damaged: the header says {length} bytes, the file has {size}; copy or download it again")
        header = file.read(length)
    try:
        told = json.loads(header)
        whole = 8 + length + max((one["data_offsets"][1] for name, one in told.items() if name != "__metadata__"), default=0)
    except (ValueError, RecursionError, AttributeError, LookupError, TypeError) as error:
        raise InputError(f"{path}: damaged: its header cannot be read; copy or download it again") from error
    if whole != size:
        raise InputError(f"{path}: damaged: the header says {whole} bytes, the file has {size}; copy or download it again")

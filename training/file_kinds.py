"""What a weights file is, by its first bytes: light enough to be asked before torch is imported."""

from pathlib import Path

from common.errors import InputError
from common.files import require_file

SAFETENSORS, ZIP, PICKLE = "safetensors", "zip", "pickle"
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"


def kind_of(path):
    """SAFETENSORS; ZIP, of torch or a TorchScript archive; or PICKLE, the old format of torch.

    Raises:
        InputError: no such file, empty, or nothing of these.
    """
    last = Path(path).with_name("last.safetensors")
    if Path(path).name == "best.safetensors" and not Path(path).exists() and last.is_file():
        raise InputError(f"{path}: no such file; the run there has chosen no best weights (docs/training.md): take {last}")
    with open(require_file(path, "checkpoint"), "rb") as file:
        start = file.read(512)
    if start.startswith(_ZIP):
        return ZIP
    if len(start) >= 9 and start[8:9] == b"{" and not start.startswith((b"PK", b"{")):
        return SAFETENSORS  # a little-endian length, then the brace of the JSON header
    if start.startswith(_PICKLE):
        return PICKLE
    web = start.lstrip().lower().startswith((b"<!doctype", b"<html"))
    what = "is a web page, not the file behind it" if web else "is not a checkpoint"
    raise InputError(f"{path}: {what}; give a .safetensors of this project, or the published weights themselves")

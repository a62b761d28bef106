"""Weights that other people's code has saved, read as data: nothing in them is run."""

import pickle
import re
import warnings
import zipfile
from collections import OrderedDict

import torch

from common.errors import InputError
from training.weights.file_kinds import ZIP, kind_of

_REFUSED = re.compile(r"unsupported global:?\s+(?:GLOBAL\s+)?([\w.]+)", re.IGNORECASE)  # torch's wording and ours
_AGAIN = "copy or download it again"


def read_foreign(path):
    """What a torch file holds (zip or old format), or a TorchScript archive: dicts in dicts, with tensors on the CPU.

    Tensors of a zip are mapped from the file: what is not looked at is not read, and what is kept must be copied.

    Raises:
        InputError: not a torch file, damaged, or would run code.
    """
    if kind_of(path) == ZIP:
        return _read_torchscript(path) if _check_zip(path) else _read_torch(path, mapped=True)
    return _read_torch(path)


def _check_zip(path):
    """True for a TorchScript archive; InputError for a damaged zip, or one that would unpack to more than it is."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:  # the last: of a later version of zip
        raise InputError(f"{path}: damaged or not whole ({error}); {_AGAIN}") from error
    read = [entry for entry in entries if entry.filename.endswith("data.pkl") or "/data/" in entry.filename]
    if sum(entry.file_size for entry in read) > path.stat().st_size or any(entry.compress_type for entry in read):
        raise InputError(f"{path}: a compressed zip, which torch does not write; give the checkpoint itself")
    names = {entry.filename.partition("/")[2] for entry in entries}
    if "data.pkl" not in names:
        raise InputError(f"{path}: a zip, but not of torch; give the checkpoint itself")
    return "constants.pkl" in names


def _read_torch(path, mapped=False):
    """What torch.save has written, tensors and plain containers only."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unusual pickles: they load, or fail below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        if code := _REFUSED.search(str(error)):
            raise InputError(
                f"{path}: holds more than weights (it would call {code[1]}), and was not opened; "
                "give a file with a plain state dict"
            ) from error
        raise InputError(f"{path}: damaged or not a torch checkpoint; {_AGAIN}") from error
    except Exception as error:  # what a damaged or hostile file makes the reader raise cannot be listed
        raise InputError(f"{path}: damaged or not whole ({type(error).__name__}); {_AGAIN}") from error


class _Bag(dict):
    """Stands for any class of a TorchScript archive: keeps the attributes, runs nothing."""

    def __setstate__(self, state):
        self.update(state)


class _ScriptUnpickler(pickle.Unpickler):
    """Unpickler for TorchScript's data.pkl that knows tensors and bags of attributes, and refuses all else."""

    def __init__(self, file, storage):
        super().__init__(file)
        self._storage = storage

    def find_class(self, module, name):
        if module.startswith("__torch__"):
            return _Bag
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch.jit._pickle" and name in _LISTS:
            return list
        raise pickle.UnpicklingError(f"Unsupported global {module}.{name}")

    def persistent_load(self, pid):
        _, dtype, key, _, count = pid
        return self._storage(str(key), dtype, count)


_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}

_LISTS = {"build_intlist", "build_doublelist", "build_boollist", "build_tensorlist"}  # how a scripted network keeps plain lists


def _rebuild(flat, offset, size, stride, *_):
    return torch.as_strided(flat, tuple(size), tuple(stride), offset)


def _read_torchscript(path):
    """State dict of a TorchScript archive, which is how the released Wav2Lip weights are offered today.

    `torch.jit.load` would compile the code in the archive; only its tensors are wanted, so its data.pkl is read here with an
    unpickler that knows nothing else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = next(name for name in archive.namelist() if name.endswith("data.pkl")).removesuffix("data.pkl")

            def storage(key, dtype, count):
                return torch.frombuffer(bytearray(archive.read(f"{root}data/{key}")), dtype=dtype, count=count)

            with archive.open(f"{root}data.pkl") as file:
                content = _ScriptUnpickler(file, storage).load()
        state = {}
        _collect(content, "", state)
        return state
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: holds more than weights, and was not opened ({error})") from error
    except Exception as error:  # as in _read_torch
        raise InputError(f"{path}: a damaged TorchScript archive ({type(error).__name__}); {_AGAIN}") from error


def _collect(bag, prefix, state):
    """Gather the tensors of nested bags under dotted names, as `state_dict` does."""
    for name, value in bag.items():
        if isinstance(value, torch.Tensor):
            state[prefix + name] = value
        elif isinstance(value, _Bag):
            _collect(value, f"{prefix}{name}.", state)

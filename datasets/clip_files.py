"""Files of arrays: the clips of a prepared corpus, and side files that belong to them.

A file is laid out as safetensors: it says of each array its dtype and shape, and holds notes. A side file can be remade without
decoding the video or looking for faces again; each kind has a folder of its own in the corpus, `<kind>/<id>.safetensors`, and
notes what its arrays were made with, so that a run with other parameters knows what is out of date.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import atomic_output
from datasets.clip_ids import check_id

_DTYPES = {
    "U8": np.uint8,
    "I8": np.int8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
    "BOOL": np.bool_,
}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_HEADER_LIMIT = 1 << 24


def clip_path(folder, clip_id):
    """Where a clip's file lies; folders of the id stay folders, so equal base names never collide."""
    return side_path(folder, "clips", clip_id)


def side_path(folder, name, clip_id):
    """Where arrays that belong to a clip lie: a folder for each kind, so that no clip's name can collide with another's.

    Every path to a clip's files is made here, for reading, writing and removing alike.

    Raises:
        InputError: the id would lead out of the corpus's folder, see `datasets.clip_ids`.
    """
    return Path(folder) / name / f"{check_id(clip_id)}.safetensors"


def write_clip(path, arrays, metadata):
    """Write arrays by name to `path` in the safetensors layout, whole or not at all.

    Args:
        arrays: dict of numpy arrays with a dtype of uint8, int8, int16, int32, int64, float16, float32, float64 or bool.
        metadata: dict of str.
    """
    header, offset = {"__metadata__": metadata}, 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with atomic_output(path) as temporary, open(temporary, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array))


def open_clip(path):
    """Arrays of a clip file, see `open_arrays`."""
    return open_arrays(path)[0]


def open_arrays(path):
    """(arrays, metadata) of a file that `write_clip` wrote: read-only numpy arrays by name, mapped into memory; dict of str.

    Raises:
        InputError: the file is missing, truncated or not such a file.
    """
    path = Path(path)
    try:
        raw = np.memmap(path, np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); prepare the corpus anew") from error
    try:
        length = int.from_bytes(bytes(raw[:8]), "little")
        if not 2 <= length <= min(_HEADER_LIMIT, len(raw) - 8):
            raise ValueError("no header")
        header = json.loads(bytes(raw[8 : 8 + length]))
        metadata = header.pop("__metadata__", {})
        arrays = {}
        for name, entry in header.items():
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            if end > len(raw):
                raise ValueError("truncated")
            arrays[name] = raw[start:end].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
        return arrays, metadata
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a whole prepared clip ({error}); prepare the corpus anew") from error


def write_side(folder, kind, clip_id, arrays, parameters, notes=None):
    """Write the side file of a clip, whole or not at all.

    Args:
        folder: of the corpus.
        kind: "phones" or another name of a folder.
        arrays: dict of numpy arrays, see `write_clip`.
        parameters: what decided the arrays; anything that JSON holds.
        notes: dict of str -> what JSON holds, more to know about this clip.
    """
    if kind == "clips":
        raise ValueError("clips/ holds the clips themselves")
    metadata = {"id": clip_id, "kind": kind, "made_with": parameters_hash(parameters), "parameters": json.dumps(parameters)}
    write_clip(side_path(folder, kind, clip_id), arrays, metadata | {"notes": json.dumps(notes or {})})


def read_side(folder, kind, clip_id):
    """Side file of a clip.

    Returns:
        (arrays, notes): read-only numpy arrays by name, mapped into memory; notes as they were given, with `parameters` and
        `made_with`, their hash, beside them.

    Raises:
        InputError: missing, truncated, or of another clip or kind.
    """
    path = side_path(folder, kind, clip_id)
    arrays, metadata = open_arrays(path)
    try:
        if (metadata["id"], metadata["kind"]) != (clip_id, kind):
            raise ValueError(f"is of {metadata['kind']} of {metadata['id']}")
        notes = json.loads(metadata["notes"])
        return arrays, notes | {"parameters": json.loads(metadata["parameters"]), "made_with": metadata["made_with"]}
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: not the {kind} of {clip_id} ({error}); run prepare.py again") from error


def is_current(folder, kind, clip_id, parameters):
    """Whether a clip has its side file, whole and made with these parameters."""
    try:
        return read_side(folder, kind, clip_id)[1]["made_with"] == parameters_hash(parameters)
    except InputError:
        return False


def parameters_hash(parameters):
    """SHA-256 of what JSON makes of parameters, keys sorted; 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()

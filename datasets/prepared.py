"""Prepared clips: what `prepare.py` stores and training reads.

A corpus is a folder: `corpus.json` (format, settings), `manifest.jsonl` (one row per clip, failed ones with their reason) and
`clips/<id>.safetensors`. A clip file is self-describing: each array has its dtype and shape in the header. Reading maps the
file into memory, so that one window of one clip costs one small read; numpy and json are all it takes.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import atomic_output

FORMAT = "talkingface-prepared-1"
_DTYPES = {
    "U8": np.uint8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "F32": np.float32,
    "F64": np.float64,
    "BOOL": np.bool_,
}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_HEADER_LIMIT = 1 << 24


@dataclass
class ClipRow:
    """One row of the manifest.

    Attributes:
        id, speaker, split, transcript: see `datasets.corpora`; split is train, val, test or unseen.
        source: name of the source file; source_hash: SHA-256 of its bytes.
        frames, fps, seconds: of the prepared clip.
        faces: frames in which a face was found.
        error: "" or why the clip failed.
    """

    id: str
    speaker: str
    split: str
    transcript: str = ""
    source: str = ""
    source_hash: str = ""
    frames: int = 0
    fps: float = 25.0
    seconds: float = 0.0
    faces: int = 0
    error: str = ""


@dataclass
class PreparedCorpus:
    """A folder of prepared clips.

    Attributes:
        folder: Path.
        settings: what the clips were prepared with: crop, size, pads, fps, detector.
        rows: good clips, sorted by id.
        failed: rows of clips that failed.
    """

    folder: Path
    settings: dict
    rows: list[ClipRow] = field(default_factory=list)
    failed: list[ClipRow] = field(default_factory=list)

    @staticmethod
    def open_folder(folder):
        """Read settings and manifest.

        Raises:
            InputError: not a prepared corpus, another format version, or a broken manifest line.
        """
        folder = Path(folder)
        path = folder / "corpus.json"
        if not path.is_file():
            raise InputError(f"{folder}: not a prepared corpus (no corpus.json); make one with prepare.py")
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: is not JSON ({error})") from error
        if stored.get("format") != FORMAT:
            raise InputError(f"{path}: format {stored.get('format')!r}, this version reads {FORMAT!r}; prepare the corpus anew")
        rows = read_manifest(folder)
        good = sorted((row for row in rows.values() if not row.error), key=lambda row: row.id)
        failed = sorted((row for row in rows.values() if row.error), key=lambda row: row.id)
        return PreparedCorpus(folder, stored["settings"], good, failed)

    def split(self, name):
        """Good rows of one split, sorted by id."""
        return [row for row in self.rows if row.split == name]

    def open(self, row):
        """Arrays of one clip, mapped into memory."""
        return open_clip(clip_path(self.folder, row.id))


def clip_path(folder, clip_id):
    """Where a clip's file lies; folders of the id stay folders, so equal base names never collide."""
    return Path(folder) / "clips" / f"{clip_id}.safetensors"


def read_manifest(folder):
    """Rows by id; a later line replaces an earlier one. A torn last line, left by a crash, is dropped."""
    path = Path(folder) / "manifest.jsonl"
    rows = {}
    if not path.is_file():
        return rows
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = ClipRow(**json.loads(line))
        except (json.JSONDecodeError, TypeError) as error:
            if number == len(lines):
                continue
            raise InputError(f"{path}, line {number}: not a manifest row ({error})") from error
        rows[row.id] = row
    return rows


def write_clip(path, arrays, metadata):
    """Write arrays by name to `path` in the safetensors layout, whole or not at all.

    Args:
        arrays: dict of contiguous numpy arrays with a dtype of uint8, int16, int32, int64, float32, float64 or bool.
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
            file.write(np.ascontiguousarray(array).tobytes())


def open_clip(path):
    """dict of read-only numpy arrays, mapped into memory, from a clip file.

    Raises:
        InputError: the file is missing, truncated or not a clip.
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
        header.pop("__metadata__", None)
        arrays = {}
        for name, entry in header.items():
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            if end > len(raw):
                raise ValueError("truncated")
            arrays[name] = raw[start:end].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
        return arrays
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a whole prepared clip ({error}); prepare the corpus anew") from error

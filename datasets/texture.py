"""Texture modules beside the prepared clips: a folder for each way to make them; datasets.preparing.texture makes them."""

import re
from dataclasses import asdict

from common.errors import InputError
from datasets.clip_files import is_current, read_side, side_path

VERSION = 1  # of what is stored, and of how the modules are made


def kind_of(spec):
    """Folder of the modules of a faces.texture.TextureSpec, such as "texture-64-10"."""
    return f"texture-{spec.name}"


def parameters_of(row, spec):
    """dict of what decides the modules of a clip: its video, too, as a clip may have been prepared anew."""
    return {"version": VERSION, **asdict(spec), "source_hash": row.source_hash, "frames": row.frames}


def open_modules(folder, row, spec):
    """Texture modules of a clip.

    Args:
        folder: of the prepared corpus; row: datasets.prepared.ClipRow; spec: faces.texture.TextureSpec.

    Returns:
        (N, S, S) uint8 or int16, read-only, mapped into memory.

    Raises:
        InputError: they were not made, or are not of this clip; the message says how to make them.
    """
    kind = kind_of(spec)
    if not is_current(folder, kind, row.id, parameters_of(row, spec)):
        why = "are out of date" if side_path(folder, kind, row.id).is_file() else "are missing"
        raise InputError(f"{folder}: the texture modules of {row.id} {why}; run  {command(folder, spec)}")
    labels = read_side(folder, kind, row.id)[0].get("labels")
    if labels is None or labels.ndim != 3 or len(labels) != row.frames:
        raise InputError(f"{side_path(folder, kind, row.id)}: not the modules of {row.frames} frames; remove it and run  "
                         f"{command(folder, spec)}")  # fmt: skip
    return labels


def check_modules(folder, rows, spec):
    """InputError where one of the rows has no texture modules of this kind; looks at the names of files alone."""
    kind = kind_of(spec)
    missing = [row.id for row in rows if not side_path(folder, kind, row.id).is_file()]
    if missing:
        what = f"texture modules of {spec.clusters} clusters and compactness {spec.compactness:g}"
        what = f"{len(missing)} of {len(rows)} clips have no {what}{_others(folder, spec)}"
        raise InputError(f"{folder}: {what}; run  {command(folder, spec)}")


def _others(folder, spec):
    """Words for a message: with which other parameters there are modules."""
    names = sorted(path.name for path in folder.glob("texture-*") if path.is_dir() and path.name != kind_of(spec))
    known = [re.fullmatch(r"texture-(\d+)-([^-]+)(-\d+)?", name) for name in names]
    told = ", ".join(f"{name[1]} and {name[2]}" for name in known if name)
    return f" (there are some of {told})" if told else ""


def command(folder, spec):
    """The command that makes texture modules for a prepared corpus."""
    return f"python prepare.py --out {folder} --texture --clusters {spec.clusters} --compactness {spec.compactness:g}"

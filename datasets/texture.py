"""Texture modules of the prepared clips: made once from the stored faces, as side files; a folder for each way to make them."""

import re
import sys
from dataclasses import asdict

import numpy as np

from common.errors import InputError
from datasets.clip_files import clip_path, is_current, open_clip, read_side, side_path, write_side
from datasets.crew import Task
from datasets.prepared import read_manifest
from datasets.work import results
from faces.texture import texture_modules

VERSION = 1  # of what is stored, and of how the modules are made


def kind_of(spec):
    """Folder of the modules of a faces.texture.TextureSpec, such as "texture-64-10"."""
    return f"texture-{spec.name}"


def add_texture(folder, spec, workers=1, ids=None):
    """Make the texture modules that good clips of a corpus lack; shows progress, prints how many.

    Args:
        folder: Path of the prepared corpus.
        spec: faces.texture.TextureSpec.
        workers: datasets.work.Workers, or a number of processes.
        ids: of the clips; None takes all.

    Raises:
        InputError: more clusters than a face has pixels, or a clip cannot be read.
    """
    from tqdm import tqdm

    rows = [row for name, row in sorted(read_manifest(folder).items()) if not row.error and (ids is None or name in ids)]
    todo = [row for row in rows if not is_current(folder, kind_of(spec), row.id, _parameters(row, spec))]
    counts = f"{len(rows)} clips, {len(rows) - len(todo)} done before, {len(todo)} to do"
    print(f"texture modules ({spec.clusters} clusters, compactness {spec.compactness:g}): {counts}", flush=True)
    jobs = [(row, folder, spec) for row in todo]
    task = Task(_make, _lost, trusted=True)
    for complaint in tqdm(results(task, jobs, workers), total=len(jobs), unit="clip", disable=not jobs):
        if complaint:
            tqdm.write(complaint, file=sys.stderr)


def _lost(job, reason):
    return f"{job[0].id}: no texture modules: the worker {reason}; the same command tries it again"


def _make(job):
    """Store the modules of one clip; returns the complaint, which is none."""
    row, folder, spec = job
    faces = open_clip(clip_path(folder, row.id))["face"]
    labels = np.stack([texture_modules(face, spec.clusters, spec.compactness, spec.iterations) for face in faces])
    store_modules(folder, row, spec, labels)
    return ""


def store_modules(folder, row, spec, labels):
    """Write the modules of one clip: `labels` (N, S, S), as uint8, or int16 where a face has more than 256 modules."""
    labels = labels.astype(np.uint8 if labels.max() < 256 else np.int16)
    write_side(folder, kind_of(spec), row.id, {"labels": labels}, _parameters(row, spec))


def _parameters(row, spec):
    """What decides the modules of a clip: its video, too, as a clip may have been prepared anew."""
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
    if not is_current(folder, kind, row.id, _parameters(row, spec)):
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

"""Texture modules of the prepared clips: made once from the stored faces, as side files."""

import numpy as np

from common.terminal import counting
from datasets.clip_files import clip_path, is_current, open_clip, write_side
from datasets.prepared import read_manifest
from datasets.texture import kind_of, parameters_of
from datasets.workers.jobs import results
from datasets.workers.pool import Task
from faces.texture import texture_modules


def add_texture(folder, spec, workers=1, ids=None):
    """Make the texture modules that good clips of a corpus lack; shows progress, prints how many.

    Args:
        folder: Path of the prepared corpus.
        spec: faces.texture.TextureSpec.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        ids: of the clips; None takes all.

    Raises:
        InputError: more clusters than a face has pixels, or a clip cannot be read.
    """
    rows = [row for name, row in sorted(read_manifest(folder).items()) if not row.error and (ids is None or name in ids)]
    todo = [row for row in rows if not is_current(folder, kind_of(spec), row.id, parameters_of(row, spec))]
    counts = f"{len(rows)} clips, {len(rows) - len(todo)} done before, {len(todo)} to do"
    print(f"texture modules ({spec.clusters} clusters, compactness {spec.compactness:g}): {counts}", flush=True)
    jobs = [(row, folder, spec) for row in todo]
    task = Task(_make, _lost, trusted=True)
    with counting(len(jobs), "clip") as progress:
        for complaint in results(task, jobs, workers):
            if complaint:
                progress.note(complaint)
            progress.update()


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
    write_side(folder, kind_of(spec), row.id, {"labels": labels}, parameters_of(row, spec))

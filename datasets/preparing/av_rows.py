"""AV offsets of prepared clips: what of them is noted in the manifest, measured afterwards where it is missing, and counted."""

from dataclasses import replace

import numpy as np

from common.errors import InputError
from datasets.av_offset import CONFIDENT, measure_av_offset
from datasets.clip_files import clip_path, open_clip
from datasets.prepared import read_manifest
from datasets.workers.jobs import write_rows
from datasets.workers.pool import Task

WAYS = ("correct", "measure", "off")


def note(row, found):
    """Write an AvOffset into a ClipRow: the offset stays None where nothing could be measured, with a confidence of 0."""
    row.av_offset = found.frames if found.confidence > 0 else None
    row.av_confidence = found.confidence


def correction(found, way):
    """Frames by which the sound is to be moved against the picture; 0 where `found` does not suffice or `way` forbids it."""
    return int(np.rint(found.frames)) if way == "correct" and found.sure else 0


def measure_corpus(folder, workers=1, ids=None):
    """Measure the good clips of a corpus that were never measured and note it in the manifest; stored arrays stay as they are.

    Args:
        folder: Path of the prepared corpus.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        ids: of the clips; None takes all.

    Raises:
        InputError: a clip cannot be read.
    """
    rows = [row for name, row in sorted(read_manifest(folder).items()) if not row.error and (ids is None or name in ids)]
    todo = [row for row in rows if row.av_confidence is None]
    print(f"AV offset: {len(rows)} clips, {len(rows) - len(todo)} measured before, {len(todo)} to measure", flush=True)
    done = write_rows(folder, Task(_measure, _lost, trusted=True), [(row, folder) for row in todo], workers)
    rows = {row.id: row for row in [*rows, *done]}
    for line in report(rows.values()):
        print(line)


def _measure(job):
    row, folder = job
    clip = open_clip(clip_path(folder, row.id))
    row = replace(row)
    note(row, measure_av_offset(clip["mel"], clip["landmarks"], row.fps))
    return row, ""


def _lost(job, reason):
    raise InputError(f"{job[0].id}: its AV offset was not measured: the worker {reason}; run the same command again")


def report(rows):
    """Lines that count good rows by what is known of their AV offset; none where nothing was measured."""
    measured = [row for row in rows if row.av_confidence is not None]
    if not measured:
        return
    sure = [row for row in measured if row.av_confidence >= CONFIDENT]
    off = [row for row in sure if round(row.av_offset) != 0]
    corrected = sum(row.av_corrected != 0 for row in off)
    yield (f"AV offset: {len(sure)} of {len(measured)} clips sure (confidence {CONFIDENT:g} or more); "
           f"{len(off)} of them off by a frame or more, {corrected} corrected")  # fmt: skip

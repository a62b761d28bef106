"""AV offsets of prepared clips: what of them is noted in the manifest, measured anew by another measure, and counted.

A measure is an object with a `name` and a call (waveform, landmarks, fps) -> datasets.av_offset.AvOffset that may be sent to
other processes: datasets.av_judge.JudgeOffset, or datasets.av_offset.MelOffset.
"""

from dataclasses import replace

import numpy as np

from common.errors import InputError
from datasets.av_offset import MelOffset
from datasets.clip_files import clip_path, open_clip
from datasets.prepared import read_manifest
from datasets.workers.jobs import write_rows
from datasets.workers.pool import Task

WAYS = ("correct", "measure", "off")
FULL_SCALE = 32767  # of the stored samples

_measure = None  # one per worker process, made by _start


def note(row, found, measure):
    """Write an AvOffset into a ClipRow: the offset stays None where nothing could be measured, with a confidence of 0.

    Args:
        row: ClipRow; `av_corrected` says by how much the sound that was measured had been moved before.
        found: datasets.av_offset.AvOffset; measure: what found it.
    """
    row.av_offset = round(found.frames + row.av_corrected, 3) if found.confidence > 0 else None
    row.av_confidence, row.av_sure, row.av_by = found.confidence, found.sure, measure.name


def correction(found, way):
    """Frames by which the sound is to be moved against the picture; 0 where `found` does not suffice or `way` forbids it."""
    return int(np.rint(found.frames)) if way == "correct" and found.sure else 0


def measure_corpus(folder, measure, workers=1, ids=None):
    """Measure the good clips of a corpus that this measure has not measured; stored arrays stay as they are.

    The mel measures only what nothing has measured: it is the lesser measure.

    Args:
        folder: Path of the prepared corpus.
        measure: see above.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        ids: of the clips; None takes all.

    Raises:
        InputError: a clip cannot be read.
    """
    rows = [row for name, row in sorted(read_manifest(folder).items()) if not row.error and (ids is None or name in ids)]
    anew = measure.name != MelOffset.name
    todo = [row for row in rows if row.av_confidence is None or (anew and row.av_by != measure.name)]
    print(f"AV offset by {measure.name}: {len(rows)} clips, {len(rows) - len(todo)} measured before, {len(todo)} to measure",
          flush=True)  # fmt: skip
    task = Task(_measure_one, _lost, _start, (measure,), trusted=True)
    done = write_rows(folder, task, [(row, folder) for row in todo], workers)
    rows = {row.id: row for row in [*rows, *done]}
    for line in report(rows.values()):
        print(line)


def _start(measure):
    global _measure
    _measure = measure


def _measure_one(job):
    row, folder = job
    clip = open_clip(clip_path(folder, row.id))
    row = replace(row)
    note(row, _measure(np.asarray(clip["waveform"], np.float32) / np.float32(FULL_SCALE), clip["landmarks"], row.fps), _measure)
    return row, ""


def _lost(job, reason):
    raise InputError(f"{job[0].id}: its AV offset was not measured: the worker {reason}; run the same command again")


def report(rows):
    """Lines that count good rows by what is known of their AV offset; none where nothing was measured."""
    measured = [row for row in rows if row.av_confidence is not None]
    if not measured:
        return
    sure = [row for row in measured if row.av_is_sure]
    off = [row for row in sure if round(row.av_offset) != 0]
    corrected = sum(row.av_corrected != 0 for row in off)
    yield (f"AV offset: {len(sure)} of {len(measured)} clips sure; {len(off)} of them off by a frame or more, "
           f"{corrected} corrected")  # fmt: skip

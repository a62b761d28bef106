"""Prepared clips written as examples of the published layout of action units."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.terminal import counting
from datasets.action_units import KIND, read_action_units
from datasets.au_layout.files import COLUMNS, DROPPED, FRAMES, is_whole, write_example
from datasets.au_layout.lists import TABLE, Layout, read_layout, write_lists
from datasets.clip_files import clip_path, open_clip
from datasets.clip_ids import check_id
from datasets.fields.speech import clip_cepstra
from datasets.prepared import PreparedCorpus
from datasets.preparing.settings import SPLITTING
from datasets.workers.jobs import results
from datasets.workers.pool import Task
from speech.mfcc_windows import gather_columns

RATE = 25  # frames a second
CROPS = ("au112", "au128")
_SPLITS = {"train": "train", "val": "val", "test": "test", "unseen": "test"}


def write_layout(folder, target, workers=1, ids=None):
    """Write the clips of a prepared corpus in the published layout; shows progress.

    As published, the first 4 frames of a clip are left out and the next 50 are written; shorter clips are counted. Examples
    that are whole are left alone, unless their clips or labels are others since. Clips of the split "unseen" go to the list
    of "test".

    Args:
        folder: Path of the prepared corpus; target: Path of the root that is written.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        ids: of the clips; None takes all.

    Returns:
        Lines for the user.

    Raises:
        InputError: other crops than au112 and au128, another rate than 25, no sound, no action units; a target whose path has a
            blank, or that holds other files.
    """
    corpus = PreparedCorpus.open_folder(folder)
    _check(corpus, target)
    plan, left_out = _plan(corpus, [row for row in corpus.rows if ids is None or row.id in ids])
    if not plan:
        raise InputError(f"{folder}: no clip has action units and {DROPPED + FRAMES} frames; nothing is written")
    settings = {key: value for key, value in corpus.settings.items() if key not in SPLITTING}
    made_of = {name: _made_of(corpus, settings, row) for name, row in plan.items()}
    for name in _outdated(target, made_of):
        shutil.rmtree(target / name, ignore_errors=True)
    labels = {name: row.side[KIND]["from"] for name, row in plan.items()}
    splits = {name: _SPLITS[row.split] for name, row in plan.items()}
    write_lists(target, Layout(labels, made_of), splits, f"mfcc{COLUMNS}")
    todo = [(folder, target / name, row) for name, row in plan.items() if not is_whole(target / name)]
    with counting(len(todo), "clip") as progress:
        for complaint in results(Task(_write, _lost, trusted=True), todo, workers):
            if complaint:
                raise InputError(complaint)
            progress.update()
    shares = ", ".join(f"{name} {count}" for name, count in sorted(Counter(splits.values()).items()))
    reasons = "; ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
    origin = ", ".join(f"{count} {name}" for name, count in sorted(Counter(labels.values()).items()))
    told = f"{target}: {len(plan)} examples ({shares}); units: {origin}"
    return [told + (f"; left out: {reasons}" if reasons else "")]


def _check(corpus, target):
    """InputError where a corpus cannot be written in the layout, or the lists could not name its examples."""
    folder, settings = corpus.folder, corpus.settings
    if settings["crop"] not in CROPS:
        raise InputError(f"{folder}: holds {settings['crop']} crops; the layout holds {' or '.join(CROPS)}, prepare a corpus "
                         f"with --crop {CROPS[-1]}")  # fmt: skip
    if settings.get("fps") != RATE:
        raise InputError(f"{folder}: holds {settings.get('fps')} frames a second; the layout has {RATE}, prepare it with "
                         f"--fps {RATE}")  # fmt: skip
    if not corpus.has_sound:
        raise InputError(f"{folder}: its clips hold windows of MFCC and no sound; copy the folder that it was read from")
    if not any("from" in row.side.get(KIND, {}) for row in corpus.rows):
        raise InputError(f"{folder}: its clips hold no action units; run  python prepare.py --out {folder} --action_units "
                         "geometry")  # fmt: skip
    if any(char.isspace() for char in str(Path(target).resolve())):
        raise InputError(f"--au_layout {target}: its path has a blank, which the lists cannot hold; choose another")


def _plan(corpus, rows):
    """({name of an example: ClipRow}, {reason: number of clips left out})."""
    plan, left_out = {}, Counter()
    for row in rows:
        if "from" not in row.side.get(KIND, {}):
            left_out["without action units"] += 1
        elif row.frames < DROPPED + FRAMES:
            left_out[f"with fewer than {DROPPED + FRAMES} frames"] += 1
        else:
            clip = row.id.removeprefix(f"{row.speaker}/").replace("/", "-")
            name = check_id(f"{row.speaker.replace('/', '-')}/{clip}")
            if name in plan or any(char.isspace() for char in name):
                fault = f"{plan[name].id} has the same" if name in plan else "it has a blank"
                raise InputError(f"{corpus.folder}: the clip {row.id} makes the name {name!r}, and {fault}; rename its source")
            plan[name] = row
    return plan, left_out


def _made_of(corpus, settings, row):
    """16 hexadecimal digits that change with the source of a clip, with the settings, and with its labels."""
    units = read_action_units(corpus.folder, row)
    labels = hashlib.sha256(units.present.tobytes() + units.intensity.tobytes() + units.known.tobytes()).hexdigest()
    facts = [settings, row.source_hash, row.offset, row.sound_begins, row.frames, labels]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _outdated(target, made_of):
    """Names of examples that the target holds, made of something else since.

    Raises:
        InputError: the target holds anything but what was written of these clips.
    """
    if not target.is_dir() or not any(target.iterdir()):
        return []
    written = read_layout(target).made_of
    if not written or not set(written) <= set(made_of):
        raise InputError(f"--au_layout {target}: holds files that were not written of these clips ({TABLE}); choose an empty "
                         "folder")  # fmt: skip
    return [name for name, made in written.items() if made_of[name] != made]


def _write(job):
    """Write one example; returns the complaint, which is none."""
    folder, target, row = job
    clip, units = open_clip(clip_path(folder, row.id)), read_action_units(folder, row)
    kept = slice(DROPPED, DROPPED + FRAMES)
    windows = gather_columns(clip_cepstra(clip), 4 * np.arange(FRAMES), COLUMNS)
    labels = units.present[kept], units.intensity[kept], units.known[kept]
    write_example(target, np.array(clip["face"][kept]), np.array(clip["landmarks"][kept]), labels, windows, clip["waveform"])
    return ""


def _lost(job, reason):
    return f"{job[2].id}: its example was not written: the worker {reason}; the same command goes on"

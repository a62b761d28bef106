"""Prepared clips written as examples of the published layout of DAVS: one for each spoken word that has room around it."""

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.terminal import counting
from datasets.clip_files import clip_path, open_clip
from datasets.davs.files import CENTRE, FRAMES, HEARD, SIDE, is_whole, write_example
from datasets.davs.lists import CLIPS, WORDS, Example, read_clips, words_of, write_lists
from datasets.fields.speech import clip_cepstra
from datasets.prepared import PreparedCorpus
from datasets.preparing.settings import SPLITTING
from datasets.words import read_vocabulary, word_classes
from datasets.workers.jobs import results
from datasets.workers.pool import Task
from speech.mfcc_windows import mfcc_windows

RATE = 25  # frames a second
_SPLITS = {"train": "train", "val": "val", "test": "test", "unseen": "test"}


def write_layout(folder, target, workers=1, ids=None):
    """Write the words of a prepared corpus in the published layout; shows progress.

    Examples that are whole are left alone, unless their clips were prepared anew since, from another source or otherwise.

    An example holds the 29 frames around the middle of a word, as LRW's clips do. The stored crop is the middle 256 of its 260
    pixels, enlarged or shrunk where it has another size; beyond it the border is repeated. The windows of MFCC are cut of the
    sound of the whole clip. Clips of the split "unseen" go to "test".

    Args:
        folder: Path of the prepared corpus.
        target: Path of the root that is written.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        ids: of the clips; None takes all.

    Returns:
        Lines for the user.

    Raises:
        InputError: another kind of crop than davs, another rate than 25, no words, no sound; the target holds examples of other
            clips.
    """
    corpus = PreparedCorpus.open_folder(folder)
    words, rows = _checked(corpus), [row for row in corpus.rows if ids is None or row.id in ids]
    examples, without = _plan(corpus, rows, words)
    if not examples:
        raise InputError(f"{folder}: no word has room for {FRAMES} frames; nothing is written")
    for outdated in _outdated(target, words, examples):
        shutil.rmtree(target / outdated.name, ignore_errors=True)
    write_lists(target, words, examples)
    jobs = {}
    for example in examples:
        if not is_whole(target / example.name):
            jobs.setdefault(example.clip, []).append(example)
    todo, task = [(folder, target, some) for some in jobs.values()], Task(_write, _lost, trusted=True)
    with counting(len(todo), "clip") as progress:
        for complaint in results(task, todo, workers):
            if complaint:
                raise InputError(complaint)
            progress.update()
    splits = Counter(example.name.partition("/")[0] for example in examples)
    shares = ", ".join(f"{name} {count}" for name, count in sorted(splits.items()))
    told = [f"{target}: {len(examples)} words ({shares}) of {len(words)} classes; {without} without room for {FRAMES} frames"]
    size = corpus.settings["size"]
    border = f"the stored crop is the middle {CENTRE} of {SIDE} pixels, its border is repeated beyond"
    return [*told, border if size == CENTRE else f"{border}; crops of {size} pixels were brought to {CENTRE}"]


def _checked(corpus):
    """Words of a corpus that can be written; InputError where it cannot."""
    folder, settings = corpus.folder, corpus.settings
    if settings["crop"] != "davs":
        raise InputError(f"{folder}: holds {settings['crop']} crops; the layout holds crops of DAVS, prepare a corpus with "
                         "--crop davs")  # fmt: skip
    if settings.get("fps") != RATE:
        raise InputError(f"{folder}: holds {settings.get('fps')} frames a second; the layout has {RATE}, prepare it with "
                         f"--fps {RATE}")  # fmt: skip
    if not corpus.has_sound:
        raise InputError(f"{folder}: was read from this layout, and holds {len(HEARD)} of {FRAMES} frames and no sound; copy "
                         "the folder that it was read from")  # fmt: skip
    words = read_vocabulary(folder)
    if not words:
        raise InputError(f"{folder}: its clips hold no words; run prepare.py on it again with --corpus, --root and --words")
    return words


def _plan(corpus, rows, words):
    """(list of Example in order, number of words without room); examples of a class are numbered in the order of the clips."""
    numbers = {word: number for number, word in enumerate(words)}
    examples, counts, without = [], Counter(), 0
    settings = {key: value for key, value in corpus.settings.items() if key not in SPLITTING}
    for row in rows:
        if "from" not in row.side.get("words", {}):
            continue
        made_of = _made_of(settings, row)
        for (start, end), number in zip(*word_classes(corpus.folder, row, numbers), strict=True):
            first = int(np.floor((start + end) / 2 * RATE)) - FRAMES // 2
            if first < 0 or first + FRAMES > row.frames:
                without += 1
                continue
            place = f"{_SPLITS[row.split]}/{number}"
            examples.append(Example(f"{place}/{counts[place]}", row.speaker, row.id, first, made_of))
            counts[place] += 1
    return examples, without


def _made_of(settings, row):
    """16 hexadecimal digits that change with the source of a clip, with the settings, and with what was kept of the source."""
    facts = [settings, row.source_hash, row.offset, row.sound_begins, row.frames]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _outdated(target, words, examples):
    """Examples that the target holds of clips that were prepared anew since.

    Raises:
        InputError: the target holds anything but what was begun of these examples.
    """
    if not target.is_dir() or not any(target.iterdir()):
        return []
    written = read_clips(target)
    same = [replace(one, made_of="") for one in written] == [replace(one, made_of="") for one in examples]
    if not same or not Path(target, WORDS).is_file() or words_of(target, ()) != words:
        raise InputError(f"--davs_layout {target}: holds files that were not written of these clips and words ({CLIPS}, "
                         f"{WORDS}); choose an empty folder")  # fmt: skip
    return [old for old, new in zip(written, examples, strict=True) if old.made_of != new.made_of]


def _write(job):
    """Write the examples of one clip; returns the complaint, which is none."""
    import cv2

    folder, target, examples = job
    clip = open_clip(clip_path(folder, examples[0].clip))
    coefficients = clip_cepstra(clip)
    border = (SIDE - CENTRE) // 2
    for example in examples:
        faces = np.array(clip["face"][example.frame : example.frame + FRAMES])
        if faces.shape[1] != CENTRE:
            way = cv2.INTER_AREA if faces.shape[1] > CENTRE else cv2.INTER_CUBIC
            faces = np.stack([cv2.resize(face, (CENTRE, CENTRE), interpolation=way) for face in faces])
        faces = np.pad(faces, ((0, 0), (border, border), (border, border), (0, 0)), mode="edge")
        windows = mfcc_windows(coefficients, [example.frame + number for number in HEARD], RATE)
        write_example(target / example.name, faces, windows)
    return ""


def _lost(job, reason):
    return f"{job[2][0].clip}: its words were not written: the worker {reason}; the same command goes on"

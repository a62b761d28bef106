"""Material spoken by people, with borders from elsewhere: GRID's .align files, label files of CMU ARCTIC, TextGrids of MFA."""

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.alignment.material import Case
from common.errors import InputError
from datasets.corpora import list_clips
from speech.alignment.given import Given, read_alignment
from speech.alignment.interval_files import GRID_RATE
from speech.waveform import SAMPLE_RATE, load_waveform

# CMU ARCTIC's prompt of the one labelled file, whose label file holds no words.
ARCTIC_TEXTS = {"arctic_a0009": "He turned sharply, and faced Gregson across the table."}


def grid_cases(root, jobs, most=None):
    """Cases of all GRID clips with an .align file; the group is the speaker, the reference its words.

    Args:
        root: folder of the corpus.
        jobs: processes that decode.
        most: at most so many clips of a speaker; None: all.

    Returns:
        (list of Case, {id: {"suffix": of the video, "ends": seconds at which the last line of its .align file ends}}).
    """
    clips, taken = [], {}
    for clip in list_clips("grid", root):
        taken[clip.speaker] = taken.get(clip.speaker, 0) + (clip.align is not None)
        if clip.align is not None and (most is None or taken[clip.speaker] <= most):
            clips.append(clip)
    if not clips:
        raise InputError(f"--grid {root}: no clip there has an .align file (s1/align/*.align)")
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            read = list(pool.map(_grid_case, clips, chunksize=8))
    else:
        read = [_grid_case(clip) for clip in clips]
    return [case for case, _ in read], {case.id: facts for case, facts in read}


def _grid_case(clip):
    waveform = load_waveform(clip.path)
    words = read_alignment(clip.align, len(waveform) / SAMPLE_RATE).words
    last = clip.align.read_text(encoding="utf-8").split()[-2]
    facts = {"suffix": clip.path.suffix, "ends": int(last) / GRID_RATE}
    return Case(clip.id, clip.speaker, _spoken(words), waveform, words=words), facts


def _spoken(words):
    return " ".join(word.label for word in words if word.label)


def speech_cases(folder):
    """Cases below a folder: a sound with NAME_phone.lab, or with NAME.TextGrid, beside it; the group is the file's name.

    Text comes from NAME.lab, else from the TextGrid's words.

    Raises:
        InputError: no such folder, or nothing of that kind in it.
    """
    folder, cases = Path(folder), []
    if not folder.is_dir():
        raise InputError(f"--speech {folder}: no such folder")
    for path in sorted([*folder.rglob("*.wav"), *folder.rglob("*.flac")]):
        labels, grid = path.with_name(f"{path.stem}_phone.lab"), path.with_suffix(".TextGrid")
        if labels.is_file() and path.stem in ARCTIC_TEXTS:
            cases.append(_labelled(path, labels, ARCTIC_TEXTS[path.stem]))
        elif grid.is_file():
            script = path.with_suffix(".lab")
            cases.append(_labelled(path, grid, script.read_text(encoding="utf-8") if script.is_file() else None))
    if not cases:
        raise InputError(f"--speech {folder}: no sound with a .TextGrid or a known _phone.lab beside it")
    return cases


def _labelled(path, labels, words):
    """Case of a sound and its labels; labels that hold no borders, only whole sentences, are told and leave no reference."""
    waveform = load_waveform(path)
    try:
        known = read_alignment(labels, len(waveform) / SAMPLE_RATE)
    except InputError as error:
        if words is None:
            raise
        print(f"not compared: {error}", file=sys.stderr)
        known = Given((), ())
    text = " ".join((_spoken(known.words) if words is None else words).split())
    return Case(path.stem, path.stem, text, waveform, known.phones, known.words)

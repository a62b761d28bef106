"""Material spoken by people, with borders from elsewhere: GRID's .align files, label files of CMU ARCTIC, TextGrids of MFA."""

import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.alignment_material import Case
from common.errors import InputError
from datasets.corpora import list_clips
from speech.alignment import Interval, cover
from speech.phone_labels import to_arpabet
from speech.waveform import SAMPLE_RATE, load_waveform

GRID_UNIT = 25000  # of the times in .align files, one second
# CMU ARCTIC's prompt of the one labelled file, whose label file holds no words.
ARCTIC_TEXTS = {"arctic_a0009": "He turned sharply, and faced Gregson across the table."}
_HTK_PHONE = re.compile(r"\^[^-]+-([A-Za-z]+)\+")
_MARKS = re.compile(r"\[[^]]*\]|<[^>]*>")


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
    seconds = len(waveform) / SAMPLE_RATE
    try:
        rows = grid_rows(clip.align.read_text(encoding="utf-8"))
    except InputError as error:
        raise InputError(f"{clip.align}: {error}") from error
    words = cover([Interval(*row) for row in rows if row[2] not in ("sil", "sp") and row[1] > row[0]], seconds, "")
    text = " ".join(word.label for word in words if word.label)
    return Case(clip.id, clip.speaker, text, waveform, words=words), {"suffix": clip.path.suffix, "ends": rows[-1][1]}


def grid_rows(text):
    """Lines of an .align file -> list of (start, end, word), in seconds by GRID_UNIT, words in lower case."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if not rows or not all(len(row) == 3 and row[0].isdigit() and row[1].isdigit() for row in rows):
        raise InputError("not an .align file, whose lines hold start, end and word")
    return [(int(start) / GRID_UNIT, int(end) / GRID_UNIT, word.lower()) for start, end, word in rows]


def htk_phones(text):
    """Phones of a full-context HTK label file (start, end in 100 ns, a^b-PHONE+c=d...) -> list of Interval.

    Raises:
        InputError: a line is not of that form.
    """
    tier = []
    for line in text.splitlines():
        if not line.strip():
            continue
        start, end, label = (*line.split(maxsplit=2), "", "")[:3]
        match = _HTK_PHONE.search(label)
        if match is None or not start.isdigit() or not end.isdigit():
            raise InputError(f"{line[:40]!r}: not a line of a full-context label file")
        tier.append(Interval(int(start) / 1e7, int(end) / 1e7, _phone(match[1])))
    return tier


def speech_cases(folder):
    """Cases below a folder: a sound with NAME_phone.lab, or with NAME.TextGrid, beside it; the group is the file's name.

    Text comes from NAME.lab, else from the TextGrid's words. What stands in [] or <> there is no word and left out.

    Raises:
        InputError: no such folder, or nothing of that kind in it.
    """
    folder, cases = Path(folder), []
    if not folder.is_dir():
        raise InputError(f"--speech {folder}: no such folder")
    for path in sorted([*folder.rglob("*.wav"), *folder.rglob("*.flac")]):
        labels, grid = path.with_name(f"{path.stem}_phone.lab"), path.with_suffix(".TextGrid")
        if labels.is_file() and path.stem in ARCTIC_TEXTS:
            waveform = load_waveform(path)
            phones = cover(htk_phones(labels.read_text(encoding="utf-8")), len(waveform) / SAMPLE_RATE)
            cases.append(Case(path.stem, path.stem, ARCTIC_TEXTS[path.stem], waveform, phones))
        elif grid.is_file():
            cases.append(_textgrid_case(path, grid))
    if not cases:
        raise InputError(f"--speech {folder}: no sound with a .TextGrid or a known _phone.lab beside it")
    return cases


def _textgrid_case(path, grid):
    """Phones and words of a TextGrid; one tier of sentences alone gives a case without reference."""
    from praatio import textgrid

    waveform = load_waveform(path)
    seconds = len(waveform) / SAMPLE_RATE
    tiers = textgrid.openTextgrid(str(grid), includeEmptyIntervals=False)
    entries = {name.lower(): tiers.getTier(name).entries for name in tiers.tierNames}
    words = [Interval(one.start, one.end, _MARKS.sub("", one.label.lower())) for one in entries.get("words", ())]
    phones = [Interval(one.start, one.end, _phone(one.label)) for one in entries.get("phones", ())]
    script = path.with_suffix(".lab")
    text = script.read_text(encoding="utf-8") if script.is_file() else " ".join(word.label for word in words)
    return Case(
        path.stem,
        path.stem,
        " ".join(_MARKS.sub(" ", text).split()),
        waveform,
        cover(phones, seconds) if phones else (),
        cover([word for word in words if word.label], seconds, "") if words else (),
    )


def _phone(label):
    """Class of a reference's phone; a label of no known set is refused, because it would pass for one said otherwise."""
    known = to_arpabet(label)
    if known is None:
        raise InputError(f"{label!r} is no phone of a known set")
    return known[0]

"""Alignments and transcripts that the user gives as files: GRID, TextGrid, LRS, HTK, TIMIT, CSV, our JSON, plain text."""

from dataclasses import dataclass, replace
from pathlib import Path

from common.errors import InputError
from speech.alignment.interval_files import (
    GRID_RATE,
    TIMIT_RATE,
    is_interval_line,
    is_lrs,
    lrs_transcript,
    parse_csv,
    parse_htk,
    parse_lines,
    parse_lrs,
    sentence_of_timit,
)
from speech.alignment.intervals import Alignment, Interval, cover
from speech.alignment.json_files import load_object, parse_rows, read_json, write_json
from speech.text.files import read_text
from speech.text.phone_labels import CLOSURES, KNOWN_SETS, is_noise, is_silence, to_arpabet
from speech.text.subtitles import is_subtitles, subtitle_words

SUFFIXES = (".align", ".TextGrid", ".lab", ".phn", ".wrd", ".csv", ".tsv", ".json", ".txt")
OVERLAP = 0.05  # seconds of overlap that a file may have; aligners round
EXCESS = 0.5  # seconds that a file may reach beyond the sound; encoders pad
GAP = 1e-3  # seconds; a shorter gap comes from rounding, it is no silence


@dataclass(frozen=True)
class Given:
    """What a file says of one sound.

    Attributes:
        words: tuple of Interval, gap-free over [0, seconds], "" for silence; () where the file has none.
        phones: tuple of Interval, gap-free over [0, seconds], ARPAbet; () where the file has none.
        notes: sentences for the user.
    """

    words: tuple[Interval, ...]
    phones: tuple[Interval, ...]
    notes: tuple[str, ...] = ()

    def as_alignment(self, seconds, source="given"):
        """Alignment of a file that has phones. Of one that has none, `words` are for `Utterance.words`, to be aligned inside.

        Args:
            seconds: length of the sound, as it was given to `read_alignment`.
        """
        if not self.phones:
            raise ValueError("the file has no phones; align inside its words")
        return Alignment(phones=self.phones, words=self.words, seconds=float(seconds), source=source, notes=self.notes)


def read_alignment(path, seconds, offset=0.0, part=None):
    """Words and phones of an alignment file, for a sound of known length.

    Formats, by suffix and content: GRID `.align` (words; 1/25000 s), Praat `.TextGrid` (long, short, as MFA and MAUS name their
    tiers), `.lab` of HTK (100 ns; full-context labels too), TIMIT `.phn` and `.wrd` (samples of 16 kHz), `.csv` and `.tsv`
    (start, end, label[, tier]; seconds), our `.json` (speech/alignment/json_files.py) and praatio's, `.txt` of LRS2/LRS3
    pretrain or with lines `start end label` in seconds. Where a format does not say whether it holds words or phones, the
    labels do.

    Args:
        path: the file.
        seconds: length of the sound, > 0.
        offset: seconds that the sound begins later than the file's time zero; subtracted from all times.
        part: the sound is a part of what the file describes, so that what lies outside is cut off without complaint; default:
            True where `offset` is not zero.

    Returns:
        Given. Small overlaps (50 ms) and a small excess (0.5 s) are cut.

    Raises:
        InputError: file missing or malformed (the message names the place), a phone of no known set, or times that do not
            belong to a sound of this length.
    """
    tiers = _tiers(path, read_text(path, "alignment"))
    if "utterances" in tiers:
        raise InputError(f"{path}: holds whole utterances, no times of words; give it as a transcript, to be aligned")
    part = offset != 0 if part is None else part
    words, phones, notes = (), (), ()
    if "words" in tiers:
        rows = _placed(tiers["words"], path, seconds, offset, part)
        words = cover(_joined([_word(row) for row in rows if not _blank(row)], seconds), seconds, blank="")
    if "phones" in tiers:
        rows = _placed(tiers["phones"], path, seconds, offset, part)
        notes = _noise_notes(rows)
        phones = cover(_joined(_phones(rows, path), seconds), seconds)
    return Given(words, phones, notes)


def read_transcript(path):
    """Words of a transcript file, as written, white space made single.

    Args:
        path: plain text (.txt, or .lab as MFA has it), LRS2/LRS3 text (the line `Text:`), TIMIT's .TXT (samples before the
            sentence), subtitles (.srt, .vtt, .ass, .sbv, or a .txt that holds such; `speech.text.subtitles`), or any alignment
            file with words. Encodings: see `speech.text.files.read_text`.

    Raises:
        InputError: file missing or unreadable, or without a word.
    """
    text = read_text(path, "transcript")
    if is_subtitles(text):
        words = subtitle_words(text)
    elif is_lrs(text):
        words = lrs_transcript(text, path)
    elif _is_sentence(path, text):
        words = sentence_of_timit(text)
    elif _is_plain(path, text):
        words = " ".join(text.split())
    else:
        tiers = _tiers(path, text)
        rows = tiers.get("utterances") or tiers.get("words")
        if rows is None:
            raise InputError(f"{path}: holds phones, no words; give it as an alignment")
        words = " ".join(" ".join(row.label.split()) for row in sorted(rows, key=lambda row: row.start) if not _blank(row))
    if not words:
        raise InputError(f"{path}: holds no word (transcript)")
    return words


def _is_sentence(path, text):
    """Whether a text is TIMIT's .TXT: a sentence with the times of its ends."""
    return Path(path).suffix.lower() in (".txt", "") and sentence_of_timit(text) is not None


def _is_plain(path, text):
    """Whether a .txt, .lab or file of unknown suffix is a text without times."""
    from speech.alignment.textgrid import is_textgrid

    suffix = Path(path).suffix.lower()
    if suffix not in (".txt", ".lab") and suffix in [known.lower() for known in SUFFIXES]:
        return False
    lines = [line for line in text.split("\n") if line.strip()]
    return not is_textgrid(text) and not (lines and is_interval_line(lines[0], more=suffix == ".lab"))


def _tiers(path, text):
    """{"words": rows, "phones": rows}, one of them, or {"utterances": rows}."""
    from speech.alignment.textgrid import is_textgrid, role_of

    suffix = Path(path).suffix.lower()
    if is_subtitles(text):
        raise InputError(f"{path}: holds subtitles, no times of words; give it as a transcript, to be aligned")
    if _is_sentence(path, text):
        raise InputError(f"{path}: holds a sentence with the times of its ends alone; give it as a transcript, to be aligned")
    if suffix == ".textgrid" or is_textgrid(text):
        return _textgrid(path, text)
    if suffix == ".json":
        return _json(path, text)
    if suffix in (".csv", ".tsv"):
        tiers = parse_csv(text, path)
    elif suffix == ".align":
        tiers = {"words": parse_lines(text, path, GRID_RATE)}
    elif suffix in (".phn", ".wrd"):
        tiers = {"phones" if suffix == ".phn" else "words": parse_lines(text, path, TIMIT_RATE)}
    elif suffix == ".txt" and is_lrs(text):
        tiers = {"words": parse_lrs(text, path)}
    elif suffix not in (".txt", ".lab"):
        raise InputError(f"{path}: no alignment file by its suffix; known are {', '.join(SUFFIXES)}")
    elif _is_plain(path, text):
        raise InputError(f"{path}: holds a transcript without times; give it as a transcript, to be aligned")
    elif suffix == ".lab":
        tiers = {"": parse_htk(text, path)}
    else:
        tiers = parse_csv(text, path) if "\t" in text.strip().split("\n", 1)[0] else {"": parse_lines(text, path, 1)}
    rows = tiers.pop("", None)
    if rows:
        tiers[role_of(row.label for row in rows)] = rows
    if not any(tiers.values()):
        raise InputError(f"{path}: holds no interval")
    return {role: rows for role, rows in tiers.items() if rows}


def _textgrid(path, text):
    from speech.alignment.textgrid import parse_textgrid, pick_tiers

    tiers = pick_tiers(parse_textgrid(text, path), path)
    if not any(tiers.values()):
        raise InputError(f"{path}: holds no interval")
    return tiers


def _json(path, text):
    data = load_object(text, path)
    return _textgrid(path, text) if "tiers" in data else parse_rows(data, path)


def _placed(rows, path, seconds, offset, part):
    """Rows sorted, moved by `-offset`; refused where they overlap or do not belong to the sound."""
    rows = sorted((replace(row, start=row.start - offset, end=row.end - offset) for row in rows), key=lambda row: row.start)
    reached = -float("inf")
    for row in rows:
        if row.end < row.start:
            raise InputError(f"{path}: {row.where}: {row.label[:40]!r} ends before it begins")
        if _blank(row):
            continue
        overlap = reached - row.start
        if overlap > OVERLAP and row.end > row.start:
            raise InputError(f"{path}: {row.where}: {row.label[:40]!r} begins {overlap:.3f} s before the last one ends")
        reached = max(reached, row.end)
    if not rows:
        return rows
    last = max(row.end for row in rows)
    if not part and (last > seconds + EXCESS or rows[0].start < -EXCESS):
        raise _not_of_this_sound(path, rows[0].start, last, seconds)
    told = [row for row in rows if part or not _blank(row)]
    if told and not any(row.start < seconds and row.end > 0 for row in told):
        raise _not_of_this_sound(path, rows[0].start, last, seconds)
    return rows


def _not_of_this_sound(path, first, last, seconds):
    return InputError(
        f"{path}: does not belong to this sound: times from {first:.3f} to {last:.3f} s, and the sound is {seconds:.3f} s long"
    )


def _joined(intervals, seconds):
    """Sorted intervals with the gaps closed that rounding left."""
    joined, followings = [], [*(one.start for one in intervals[1:]), seconds]
    for one, following in zip(intervals, followings, strict=False):
        start = 0.0 if not joined and 0 < one.start < GAP else one.start
        end = following if 0 < following - one.end < GAP else one.end
        joined.append(replace(one, start=start, end=end))
    return joined


def _blank(row):
    return is_silence(row.label) or is_noise(row.label)


def _word(row):
    return Interval(row.start, row.end, " ".join(row.label.split()).lower())


def _phones(rows, path):
    """Intervals of ARPAbet phones, silence left out; a closure and the release that follows it are one phone."""
    unknown = {row.label: row.where for row in reversed(rows) if to_arpabet(row.label) is None}
    if unknown:
        names = ", ".join(f"{label[:20]!r} ({where})" for label, where in list(reversed(unknown.items()))[:5])
        raise InputError(f"{path}: unknown phone {names}; known are {KNOWN_SETS}")
    phones, releases = [], ()
    for row in rows:
        if _blank(row):
            continue
        label, stress = to_arpabet(row.label)
        start = row.start
        if label in releases and abs(phones[-1].end - row.start) < GAP:
            start = phones.pop().start
        phones.append(Interval(start, row.end, label, stress))
        releases = CLOSURES.get(row.label.strip().lower(), ("", ()))[1]
    return phones


def _noise_notes(rows):
    noises = [row for row in rows if is_noise(row.label)]
    if not noises:
        return ()
    places = ", ".join(f"{row.start:.2f}-{row.end:.2f} s" for row in noises[:5])
    return (f"spoken noise, an unknown word or a laugh, is taken as silence: {places}{', ...' if len(noises) > 5 else ''}",)


__all__ = ["SUFFIXES", "Given", "read_alignment", "read_json", "read_transcript", "write_json"]

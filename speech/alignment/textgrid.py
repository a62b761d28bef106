"""Praat TextGrids: read the tiers of words and phones of long, short and JSON ones, write an alignment as a long one."""

import re
from dataclasses import dataclass

from common.errors import InputError
from common.files import atomic_output
from speech.alignment.interval_files import Row, number
from speech.alignment.intervals import Interval, cover
from speech.text.phone_labels import is_noise, is_silence, looks_like_phones

WORD_TIERS = ("words", "word", "ort-mau", "ort", "orthography")
PHONE_TIERS = ("phones", "phone", "phonemes", "phoneme", "mau", "segments")

_NEGATIVE = re.compile(r"^\s*(?:xmin|xmax) ?= ?-\s*(?=[\d.]*[1-9])", re.MULTILINE)
_LONG_SIZE = re.compile(r"^\s*intervals ?: ?size ?= ?(\d{1,9})\s*$", re.MULTILINE)
_SHORT_SIZE = re.compile(r'^"IntervalTier"\s*\n\s*"(?:[^"]|"")*"\s*\n\s*\S+\s*\n\s*\S+\s*\n\s*(\d{1,9})\s*$', re.MULTILINE)
_TIERS = re.compile(r"<exists>\s*\n\s*(?:size ?= ?)?(\d{1,9})\s*$", re.MULTILINE)
_TINY = re.compile(r"^(\s*(?:xmin|xmax) = )(\d\S*e-\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Tier:
    """One interval tier: its name and its rows, as the file has them."""

    name: str
    rows: tuple[Row, ...]


def is_textgrid(text):
    """Whether a text begins as a TextGrid does."""
    return text.lstrip()[:60].startswith(("File type", '"ooTextFile')) and "TextGrid" in text[:200]


def parse_textgrid(text, path):
    """Interval tiers of a TextGrid; point tiers are left out.

    Args:
        text: long or short TextGrid, or praatio's JSON form of one (which MFA writes too).
        path: for messages.

    Returns:
        list of Tier.

    Raises:
        InputError: it cannot be parsed, holds fewer intervals than it says, or has no interval tier.
    """
    from praatio.utilities import textgrid_io
    from praatio.utilities.errors import PraatioException

    if found := _NEGATIVE.search(text):
        # praatio's parser drops the sign
        place = text.count("\n", 0, found.end()) + 1
        raise InputError(f"{path}: line {place}: a time before the beginning; write the TextGrid again with Praat")
    try:
        grid = textgrid_io.parseTextgridStr(text + "\n", includeEmptyIntervals=True)
        read = [
            (tier["name"], [tuple(entry) for entry in tier["entries"]])
            for tier in grid["tiers"]
            if "interval" in str(tier["class"]).lower()
        ]
    except (PraatioException, ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise InputError(f"{path}: no TextGrid that can be read ({str(error)[:80]}); write it again with Praat") from error
    _check_sizes(text, grid, read, path)
    if not read:
        raise InputError(f"{path}: has no interval tier")
    return [Tier(str(name), _rows(str(name), entries, path)) for name, entries in read]


def _check_sizes(text, grid, read, path):
    """praatio passes over what a file that was cut off no longer has; the sizes that the file states tell."""
    tiers = _TIERS.search(text)
    if tiers and int(tiers[1]) != len(grid["tiers"]):
        raise InputError(f"{path}: should have {int(tiers[1])} tiers and has {len(grid['tiers'])}; the file is damaged")
    stated = [int(size) for size in _LONG_SIZE.findall(text) or _SHORT_SIZE.findall(text)]
    found = [len(entries) for _, entries in read]
    if stated and stated != found:
        raise InputError(f"{path}: its tiers should have {stated} intervals and have {found}; the file is damaged")


def _rows(name, entries, path):
    rows = []
    for place, entry in enumerate(entries, 1):
        where = f"tier {name[:40]!r}, interval {place}"
        if len(entry) != 3:
            raise InputError(f"{path}: {where}: expected start, end, label")
        rows.append(Row(number(entry[0], path, where), number(entry[1], path, where), str(entry[2]), where))
    return tuple(rows)


def pick_tiers(tiers, path):
    """Which tiers hold the words and which the phones.

    By name, in any case, alone or after "<speaker> - " as MFA writes for several speakers (whose tiers are then taken
    together). A lone tier of another name is decided by its labels: phones, whole utterances (labels of several words), or
    words.

    Returns:
        {"words": rows, "phones": rows} or one of them, or {"utterances": rows}.

    Raises:
        InputError: several tiers, none of a known name.
    """
    picked = {}
    for role, names in (("words", WORD_TIERS), ("phones", PHONE_TIERS)):
        for name in names:
            rows = [row for tier in tiers if _plain_name(tier.name) == name for row in tier.rows]
            if rows:
                picked[role] = rows
                break
    if picked:
        return picked
    if len(tiers) > 1:
        names = ", ".join(repr(tier.name[:40]) for tier in tiers)
        raise InputError(f"{path}: cannot tell words and phones among the tiers {names}; name them words and phones")
    rows = list(tiers[0].rows)
    return {role_of(row.label for row in rows): rows}


def role_of(labels):
    """What the labels of a tier of unknown name are: "phones", "utterances" or "words"."""
    labels = [label for label in labels if not is_silence(label) and not is_noise(label)]
    if looks_like_phones(labels):
        return "phones"
    several = sum(len(label.split()) > 1 for label in labels)
    return "utterances" if 2 * several > len(labels) else "words"


def _plain_name(name):
    return name.rpartition(" - ")[2].strip().lower()


def write_textgrid(path, alignment, extra=None):
    """Write an alignment as a long TextGrid in UTF-8.

    Args:
        path: .TextGrid file; it appears whole or not at all.
        alignment: speech.alignment.Alignment; its words (where there are some) and phones become tiers "words" and "phones".
            Stress follows the phone ("AH0"); silence is "SIL" among phones, "" among words.
        extra: {tier name: iterable of Interval} of further tiers, such as temporal modules; gaps become "".

    Raises:
        InputError: the file cannot be written.
    """
    from praatio.utilities import textgrid_io

    tiers = {"words": alignment.words} if alignment.words else {}
    tiers["phones"] = [_stressed(phone) for phone in alignment.phones]
    for name, intervals in (extra or {}).items():
        if name in tiers:
            raise ValueError(f"two tiers of the name {name!r}")
        tiers[name] = cover(intervals, alignment.seconds, blank="")
    grid = {
        "xmin": 0.0,
        "xmax": alignment.seconds,
        "tiers": [
            {
                "class": "IntervalTier",
                "name": " ".join(name.split()),
                "xmin": 0.0,
                "xmax": alignment.seconds,
                "entries": [(float(one.start), float(one.end), " ".join(one.label.split())) for one in intervals],
            }
            for name, intervals in tiers.items()
        ],
    }
    text = textgrid_io.getTextgridAsStr(grid, "long_textgrid", includeBlankSpaces=True, minimumIntervalLength=None)
    # Readers of TextGrids, praatio's own among them, do not know 1e-05.
    text = _TINY.sub(lambda found: f"{found[1]}{float(found[2]):.12f}", text)
    with atomic_output(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _stressed(phone):
    if phone.stress is None:
        return phone
    return Interval(phone.start, phone.end, f"{phone.label}{phone.stress}")

"""Alignments as text, one interval a line: GRID, HTK, TIMIT, LRS2/LRS3 pretrain, CSV. From text to rows; no checks of times."""

import csv
import io
import math
import re
from dataclasses import dataclass

from common.errors import InputError

# Units a second. GRID's unit is a thousandth of a video frame.
GRID_RATE = 25_000
HTK_RATE = 10_000_000
TIMIT_RATE = 16_000
TIMIT_LEAST = 1_600  # samples of a sentence: smaller numbers before words are words themselves

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_STATE = re.compile(r"(.*)\[(\d+)\]", re.DOTALL)
_COLUMNS = {
    "start": ("start", "begin", "xmin", "tmin", "from"),
    "end": ("end", "stop", "xmax", "tmax", "to"),
    "label": ("label", "text", "word", "phone", "mark"),
    "tier": ("tier", "type", "kind"),
}
_TIERS = {"word": "words", "words": "words", "phone": "phones", "phones": "phones", "phoneme": "phones", "phonemes": "phones"}


@dataclass(frozen=True)
class Row:
    """One interval as the file has it: start and end in seconds, label as written, `where` for messages ("line 3")."""

    start: float
    end: float
    label: str
    where: str


def number(value, path, where):
    """Finite float of a string or a JSON number; InputError names file and place."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) or isinstance(value, int | float):
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
        if math.isfinite(seconds) and not isinstance(value, bool):
            return seconds
    raise InputError(f"{path}: {where}: {str(value)[:40]!r} is no time")


def is_interval_line(line, more=False):
    """Whether a line is `start end label`, by its first two fields: numbers, of which the second is not less.

    Args:
        more: further fields may follow the label. Without, a line of more fields is a sentence ("10 000 people came"), unless
            tabs part them.
    """
    fields = line.split()
    if len(fields) < 2 or not all(_NUMBER.fullmatch(field) for field in fields[:2]) or float(fields[0]) > float(fields[1]):
        return False
    return more or len(fields) <= 3 or "\t" in line.strip()


def sentence_of_timit(text):
    """Words of TIMIT's own .TXT, whose lines have the first and the last sample before a sentence: "0 46797 She had your dark
    suit in greasy wash water all year." None where a line has another form, the first does not begin at 0, the last ends within
    a tenth of a second, or none has several words.
    """
    lines = [line.split(None, 2) for line in text.split("\n") if line.strip()]
    if not all(len(line) == 3 and line[0].isdecimal() and line[1].isdecimal() for line in lines):
        return None
    edges = [(int(start), int(end)) for start, end, _ in lines]
    if not edges or edges[0][0] != 0 or any(start >= end for start, end in edges) or edges[-1][1] < TIMIT_LEAST:
        return None
    sentences = [" ".join(line[2].split()) for line in lines]
    return " ".join(sentences) if any(" " in sentence for sentence in sentences) else None


def parse_lines(text, path, rate, more=False):
    """Rows of lines `start end label`; empty lines are passed over.

    Args:
        rate: units of time a second.
        more: fields after the label are allowed and ignored.
    """
    rows = []
    for place, line in enumerate(text.split("\n"), 1):
        fields = line.split()
        if not fields:
            continue
        where = f"line {place}"
        if len(fields) < 3 or (len(fields) > 3 and not more):
            raise InputError(f"{path}: {where}: expected `start end label`, found {line.strip()[:60]!r}")
        rows.append(Row(number(fields[0], path, where) / rate, number(fields[1], path, where) / rate, fields[2], where))
    return rows


def parse_htk(text, path):
    """Rows of an HTK label file: `start end label`, times in 100 ns; full-context labels give their middle phone.

    Rows of states (`...[2]`, `...[3]`) become one row a phone.
    """
    rows, context, state = [], None, 0
    for row in parse_lines(text, path, HTK_RATE, more=True):
        parts = _STATE.fullmatch(row.label)
        label = parts[1] if parts else row.label
        if parts and label == context and int(parts[2]) > state:
            rows[-1] = Row(rows[-1].start, row.end, rows[-1].label, rows[-1].where)
        else:
            rows.append(Row(row.start, row.end, middle_phone(label), row.where))
        context, state = (label, int(parts[2])) if parts else (None, 0)
    return rows


def middle_phone(label):
    """The phone of a label in context: "x^sil-hh+iy=t@1_2/A:..." -> "hh"; a label without context stays as it is."""
    found = re.match(r"[^-+]*-([^-+]+)\+", label)
    return found[1] if found else label


def is_lrs(text):
    """Whether a text is one of LRS2's or LRS3's."""
    return any(line.startswith(("Text:", "Ref:", "WORD START END")) for line in text.split("\n", 8)[:8])


def lrs_transcript(text, path):
    """Words of the `Text:` line, as written."""
    for line in text.split("\n"):
        if line.startswith("Text:"):
            return " ".join(line[len("Text:") :].split())
    raise InputError(f"{path}: no line begins with `Text:`; an LRS2 or LRS3 transcript has one")


def parse_lrs(text, path):
    """Rows of the table `WORD START END ASDSCORE` of a pretrain file; seconds."""
    lines = text.split("\n")
    heads = [place for place, line in enumerate(lines) if line.split()[:3] == ["WORD", "START", "END"]]
    if not heads:
        raise InputError(f"{path}: holds a transcript but no table `WORD START END`; only LRS pretrain files have word times")
    rows = []
    for place, line in enumerate(lines[heads[0] + 1 :], heads[0] + 2):
        fields = line.split()
        if not fields:
            break
        where = f"line {place}"
        if len(fields) < 3:
            raise InputError(f"{path}: {where}: expected `WORD START END ASDSCORE`, found {line.strip()[:60]!r}")
        rows.append(Row(number(fields[1], path, where), number(fields[2], path, where), fields[0], where))
    return rows


def parse_csv(text, path):
    """Rows of a table with columns start, end, label and, where it has one, tier; seconds; with a header or without.

    Returns:
        {"words": rows, "phones": rows} as the tier column says, or {"": rows} without one.
    """
    first = text.lstrip("\n").split("\n", 1)[0]
    delimiter = "\t" if "\t" in first else ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    columns, tiers = None, {}
    try:
        for fields in reader:
            fields = [field.strip() for field in fields]
            if not any(fields):
                continue
            where = f"line {reader.line_num}"
            if columns is None:
                columns = _columns(fields, path, where)
                if not _NUMBER.fullmatch(fields[0]):
                    continue
            _csv_row(tiers, columns, fields, path, where)
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}; write the table as comma-separated text") from error
    return tiers


def _columns(fields, path, where):
    """Which column holds what, from the header, or by order where the first row already holds times."""
    if _NUMBER.fullmatch(fields[0]):
        return {name: place for place, name in enumerate(_COLUMNS) if place < max(3, len(fields))}
    names = [field.lower() for field in fields]
    columns = {}
    for column, spellings in _COLUMNS.items():
        places = [place for place, name in enumerate(names) if name in spellings]
        if places:
            columns[column] = places[0]
    missing = [column for column in ("start", "end", "label") if column not in columns]
    if missing:
        raise InputError(f"{path}: {where}: no column {missing[0]!r}; a table needs start, end, label, and may have tier")
    return columns


def _csv_row(tiers, columns, fields, path, where):
    if len(fields) <= max(columns.values()):
        raise InputError(f"{path}: {where}: {len(fields)} fields, {max(columns.values()) + 1} are needed")
    tier = ""
    if "tier" in columns:
        tier = _TIERS.get(fields[columns["tier"]].lower())
        if tier is None:
            raise InputError(f"{path}: {where}: tier {fields[columns['tier']][:40]!r}; known are words and phones")
    start, end = (number(fields[columns[edge]], path, where) for edge in ("start", "end"))
    tiers.setdefault(tier, []).append(Row(start, end, fields[columns["label"]], where))

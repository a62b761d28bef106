"""The list of jobs in a text file, as editors and spreadsheets write it."""

import csv
import io
from pathlib import Path

from common.errors import InputError
from common.files import require_file
from common.pipes import readable
from common.suggest import refuse_unknown
from pipeline.jobs.rows import Failed, JobList, Row

COLUMNS = ("face", "audio", "outfile")  # of a file without a header
FURTHER = ("drive", "pose")
SEPARATORS = (",", ";", "\t")
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_jobs(path):
    """Read a table of face, audio, outfile, and with a header also of drive and pose.

    A first line of column names, in any order and case, is a header: face, outfile, audio or drive or both, and pose if
    wanted. A row then fills audio or drive, and may leave pose empty. Without a header the columns are face, audio, outfile.
    Empty lines and lines that begin with # are skipped. Cells are separated by commas, semicolons or tabs, whichever gives a
    header or the most rows of three cells, and may be quoted. UTF-8 or UTF-16, with or without a byte order mark.

    Returns:
        JobList.

    Raises:
        InputError: no such file, not text, a header that lacks a column, or no job in it.
    """
    path = require_file(path, "list of jobs", pipes=True)
    text, separator = _without_hint(_text_of(path))
    order, lines = _table(text, separator, path)
    if not lines:
        raise InputError(f"{path}: holds no job; write one line of face,audio,outfile for each")
    rows, bad = [], []
    for number, cells in lines:
        label = f"{path} line {number}"
        cells = [*cells, *[""] * (len(order) - len(cells))]
        if problem := _problem(cells, order):
            bad.append(Failed(number, label, problem))
        else:
            named = {name: cell or None for name, cell in zip(order, cells, strict=True)}
            rows.append(Row(number, **{"audio": None, **named}, label=label))
    return JobList(str(path), rows, bad, keep=(path,))


def _text_of(path):
    """The file as text, by its mark; without one UTF-16 is seen by its many zeros, and all else is UTF-8."""
    data = Path(readable(path)).read_bytes()
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        zeros = [data[start::2].count(0) for start in (0, 1)]
        encoding = "utf-8" if max(zeros) <= len(data) // 8 else "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read as a list of jobs: it is neither UTF-8 nor UTF-16; save it as CSV UTF-8"
                         ) from error  # fmt: skip
    if "\0" in text:
        raise InputError(f"{path}: cannot be read as a list of jobs: it is no text; save it as CSV UTF-8")
    return text


def _without_hint(text):
    """(text, separator or None): a first line "sep=;", which spreadsheets write and obey, is taken out, its line kept."""
    first, _, rest = text.partition("\n")
    hint = first.rstrip("\r\n").strip('"')
    if hint[:4].lower() == "sep=" and hint[4:] in SEPARATORS:
        return f"\n{rest}", hint[4:]
    return text, None


def _table(text, separator, path):
    """(names of the columns, list of (number, cells) of the lines that are no header)."""
    tables = {one: _lines(text, one, path) for one in ((separator,) if separator else SEPARATORS)}
    for lines in tables.values():
        if lines and _is_header(lines[0][1]):
            return _checked_header([cell.lower() for cell in lines[0][1]], path), lines[1:]
    return COLUMNS, max(tables.values(), key=lambda lines: sum(len(cells) == len(COLUMNS) for _, cells in lines))


def _lines(text, separator, path):
    """List of (number, cells) of the lines that say something."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read as a list of jobs (line {reader.line_num}: {error})") from error
    return [(number, _without_tail(cells)) for number, cells in lines if any(cells) and not cells[0].startswith("#")]


def _without_tail(cells):
    """Cells without the empty ones at the end, which spreadsheets add."""
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def _is_header(cells):
    """A first line that names face and outfile, or nothing but columns."""
    names = {cell.lower() for cell in cells}
    return {"face", "outfile"} <= names or names <= {*COLUMNS, *FURTHER}


def _checked_header(names, path):
    """The names of a header, or InputError."""
    refuse_unknown(names, (*COLUMNS, *FURTHER), f"column in the header of {path}")
    missing = [name for name in ("face", "outfile") if name not in names]
    if not {"audio", "drive"} & set(names):
        missing.append("audio (or drive)")
    if missing or len(set(names)) < len(names):
        what = f"lacks {', '.join(missing)}" if missing else "names a column twice"
        raise InputError(f"{path}: its header {','.join(names)} {what}; write face,audio,outfile (drive in place of audio, and "
                         "pose, for checkpoints that can)")
    return tuple(names)


def _problem(cells, order):
    """What is wrong with a line, or ""."""
    if len(cells) != len(order):
        return f"has {len(cells)} columns where {len(order)} are needed ({','.join(order)})"
    filled = {name for name, cell in zip(order, cells, strict=True) if cell}
    missing = [name for name in ("face", "outfile") if name not in filled]
    if not {"audio", "drive"} & filled:
        missing.append(" or ".join(name for name in order if name in ("audio", "drive")))
    if missing:
        return f"lacks {', '.join(missing)}"
    if {"audio", "drive"} <= filled:
        return "fills both audio and drive; a driving video brings its own sound, so give one of them"
    return ""

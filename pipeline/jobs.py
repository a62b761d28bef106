"""Many jobs from one csv file: one model in memory, and a bad row does not stop the rest."""

import csv
import logging
from dataclasses import dataclass

from common.errors import InputError
from common.files import require_file
from common.suggest import refuse_unknown

COLUMNS = ("face", "audio", "outfile")  # of a file without a header
FURTHER = ("drive", "pose")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One line of a jobs file: its number in the file, and the paths as they are written there; None where there is none."""

    line: int
    face: str
    audio: str | None
    outfile: str
    drive: str | None = None
    pose: str | None = None


def read_jobs(path):
    """Read a csv file of face, audio, outfile, and with a header also of drive and pose.

    A first line of column names, in any order, is a header: face, outfile, audio or drive or both, and pose if wanted. A row
    then fills audio or drive, and may leave pose empty. Without a header the columns are face, audio, outfile. Empty lines and
    lines that begin with # are passed over. UTF-8, with or without a byte order mark.

    Returns:
        (list of Row, list of (line number, message) for lines that cannot be used).

    Raises:
        InputError: no such file, not text, a header that lacks a column, or no job in it.
    """
    path = require_file(path, "list of jobs")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path}: cannot be read as a csv file of face,audio,outfile ({error})") from error
    lines = [(number, cells) for number, cells in lines if any(cells) and not cells[0].startswith("#")]
    lines = [(number, _without_tail(cells)) for number, cells in lines]
    order = COLUMNS
    if lines and _is_header(lines[0][1]):
        order = _checked_header([cell.lower() for cell in lines.pop(0)[1]], path)
    lines = [(number, [*cells, *[""] * (len(order) - len(cells))]) for number, cells in lines]
    if not lines:
        raise InputError(f"{path}: holds no job; write one line of face,audio,outfile for each")
    rows, bad, taken = [], [], {}
    for number, cells in lines:
        if problem := _problem(cells, order):
            bad.append((number, problem))
            continue
        row = Row(number, **{"audio": None, **{name: cell or None for name, cell in zip(order, cells, strict=True)}})
        if row.outfile in taken:
            bad.append((number, f"{row.outfile}: is the outfile of line {taken[row.outfile]} already"))
            continue
        taken[row.outfile] = number
        rows.append(row)
    return rows, bad


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


def run_rows(rows, run_one):
    """Run every row; what fails is kept for the report.

    Args:
        rows: list of Row.
        run_one: takes a Row; raises InputError for what the user can mend.

    Returns:
        list of (line number, message), one for each row that failed.
    """
    failed = []
    for row in rows:
        try:
            run_one(row)
        except InputError as error:
            failed.append((row.line, str(error)))
        except Exception as error:  # a fault of ours in one row must not cost the user the others
            log.exception("line %d failed through a fault of this program", row.line)
            failed.append((row.line, f"fault of this program: {type(error).__name__}: {error}"))
    return failed

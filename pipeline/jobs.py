"""Many jobs from one csv file: one model in memory, and a bad row does not stop the rest."""

import csv
import logging
from dataclasses import dataclass

from common.errors import InputError
from common.files import require_file

COLUMNS = ("face", "audio", "outfile")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One line of a jobs file: its number in the file, and the three paths as they are written there."""

    line: int
    face: str
    audio: str
    outfile: str


def read_jobs(path):
    """Read a csv file of face, audio, outfile.

    A first line with these three names, in any order, is a header; without one the columns are in this order. Empty lines and
    lines that begin with # are passed over. UTF-8, with or without a byte order mark.

    Returns:
        (list of Row, list of (line number, message) for lines that cannot be used).

    Raises:
        InputError: no such file, not text, or no job in it.
    """
    path = require_file(path, "list of jobs")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path}: cannot be read as a csv file of face,audio,outfile ({error})") from error
    lines = [(number, cells) for number, cells in lines if any(cells) and not cells[0].startswith("#")]
    order = COLUMNS
    if lines and sorted(cell.lower() for cell in lines[0][1]) == sorted(COLUMNS):
        order = tuple(cell.lower() for cell in lines.pop(0)[1])
    if not lines:
        raise InputError(f"{path}: holds no job; write one line of face,audio,outfile for each")
    rows, bad, taken = [], [], {}
    for number, cells in lines:
        if len(cells) != len(COLUMNS) or not all(cells):
            bad.append((number, f"needs face,audio,outfile; has {len([cell for cell in cells if cell])} of them"))
            continue
        row = Row(number, **dict(zip(order, cells, strict=True)))
        if row.outfile in taken:
            bad.append((number, f"{row.outfile}: is the outfile of line {taken[row.outfile]} already"))
            continue
        taken[row.outfile] = number
        rows.append(row)
    return rows, bad


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

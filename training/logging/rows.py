"""`log.jsonl` of a run: one JSON object a row, whole rows only."""

import json
import math
from pathlib import Path

from common.errors import InputError
from common.files import atomic_output

TIMES = ("data_time", "step_time", "data_share", "memory_mb", "minutes")  # what differs between two equal runs
SPLITS = ("val", "unseen")  # families of validation: "val/l1"
RESERVED = (*TIMES, *SPLITS, "adversary", "step", "total", "gradient", "rate", "opened", "changed",
            "steady")  # names that no loss may have


class Rows:
    """The rows of one run; those that a killed run wrote after its last stored state are cut off.

    A row is an object with "step" and named numbers. Names are those that the losses report, with a slash where they belong
    together: "l1", "sync/accuracy", "adversary/sharp/patch"; in validation with the split before them: "val/sync/accuracy".

    Floats are written with all their digits (`repr`), so that they are read back bit for bit. JSON knows no NaN and no
    infinity: either is written as null.

    Args:
        path: of the file.
        start: step that the run goes on from. Rows of later steps and a torn last line are cut off in one rename; with 0, all.

    Attributes:
        kept: list of dicts, the rows that are left.
        damaged: how many lines could not be read, and are removed, too.
    """

    def __init__(self, path, start):
        self._path = Path(path)
        lines, self.damaged = _parsed(self._path) if self._path.is_file() else ([], 0)
        left = [(text, row) for text, row in lines if start and row["step"] <= start]
        self.kept = [row for _, row in left]
        with atomic_output(self._path) as temporary:
            temporary.write_text("".join(text + "\n" for text, _ in left), encoding="utf-8")

    def append(self, step, values):
        """Write one row.

        Args:
            step: int.
            values: dict of name -> number, list of str, or dict that JSON can hold.
        """
        row = json.dumps({"step": int(step), **{name: _plain(value) for name, value in values.items()}}, allow_nan=False)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(row + "\n")


def read_rows(path):
    """Rows of a log.

    Args:
        path: `log.jsonl`, or the run folder that holds it.

    Returns:
        list of dicts with "step" and named values (None where the value was not finite); lines that are no rows are left out.

    Raises:
        InputError: no such file.
    """
    path = Path(path)
    path = path / "log.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path}: no such log; give the folder of a run, such as runs/demo")
    return [row for _, row in _parsed(path)[0]]


def _parsed(path):
    """[(text, row), ...], number of lines that are no rows."""
    lines, damaged = [], 0
    for text in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        if isinstance(row, dict) and type(row.get("step")) is int:
            lines.append((text, row))
        else:
            damaged += bool(text.strip())
    return lines, damaged


def _plain(value):
    """What JSON can hold of a value."""
    if isinstance(value, int | str | list | dict):
        return value
    value = float(value)
    return value if math.isfinite(value) else None

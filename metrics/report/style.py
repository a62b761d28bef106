"""How the main table of a report looks: which measures, in which order, with or without intervals, and what LaTeX calls it."""

import difflib
import re
from dataclasses import dataclass

from common.errors import InputError
from metrics.report.cells import columns_of

# What a reader looks for first; the other measures follow in the order of metrics/measures/.
FIRST = ("sync_distance", "sync_confidence", "sync_offset", "frechet", "lpips", "ssim_mouth", "lmd_normalised",
         "mouth_correlation", "identity_cosine", "psnr_mouth")  # fmt: skip
ROOM, ROOM_INTERVALS = 8, 5  # columns that a page of LaTeX's article has room for
_LABEL = re.compile(r"[A-Za-z0-9:._/+-]+")


@dataclass(frozen=True)
class TableStyle:
    """Choices for the main table.

    Attributes:
        columns: keys of the measures, in order; None: all of them, those of FIRST before the others (LaTeX: the
            first of these alone).
        caption: of the LaTeX table, as LaTeX; None: a sentence on what the figures are.
        label: of the LaTeX table; None: "tab:" and the name of the file.
        intervals: the LaTeX table has the interval below each mean.
    """

    columns: tuple | None = None
    caption: str | None = None
    label: str | None = None
    intervals: bool = False

    def __post_init__(self):
        if self.caption is not None and not _is_balanced(self.caption):
            raise InputError("--caption: its braces are not balanced, or a % ends the line; it is taken as LaTeX (write \\%)")
        if self.label is not None and not _LABEL.fullmatch(self.label):
            raise InputError(f"--label {self.label}: may hold letters, digits and : . _ / + - alone")

    def check(self, known):
        """Raise InputError for a key of `columns` that is twice there, or that is no measure of this evaluation.

        Args:
            known: tuple of metrics.rows.Column.
        """
        keys = [column.key for column in known]
        for at, key in enumerate(self.columns or ()):
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1, cutoff=0.6)
                hint = f"did you mean {near[0]}? " if near else ""
                raise InputError(f"--columns {key}: no measure of this evaluation; {hint}known: {', '.join(keys)}")
            if key in self.columns[:at]:
                raise InputError(f"--columns {key}: is given twice")

    def columns_shown(self, report):
        """tuple of metrics.rows.Column of the main table, in order."""
        known = {column.key: column for column in columns_of(report)}
        if self.columns is not None:
            return tuple(known[key] for key in self.columns)
        return tuple(known[key] for key in sorted(known, key=lambda key: FIRST.index(key) if key in FIRST else len(FIRST)))

    def columns_in_latex(self, report):
        """tuple of Column of the LaTeX table: the chosen ones, else the first of FIRST that a page has room for."""
        known = {column.key: column for column in columns_of(report)}
        if self.columns is not None:
            return tuple(known[key] for key in self.columns)
        return tuple(known[key] for key in FIRST if key in known)[: ROOM_INTERVALS if self.intervals else ROOM]


def _is_balanced(text):
    """Every brace has its partner, and no comment swallows the end of the line."""
    depth, bare = 0, re.sub(r"\\.", "", text)
    for one in bare:
        depth += {"{": 1, "}": -1}.get(one, 0)
        if depth < 0:
            return False
    return depth == 0 and "%" not in bare and "\\" not in bare

"""What the report says, in words and digits, whatever the format: cells, footnotes, leakage, counts, protocol."""

import re
from dataclasses import dataclass

from metrics.formulas.bootstrap import FEW
from metrics.report.trust import trust_notes, unit_notes
from metrics.rows import FRECHET, PROTOCOLS, Column

DAGGER = "†"
OVER_FITTED_NOTE = "better than real video: over-fitted to the expert, not a win"
BEST_NOTE = "bold: the best of the systems that were driven in the same way; a value with a dagger is never the best"
PUBLISHED_TITLE = "published numbers, measured by others under other protocols: do not compare across tables"
LEAKAGE_TITLE = "unpaired - paired"
MAIN_PROTOCOL = ("expert", "expert_sha256", "sync_crop", "track_rules", "sync_shifts", "frechet_network", "frechet_sha256",
                 "frechet_crop", "lpips_backbone", "identity_network", "identity_sha256", "au_classifier",
                 "au_classifier_sha256", "au_classifier_crop", "judges_precision", "generated_precision", "crop", "face_size",
                 "detector", "first_frames", "counts")
_DIGEST, _SHOWN_DIGEST = 64, 12


@dataclass(frozen=True)
class Cell:
    """One cell as text.

    Attributes:
        mean: with the column's digits; "-" where undefined.
        interval: "[low, high]", or "" without one.
        more: the median of the AV offset, or "".
        over_fitted: the dagger belongs after it.
    """

    mean: str
    interval: str
    more: str
    over_fitted: bool

    def line(self, dagger=DAGGER):
        """All of it on one line."""
        parts = [self.mean + (dagger if self.over_fitted else ""), self.interval, self.more and f"({self.more})"]
        return " ".join(part for part in parts if part)


def columns_of(report):
    """The report's columns as a tuple of Column."""
    return tuple(Column(**stored) for stored in report["columns"])


def number(value, digits, sign=""):
    """Text of a number; "-" for None. `sign` is "" or "+"."""
    return "-" if value is None else f"{value:{sign}z.{digits}f}"


def span(low, high, digits):
    """ "[low, high]", or "" where there is none."""
    return "" if low is None else f"[{number(low, digits)}, {number(high, digits)}]"


def cell_of(row, column):
    """Cell of one row (as in the report) and one column."""
    stored, digits = row["cells"][column.key], column.digits
    several = stored["videos"] is not None and stored["videos"] > 1
    more = f"median {number(stored['median'], digits)}" if column.key == "sync_offset" and several else ""
    return Cell(number(stored["mean"], digits), span(stored["low"], stored["high"], digits), more, stored["flag"] is not None)


def best_labels(report, column):
    """Labels of the rows whose mean is the best of all systems that were driven in the same way.

    A value that is marked as over-fitted is never the best. Values that are equal in the digits shown share the place; where
    all are, or one system alone has a value, there is no best one.

    Args:
        report: what `metrics.report.build.build_report` gave.
        column: Column.

    Returns:
        set of str.
    """
    if column.better == "none":
        return set()
    badness = {"low": float, "high": lambda mean: -mean, "zero": abs, "one": lambda mean: abs(mean - 1)}[column.better]
    found = set()
    for protocol in PROTOCOLS:
        rows = [(row["label"], row["cells"][column.key]) for row in report["rows"]
                if row["row"]["kind"] == "generated" and row["row"]["protocol"] == protocol]  # fmt: skip
        rows = [(label, cell) for label, cell in rows if cell["mean"] is not None]
        eligible = {label: round(badness(round(cell["mean"], column.digits)), column.digits) for label, cell in rows
                if cell["flag"] is None}  # fmt: skip
        best = {label for label, value in eligible.items() if value == min(eligible.values())}
        found |= best if len(best) < len(rows) else set()
    return found


def split_head(head):
    """("D ↓", "judge") of "D (judge) ↓"; ("D ↓", "") where nothing stands in brackets."""
    found = re.fullmatch(r"(.+?) \((.+)\)(.*)", head)
    return (found[1] + found[3], found[2]) if found else (head, "")


def plain(text):
    """One line of printable characters: a video's name may hold anything that a file name may."""
    return "".join(one if one.isprintable() else " " for one in str(text))


def flagged(report, columns):
    """True when any cell of these columns is marked as over-fitted."""
    return any(row["cells"][column.key]["flag"] is not None for row in report["rows"] for column in columns)


def footnotes(report, columns=None, *, intervals=True):
    """Sentences below a table, without those of dagger and bold.

    Args:
        report: what `metrics.report.build.build_report` gave.
        columns: those that the table shows; None: all of the report.
        intervals: the table shows them.
    """
    columns, notes = columns_of(report) if columns is None else columns, []
    shown = [row["cells"][column.key] for row in report["rows"] for column in columns]
    counts = [cell["videos"] for cell in shown if cell["low"] is not None]
    if intervals and counts:
        notes.append(f"mean over videos [{report['protocol'].get('interval', 'bootstrap interval')}]")
        if min(counts) < FEW:
            notes.append(f"some intervals come from fewer than {FEW} videos and are too narrow: read them as hints")
    partial = sorted({column.label for row in report["rows"] for column in columns
                      if 0 < (row["cells"][column.key]["videos"] or 0) < row["videos"]})  # fmt: skip
    if partial:
        notes.append(f"defined in only a part of a row's videos: {', '.join(partial)}")
    frechet = next((column for column in columns if column.key == FRECHET), None)
    for row in report["rows"] if frechet else ():
        if reason := row["cells"][FRECHET].get("reason"):
            notes.append(f"{frechet.label} of {plain(row['label'])} left out: {plain(reason)}")
    judged = frechet or any(column.expert for column in columns)
    by_classifier = any(column.key.endswith("_classifier") for column in columns)
    told = [*(trust_notes(report) if judged else []), *(unit_notes(report) if by_classifier else [])]
    return notes + [plain(note) for note in told]


def leakage(report):
    """[(system, [(column label, text)])]: what changes with other sound."""
    columns, systems = {column.key: column for column in columns_of(report)}, {}
    for entry in report["leakage"]:
        column = columns[entry["column"]]
        interval = span(entry["low"], entry["high"], column.digits)
        faces = "" if entry["faces"] is None else f"({entry['faces']} face{'s' if entry['faces'] != 1 else ''})"
        text = " ".join(part for part in (number(entry["difference"], column.digits, "+"), interval, faces) if part)
        systems.setdefault(entry["system"], []).append((column.label, text))
    return list(systems.items())


def counts(report):
    """One line: videos, frames compared and left out, failures."""
    videos = [video for video in report["videos"] if video["row"]["kind"] == "generated"] or report["videos"]
    kind = "generated " if any(video["row"]["kind"] == "generated" for video in videos) else ""
    compared = sum(video["frames"]["compared"] for video in videos)
    left_out = sum(sum(video["frames"]["left_out"].values()) for video in videos)
    text = f"{len(videos)} {kind}video{'s' if len(videos) != 1 else ''}, {compared} frames compared, {left_out} left out"
    if report["failed"]:
        text += f"; {len(report['failed'])} FAILED and {'is' if len(report['failed']) == 1 else 'are'} not in the table"
    return text


def protocol_items(report):
    """[(name, value)] of the whole protocol as text; what lies in a dict is named "outer: inner"."""
    return list(_flat(report["protocol"]))


def _flat(protocol, outer=""):
    for key, value in protocol.items():
        name = outer + plain(key).replace("_", " ")
        if isinstance(value, dict):
            yield from _flat(value, f"{name}: ")
        elif isinstance(value, list):
            yield name, ", ".join(" ".join(map(plain, one)) if isinstance(one, list) else plain(one) for one in value) or "-"
        else:
            yield name, "-" if value is None else plain(value)


def main_protocol(report):
    """[(name, value)] of what must stand beside the figures; of a SHA-256 its first 12 digits."""
    chosen = {key: report["protocol"][key] for key in MAIN_PROTOCOL if report["protocol"].get(key) is not None}
    return [(name, f"{value[:_SHOWN_DIGEST]}..." if _is_digest(value) else value) for name, value in _flat(chosen)]


def _is_digest(value):
    return len(value) == _DIGEST and all(one in "0123456789abcdef" for one in value)

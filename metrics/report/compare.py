"""Two evaluations side by side: what differs over the videos that both have, and whether their protocols allow to say so."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import atomic_output
from metrics.formulas.bootstrap import FEW, paired_difference
from metrics.report.build import FORMAT
from metrics.report.cells import DAGGER, OVER_FITTED_NOTE, columns_of, number, plain, protocol_items, span
from metrics.report.files import json_text
from metrics.report.matching import match_notes, match_systems
from metrics.report.text import escape_markdown
from metrics.rows import FRECHET, Row

COMPARISON_FORMAT = "talkingface-comparison-1"
OLDER = ("talkingface-evaluation-1",)
PARTS = {"protocol": dict, "columns": list, "rows": list, "leakage": list, "videos": list, "failed": list, "frechet": list}
# What a protocol may say that changes no figure: where the files lie, how many there are, what was evaluated.
HARMLESS = frozenset({"counts", "generated", "real", "systems", "system", "checkpoint", "checkpoints", "seconds", "date",
                      "command", "unmatched", "missing", "generators_precision"})  # fmt: skip
HEADS = ("", "first", "second", "second - first", "p", "videos")
SUFFIXES = (".json", ".md")


def read_report(path):
    """Read OUT.json of `evaluate.py`.

    Args:
        path: of the file.

    Returns:
        dict, see `metrics.report.build.build_report`.

    Raises:
        InputError: no such file, not JSON, not a report, a report of an older format, or parts are missing.
    """
    path = Path(path)
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the OUT.json of evaluate.py") from error
    except ValueError as error:
        raise InputError(f"{path}: is not JSON; give the OUT.json of evaluate.py") from error
    found = report.get("format") if isinstance(report, dict) else None
    if found in OLDER:
        raise InputError(f"{path}: is a report of an older format ({found}); run evaluate.py again to have one of {FORMAT}")
    if found != FORMAT:
        raise InputError(f"{path}: is not a report of evaluate.py (format {FORMAT}); give the OUT.json of evaluate.py")
    missing = [name for name, kind in PARTS.items() if not isinstance(report.get(name), kind)] or _broken(report)
    if missing:
        raise InputError(f"{path}: lacks {', '.join(missing)}; the file was changed or cut, run evaluate.py again")
    return report


def _broken(report):
    """What is missing inside the parts; empty where all is there."""
    try:
        keys = [column.key for column in columns_of(report)]
        for row in report["rows"]:
            Row.from_dict(row["row"])
            _ = row["label"], [(row["cells"][key]["mean"], row["cells"][key]["flag"]) for key in keys]
        for video in report["videos"]:
            _ = video["name"], Row.from_dict(video["row"]), video["values"].get
    except (KeyError, TypeError, AttributeError) as error:
        return [f"parts of its rows, columns or videos ({type(error).__name__}: {error})"]
    return []


def compare_reports(first, second, names):
    """Compare two reports row by row, over the videos that both have.

    Rows meet by kind, system and protocol; which systems are the same, `metrics.report.matching.match_systems` says.

    Args:
        first, second: what `read_report` gave.
        names: two str, what the reports are called.

    Returns:
        {"format", "names", "columns", "rows", "systems", "protocol", "unmatched"}. systems is what `match_systems` gave.
        A row is {"label", "videos", "only_first", "only_second", "cells"}: how many videos both have, and only one has. A
        cell is {"first", "second", "difference", "low", "high", "videos", "p", "differs", "flags"}: means over the common
        videos, second minus first as in `metrics.formulas.bootstrap.paired_difference`, differs where its interval excludes
        0, flags the two over-fitting marks.
        The Frechet distance has its two values and their difference alone. protocol lists {"name", "first", "second"} where the
        two differ; columns that differ in their heads are listed there too.

    Raises:
        InputError: the reports have no row or no column in common.
    """
    others = {column.key: column for column in columns_of(second)}
    columns = [column for column in columns_of(first) if column.key in others]
    systems = match_systems(first, second)
    pairs = _matching_rows(first, second, systems)
    if not pairs or not columns:
        raise InputError(f"{names[0]} and {names[1]}: have no {'column' if pairs else 'row'} in common; nothing to compare")
    matched = [[row["row"] for row in side] for side in zip(*pairs, strict=True)]
    return {
        "format": COMPARISON_FORMAT,
        "names": list(names),
        "columns": [asdict(column) for column in columns],
        "rows": [_row(ours, theirs, _values(first, ours), _values(second, theirs), columns) for ours, theirs in pairs],
        "systems": systems,
        "protocol": _protocol_differences(first, second) + [
            {"name": f"head of {column.key}", "first": column.label, "second": others[column.key].label}
            for column in columns if column.label != others[column.key].label],
        "unmatched": [[row["label"] for row in report["rows"] if row["row"] not in rows]
                      for report, rows in zip((first, second), matched, strict=True)],
    }  # fmt: skip


def _matching_rows(first, second, systems):
    partners = {match["first"]: match["second"] for match in systems}
    others = {Row.from_dict(row["row"]): row for row in second["rows"]}
    wanted = [(row, Row.from_dict(row["row"])) for row in first["rows"]]
    wanted = [(row, replace(one, system=partners.get(one.system)) if one.kind == "generated" else one) for row, one in wanted]
    return [(row, others[one]) for row, one in wanted if one in others]


def _values(report, row):
    """{video name: values} of one row."""
    return {video["name"]: video["values"] for video in report["videos"] if video["row"] == row["row"]}


def _row(ours, theirs, first, second, columns):
    label = ours["label"] if ours["label"] == theirs["label"] else f"{ours['label']} / {theirs['label']}"
    common = first.keys() & second.keys()
    return {"label": label, "videos": len(common), "only_first": len(first) - len(common),
            "only_second": len(second) - len(common),
            "cells": {column.key: _cell(column.key, ours, theirs, first, second) for column in columns}}  # fmt: skip


def _cell(key, ours, theirs, first, second):
    flags = [row["cells"][key]["flag"] for row in (ours, theirs)]
    if key == FRECHET:
        values = [row["cells"][key]["mean"] for row in (ours, theirs)]
        difference = None if None in values else values[1] - values[0]
        return {"first": values[0], "second": values[1], "difference": difference, "low": None, "high": None, "videos": None,
                "p": None, "differs": False, "flags": flags}  # fmt: skip
    values = [{name: one.get(key) for name, one in side.items()} for side in (first, second)]
    common = sorted(name for name in values[0] if values[0][name] is not None and values[1].get(name) is not None)
    means = [float(np.mean([side[name] for name in common])) if common else None for side in values]
    found = paired_difference(*values)
    differs = found["low"] is not None and not found["low"] <= 0 <= found["high"]
    return {"first": means[0], "second": means[1], **found, "differs": differs, "flags": flags}


def _protocol_differences(first, second):
    protocols = [{key: value for key, value in report["protocol"].items() if key not in HARMLESS} for report in (first, second)]
    sides = [dict(protocol_items({"protocol": protocol})) for protocol in protocols]
    names = list(dict.fromkeys([*sides[0], *sides[1]]))
    return [{"name": name, "first": sides[0].get(name, "-"), "second": sides[1].get(name, "-")} for name in names
            if sides[0].get(name, "-") != sides[1].get(name, "-")]  # fmt: skip


def format_comparison(comparison):
    """The comparison for the terminal: what warns first, then for each row a line for each measure that it has.

    Args:
        comparison: what `compare_reports` gave.

    Returns:
        str without a newline at its end.
    """
    lines = [f"first: {plain(comparison['names'][0])}; second: {plain(comparison['names'][1])}"]
    lines += [*map(plain, match_notes(comparison["systems"])), *_warnings(comparison)]
    for row in comparison["rows"]:
        table = [HEADS, *_lines_of(row, comparison)]
        widths = [max(len(line[index]) for line in table) for index in range(len(HEADS))]
        lines += ["", plain(_title(row))]
        lines += ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in table]
    return "\n".join([*lines, "", *_notes(comparison)])


def _title(row):
    counts = [f"{row['videos']} videos in both"]
    counts += [f"{row[f'only_{which}']} only in the {which}" for which in ("first", "second") if row[f"only_{which}"]]
    return f"{row['label']} ({'; '.join(counts)})"


def _lines_of(row, comparison):
    lines = []
    for column in columns_of(comparison):
        cell, digits = row["cells"][column.key], column.digits
        if cell["first"] is None and cell["second"] is None:
            continue
        sides = [number(cell[side], digits) + (DAGGER if flag else "") for side, flag in
                 zip(("first", "second"), cell["flags"], strict=True)]  # fmt: skip
        difference = f"{number(cell['difference'], digits, '+')} {span(cell['low'], cell['high'], digits)}".strip()
        videos = "-" if cell["videos"] is None else str(cell["videos"])
        lines.append([column.head, *sides, difference + (" *" if cell["differs"] else ""), number(cell["p"], 3), videos])
    return lines


def _warnings(comparison):
    differ = comparison["protocol"]
    if not differ:
        return []
    return ["WARNING: the protocols differ, so differences below need not come from the videos:",
            *(f"  {one['name']}: {plain(one['first'])} / {plain(one['second'])}" for one in differ)]


def _notes(comparison):
    notes = ["means over the common videos; second - first [95 % bootstrap interval over videos], * where it excludes 0"]
    cells = [cell for row in comparison["rows"] for cell in row["cells"].values()]
    if any(flag for cell in cells for flag in cell["flags"]):
        notes.append(f"{DAGGER} {OVER_FITTED_NOTE}")
    if any(cell["low"] is not None and cell["videos"] < FEW for cell in cells):
        notes.append(f"some intervals come from fewer than {FEW} videos and are too narrow: read them as hints")
    for which, labels in zip(("first", "second"), comparison["unmatched"], strict=True):
        if labels:
            notes.append(f"rows of the {which} report alone: {'; '.join(plain(label) for label in labels)}")
    return notes


def write_comparison(comparison, out):
    """Write `out`.json and `out`.md, each whole or not at all; such a suffix of `out` is dropped.

    Returns:
        list of the two Paths.
    """
    out = Path(out)
    if out.suffix in SUFFIXES:
        out = out.with_suffix("")
    paths = [out.with_name(out.name + suffix) for suffix in SUFFIXES]
    for path, text in zip(paths, (json_text(comparison), _markdown(comparison)), strict=True):
        with atomic_output(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths


def _markdown(comparison):
    first, second = (escape_markdown(name) for name in comparison["names"])
    lines = [f"# Comparison: {first} and {second}", "", f"First: {first}. Second: {second}.", ""]
    lines += [*(f"* {escape_markdown(note)}" for note in match_notes(comparison["systems"])), ""]
    warnings = _warnings(comparison)
    lines += [f"**{escape_markdown(warnings[0])}**", "", *(f"* {escape_markdown(one.strip())}" for one in warnings[1:]), ""] \
        if warnings else []  # fmt: skip
    heads = ["| " + " | ".join(HEADS) + " |", "|---|" + "---:|" * (len(HEADS) - 1)]
    for row in comparison["rows"]:
        lines += [f"## {escape_markdown(_title(row))}", "", *heads]
        lines += ["| " + " | ".join(escape_markdown(text) for text in line) + " |" for line in _lines_of(row, comparison)]
        lines.append("")
    return "\n".join([*lines, *(f"* {escape_markdown(note)}" for note in _notes(comparison))]) + "\n"

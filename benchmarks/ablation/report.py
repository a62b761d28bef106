"""The ablation's table, from the figures that benchmarks.ablation stored."""

import json
from pathlib import Path

import numpy as np

from benchmarks.ablation.measure import COLUMNS, GROUPS
from benchmarks.ablation.rows import BY_KEY, NO_MOTION, ROWS
from benchmarks.seeds import Figures, verdict
from common.errors import InputError
from common.files import atomic_output


def write_report(folder):
    """Write table.md and table.json beside the figures; returns the text of the table.

    Raises:
        InputError: nothing has been measured.
    """
    folder = Path(folder)
    stored = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*-[0-9]*.json"))}
    if not stored:
        raise InputError(f"{folder}: no figures yet; run  python -m benchmarks.ablation")
    references = folder / "references.json"
    fixed = json.loads(references.read_text(encoding="utf-8")) if references.is_file() else {}
    parts, summary = [], {}
    for split, name in GROUPS.items():
        runs = {key: {int(run.rsplit("-", 1)[1]): clips for run, clips in stored.items() if run.rsplit("-", 1)[0] == key}
                for key in BY_KEY}  # fmt: skip
        rows = {key: figures_of(of_key, split) for key, of_key in runs.items() if of_key}
        still = {key: figures_of({0: fixed[key]}, split) for key in ("real", NO_MOTION) if key in fixed}
        count = next(iter(rows.values())).values["zero"].shape[1]
        parts.append(f"**{name}, {count} clips**\n\n" + table(rows, still))
        summary[split] = {key: {column: figures.mean(column) for column in COLUMNS} | {"seeds": len(figures.seeds)}
                          for key, figures in {**still, **rows}.items()}  # fmt: skip
    text = "\n".join(parts)
    with atomic_output(folder / "table.md") as path:
        path.write_text(text, encoding="utf-8")
    with atomic_output(folder / "table.json") as path:
        path.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return text


def figures_of(runs, split):
    """Figures of the runs of one row, {seed: list of dicts}, on the clips of a split."""
    seeds = tuple(sorted(runs))
    runs = [[clip for clip in runs[seed] if clip["split"] == split] for seed in seeds]

    def of(key):
        return np.array([[np.nan if clip[key] is None else clip[key] for clip in run] for run in runs], float)

    return Figures({key: of(key) for key in COLUMNS}, seeds)


def table(rows, still):
    """Markdown: one line a row, means with the range over seeds; marked where it differs from its base beyond chance."""
    headings = [heading for heading, _, _ in COLUMNS.values()]
    lines = ["| | " + " | ".join(headings) + " | seeds |", "|---" * (len(headings) + 2) + "|"]
    for key, figures in still.items():
        cells = [_number(figures.mean(column), digits) for column, (_, digits, _) in COLUMNS.items()]
        lines.append(f"| {key} | " + " | ".join(cells) + " | |")
    for row in ROWS:
        if row.key in rows:
            figures, base = rows[row.key], rows.get(row.against)
            cells = [_cell(figures, base if row.key != row.against else None, column) for column in COLUMNS]
            lines.append(f"| {row.name} | " + " | ".join(cells) + f" | {len(figures.seeds)} |")
    return "\n".join(lines) + "\n"


def _cell(figures, base, column):
    _, digits, better = COLUMNS[column]
    text = _number(figures.mean(column), digits)
    if len(figures.seeds) > 1:
        low, high = figures.spread(column)
        text += f" ({_number(low, digits)}-{_number(high, digits)})"
    return text + (f" {mark}" if base is not None and (mark := verdict(figures, base, column, better)) else "")


def _number(value, digits):
    return "-" if not np.isfinite(value) else f"{value:.{digits}f}"

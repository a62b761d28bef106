"""The ablation's table, from the figures that benchmarks.ablation stored."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.ablation.measure import COLUMNS, GROUPS
from benchmarks.ablation.rows import BY_KEY, NO_MOTION, ROWS
from common.errors import InputError
from common.files import atomic_output
from metrics.formulas.bootstrap import paired_difference

BETTER, WORSE = "▲", "▼"


@dataclass(frozen=True)
class Figures:
    """What was measured of one row: arrays (seeds, clips) by column, of one group of clips; NaN where undefined."""

    values: dict
    seeds: tuple[int, ...]

    def of_seeds(self, seeds):
        """The same, of some of the seeds."""
        return Figures({key: array[[self.seeds.index(one) for one in seeds]] for key, array in self.values.items()}, seeds)

    def mean(self, column):
        """Mean over clips and seeds; NaN where there is none."""
        values = self.values[column]
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    def spread(self, column):
        """(least, most) over seeds of the mean over clips."""
        means = [float(np.nanmean(row)) for row in self.values[column] if np.isfinite(row).any()] or [float("nan")]
        return min(means), max(means)


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
    _, digits, _ = COLUMNS[column]
    text = _number(figures.mean(column), digits)
    if len(figures.seeds) > 1:
        low, high = figures.spread(column)
        text += f" ({_number(low, digits)}-{_number(high, digits)})"
    return text + (f" {mark}" if base is not None and (mark := verdict(figures, base, column)) else "")


def verdict(figures, base, column):
    """BETTER or WORSE than the base, or "" where that may be chance.

    Runs of one seed see the same items in the same order, so that they are compared seed by seed: the difference must have one
    sign in all seeds that both have, and the 95 % interval over clips of its mean must lie on that side of 0.
    """
    seeds = tuple(seed for seed in figures.seeds if seed in base.seeds)
    if not seeds:
        return ""
    mine, theirs = (one.of_seeds(seeds).values[column] for one in (figures, base))
    with np.errstate(invalid="ignore"):
        by_seed = np.nanmean(mine - theirs, axis=1) if np.isfinite(mine - theirs).any() else np.zeros(1)
    if not (np.all(by_seed > 0) or np.all(by_seed < 0)):
        return ""
    means = [values.mean(axis=0) for values in (theirs, mine)]
    named = [{index: float(value) for index, value in enumerate(values) if np.isfinite(value)} for values in means]
    difference = paired_difference(*named)
    low, high = difference["low"], difference["high"]
    if low is None or low <= 0 <= high:
        return ""
    return BETTER if (low > 0) == (COLUMNS[column][2] == "high") else WORSE


def _number(value, digits):
    return "-" if not np.isfinite(value) else f"{value:.{digits}f}"

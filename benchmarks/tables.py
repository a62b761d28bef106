"""Tables of benchmarks: figures as text, splits by name, means over clips and seeds, and bars."""

import numpy as np

from metrics.formulas.bootstrap import interval

SPLIT_NAMES = {"train": "sentences of training", "val": "sentences of validation", "test": "held-out sentences",
               "unseen": "people never seen"}  # fmt: skip


def number(value, digits=3):
    """A figure as text; "-" for None."""
    return "-" if value is None or value != value else f"{value:.{digits}f}"


def summarise(rows, keys):
    """Figures over clips.

    Args:
        rows: list of {key: float or None}, one a clip; keys: of the figures that are wanted.

    Returns:
        {key: {"mean", "low", "high" (95 % bootstrap over clips), "median", "count"}}; None where no clip has the figure.
    """
    found = {}
    for key in keys:
        values = [row[key] for row in rows if row.get(key) is not None and np.isfinite(row[key])]
        low, high = interval(values)
        found[key] = {"mean": float(np.mean(values)) if values else None, "low": low, "high": high,
                      "median": float(np.median(values)) if values else None, "count": len(values)}  # fmt: skip
    return found


def seeds_table(title, groups, columns):
    """Lines of Markdown: mean and range over the runs that differ in their seeds alone; [] where there is no group.

    Args:
        title: sentence above; groups: {stem: names}; columns: {head: {name of a run: value or None}}.
    """
    if not groups:
        return []
    lines = [title, "", f"| runs | seeds | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    for stem, names in groups.items():
        cells = []
        for values in columns.values():
            found = [values[name] for name in names if values[name] is not None and values[name] == values[name]]
            cells.append(f"{number(sum(found) / len(found))} ({number(min(found))} to {number(max(found))})" if found else "-")
        lines.append(f"| {stem} | {len(names)} | {' | '.join(cells)} |")
    return [*lines, ""]


def bar(what, value, least, *, above=False):
    """{"what", "value", "least", "holds"}: a figure that must be `least` or more, or above it; None misses it."""
    holds = value is not None and (value > least if above else value >= least)
    return {"what": what, "value": value, "least": least, "holds": holds}


def bar_lines(bars):
    """Lines of text: the verdict on each bar."""
    return [f"{one['what']}: {number(one['value'])}, {number(one['least'])} is asked: "
            f"{'holds' if one['holds'] else 'misses'}." for one in bars]  # fmt: skip

"""Curves of one run, or of several in one picture: losses, gradient, learning rate, seconds a step.

    python -m training.logging.curve runs/demo
    python -m training.logging.curve runs/demo runs/demo_sync --outfile compare.png

Lines are means over neighbouring rows of training, before the rows themselves (pale); dots are validation, hollow triangles
validation on unseen speakers. Upright lines show where a loss was switched on, and where a resumed run went on with other
settings.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import yaml

from common.cli import run
from common.errors import InputError
from common.files import atomic_output
from training.changes import describe_changes
from training.logging.rows import read_rows
from training.logging.warnings import CHANCE, TWO_WAY, two_way_loss

NO_MATPLOTLIB = (
    "matplotlib is not installed: no curves are drawn (pip install matplotlib; python -m training.logging.curve RUN)"
)
COLOURS = ("#1f6fb4", "#e8710a", "#12a37f", "#c25fd0", "#d9466f", "#8a9a12", "#00a3c4", "#7a6ff0")
_TITLES = {"gradient": "norm of the gradient", "rate": "learning rate", "step_time": "seconds a step"}
_TIMES = {"step_time": "in all", "data_time": "waiting for data"}  # they share a panel
_SHARED = ("adversary", "gradient", "rate")  # families whose members share a panel: "adversary/sharp", "rate/decoder"
_OTHERS = {"step", "opened", "changed", "data_share", "memory_mb", "minutes"}  # of a row, without a panel
_SPLITS = {"val": ("o", True, "validation"), "unseen": ("^", False, "unseen speakers")}  # marker, filled, words
_COLUMNS, _PANEL, _DPI = 3, (4.4, 3.0), 110
_MARKS = ("opened", "changed")  # of a run's series: not lines, but places
_LONGEST_MARK = 40  # letters
_WIDE = 8  # largest value to smallest, from which on a panel is logarithmic


def draw_curves(folders, outfile):
    """Write the curves of runs as PNG.

    Args:
        folders: run folders or their `log.jsonl`, at least one; each gets a colour.
        outfile: PNG to write.

    Returns:
        None, or one line that says why there is no picture: matplotlib is not installed, or nothing was logged yet.

    Raises:
        InputError: no such log, or `outfile` cannot be written.
    """
    runs = {str(folder): series_of(read_rows(folder)) for folder in folders}
    panels = panels_of(runs.values())
    if not panels:
        return f"{', '.join(runs)}: nothing was logged yet, no curves are drawn"
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return NO_MATPLOTLIB
    lines = -(-len(panels) // _COLUMNS)
    across = min(_COLUMNS, len(panels))
    figure = Figure(figsize=(_PANEL[0] * across, _PANEL[1] * lines + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    cells = list(figure.subplots(lines, across, squeeze=False).flat)
    last = max(points[0, -1] for series in runs.values() for name, points in series.items() if name not in _MARKS)
    two_way = {_two_way_loss_of(Path(folder)) for folder in folders}
    for axes, panel in zip(cells, panels, strict=False):
        _draw_panel(axes, panel, list(runs.values()))
        if panel[0] in two_way:
            _mark_chance(axes)
        axes.set_xlim(-0.02 * last, 1.02 * last)
    for axes in cells[len(panels) :]:
        axes.set_axis_off()
    figure.supxlabel("step", fontsize=9)
    _legend(figure, runs)
    with atomic_output(outfile) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)
    return None


def series_of(rows):
    """Rows of a log as series.

    Args:
        rows: list of dicts, see `training.logging.rows.read_rows`.

    Returns:
        dict of name -> (2, n) float64, steps and values (NaN where they were not finite); under "opened" a list of (step, name
        of a loss that was switched on), and under "changed" a list of (step, settings that changed there, in words).
    """
    found, opened, changed = {}, [], []
    for row in rows:
        opened += [(row["step"], name) for name in row.get("opened", [])]
        changed += [(row["step"], describe_changes(row["changed"]))] if isinstance(row.get("changed"), dict) else []
        for name, value in row.items():
            if name not in _OTHERS and (value is None or isinstance(value, int | float)):
                found.setdefault(name, []).append((row["step"], np.nan if value is None else value))
    series = {name: np.array(points, np.float64).T for name, points in found.items()}
    return {**series, "opened": opened, "changed": changed}


def panels_of(runs):
    """Panels for all that these runs have logged, in the order in which they are drawn.

    Args:
        runs: dicts from `series_of`.

    Returns:
        list of (title, list of names): "sync/accuracy", "val/sync/accuracy" and "unseen/sync/accuracy" share one panel, and so
        do all of "adversary/".
    """
    families = {}
    for name in dict.fromkeys(name for series in runs for name in series if name not in _MARKS):
        families.setdefault(_family(name), []).append(name)
    last = [family for family in _TITLES if family in families]
    order = [family for family in ("total",) if family in families]
    order += [family for family in families if family not in (*last, "total")]
    return [(_TITLES.get(family, family), families[family]) for family in order + last]


def _family(name):
    """What the panel of a series is called by."""
    if name in _TIMES:
        return "step_time"
    head, _, rest = name.partition("/")
    name, head = (rest, rest.partition("/")[0]) if head in _SPLITS else (name, head)
    return head if head in _SHARED else name


def smoothed(values):
    """Mean of each value and its neighbours, over about a fortieth of the series; (n,) -> (n,), NaN counts for nothing."""
    reach = len(values) // 80
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    low = np.maximum(np.arange(len(values)) - reach, 0)
    high = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums[high] - sums[low]) / (counts[high] - counts[low])


def _draw_panel(axes, panel, runs):
    """One panel: the series of every run, the gates, and scales that fit."""
    title, names = panel
    lines = [name for name in names if name.partition("/")[0] not in _SPLITS]
    shown = [np.zeros(0)]
    for index, series in enumerate(runs):
        for name in (name for name in names if name in series):
            split = _SPLITS.get(name.partition("/")[0])
            colour = _colour(index, len(runs), split)
            if split:
                shown.append(_draw_dots(axes, series[name], colour, split))
            else:
                label = _TIMES.get(name, name.partition("/")[2] or name) if index == 0 and len(lines) > 1 else None
                style = ("-", "--", ":", "-.")[lines.index(name) % 4]
                shown.append(_draw_line(axes, series[name], colour, style, label, smooth=title != _TITLES["rate"]))
        for step, name in series["opened"]:
            _mark(axes, step, f"{name} on" if title in ("total", name) else "", _colour(index, len(runs), None), (0, (4, 3)))
        for step, text in series["changed"]:
            _mark(axes, step, _cut(text) if title == "total" else "", _colour(index, len(runs), None), (0, (1, 2)))
    _dress(axes, title, np.concatenate(shown))


def _mark(axes, step, text, colour, style):
    """An upright line at a step, with words beside it."""
    axes.axvline(step, color=colour, linewidth=0.8, linestyle=style, alpha=0.7)
    if text:
        axes.text(step, 0.98, f"{text} ", transform=axes.get_xaxis_transform(), rotation=90, fontsize=7, va="top", ha="right",
                  color="#444444")  # fmt: skip


def _cut(text):
    """A text that fits along an upright line."""
    return text if len(text) <= _LONGEST_MARK else f"{text[: _LONGEST_MARK - 3]}..."


def _mark_chance(axes):
    """A line at the value of a two-way loss that has learnt nothing."""
    axes.axhline(CHANCE, color="#888888", linewidth=0.8, linestyle=":")
    axes.text(1, CHANCE, "chance", transform=axes.get_yaxis_transform(), fontsize=7, ha="right", va="bottom")


def _two_way_loss_of(run):
    """Name of the loss that may stand at chance; without the run's config beside the log, the usual one."""
    path = (run if run.is_dir() else run.parent) / "config.yaml"
    try:
        return two_way_loss(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return TWO_WAY


def _dress(axes, title, values):
    """Scales, title and legend of a panel that shows `values`."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    values = values[np.isfinite(values)]
    if title == _TITLES["step_time"]:
        axes.set_ylim(bottom=0)
    elif len(values) and values.min() > 0 and values.max() / values.min() > _WIDE:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if values.max() / values.min() < 500 else (1,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7, frameon=False)
    axes.set_title(title, fontsize=10, loc="left")
    axes.tick_params(which="both", labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_dots(axes, points, colour, split):
    """A series of validation; returns its values."""
    marker, filled, _ = split
    axes.plot(*points, color=colour, linewidth=0.6, alpha=0.5)
    axes.plot(*points, marker, color=colour, markersize=4, markerfacecolor=colour if filled else "none", zorder=3)
    return points[1]


def _draw_line(axes, points, colour, style, label, *, smooth):
    """A series of training; returns the values of the line."""
    steps, values = points
    mean = smoothed(values) if smooth else values
    if smooth and len(values) >= 80:
        axes.plot(steps, values, color=colour, linewidth=0.5, alpha=0.25)
    axes.plot(steps, mean, color=colour, linewidth=1.5, linestyle=style, label=label, marker="." if len(steps) == 1 else None)
    return mean


def _colour(index, count, split):
    """A run's colour; where there is one run alone, each of its splits has one."""
    if count > 1 or split is None:
        return COLOURS[index % len(COLOURS)]
    return COLOURS[1 + list(_SPLITS.values()).index(split)]


def _legend(figure, runs):
    """What the colours and signs mean, above all panels."""
    from matplotlib.lines import Line2D

    names, count = list(runs), len(runs)
    used = {name.partition("/")[0] for series in runs.values() for name in series}
    entries = [(Line2D([], [], color=_colour(index, count, None)), name if count > 1 else f"{name}: training")
               for index, name in enumerate(names)]  # fmt: skip
    for key, split in _SPLITS.items():
        if key in used:
            marker, filled, words = split
            colour = _colour(0, count, split) if count == 1 else "#444444"
            sign = Line2D([], [], color=colour, marker=marker, linestyle="", markerfacecolor=colour if filled else "none")
            entries.append((sign, words))
    figure.legend(*zip(*entries, strict=True), loc="outside upper left", ncols=min(len(entries), 3), frameon=False, fontsize=8)


def main(argv):
    """Command line; exit code 0, or 2 when there is nothing to draw or to draw with."""
    raw = argparse.RawDescriptionHelpFormatter
    summary, _, more = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser("python -m training.logging.curve", description=summary, epilog=more, formatter_class=raw)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, or their log.jsonl")
    parser.add_argument("--outfile", type=Path, help="PNG (default: curve.png in the first run folder)")
    args = parser.parse_args(argv)
    first = args.runs[0]
    outfile = args.outfile or (first if first.is_dir() else first.parent) / "curve.png"
    if complaint := draw_curves(args.runs, outfile):
        raise InputError(complaint)
    print(outfile)


if __name__ == "__main__":
    sys.exit(run(main))

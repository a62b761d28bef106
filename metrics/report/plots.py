"""Two pictures of lip sync over videos: confidence over AV offset, and mean distance over the shift of the sound."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np

from metrics.rows import MAX_SHIFT

# Tones that stand out from white and from black alike.
REAL_COLOUR, COPY_COLOUR, AXES_COLOUR = "#12a37f", "#8c8c8c", "#7d7d7d"
COLOURS = ("#3b8eea", "#e8710a", "#c25fd0", "#d9466f", "#8a9a12", "#00a3c4", "#b07b4f", "#7a6ff0")
MARKERS = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"))
JITTER = 0.2  # frames, so that equal offsets do not hide each other
_SIZE, _DPI = (6.4, 4.0), 150


@dataclass(frozen=True)
class Style:
    """How one row is drawn: a colour, matplotlib's marker and line, and the sign that stands for the marker in a legend."""

    colour: str
    marker: str
    line: str
    sign: str


def row_styles(report):
    """A Style for each row of the report, in its order."""
    styles, used = [], 0
    for row in report["rows"]:
        kind, unpaired = row["row"]["kind"], row["row"]["protocol"] == "unpaired"
        colour = {"real": REAL_COLOUR, "copy": COPY_COLOUR}.get(kind) or COLOURS[used % len(COLOURS)]
        marker, sign = MARKERS[len(styles) % len(MARKERS)]
        used += kind == "generated"
        styles.append(Style(colour, marker, "--" if unpaired else "-", sign))
    return styles


def offset_scatter(report, *, for_paper=False):
    """Confidence over AV offset, a point a video, a colour a row.

    Args:
        report: what `metrics.report.build.build_report` gave.
        for_paper: black axes, and a legend.

    Returns:
        matplotlib Figure with a clear background; None when no video has both values.
    """
    series = []
    for row, style in zip(report["rows"], row_styles(report), strict=True):
        points = [[video["values"].get(key) for key in ("sync_offset", "sync_confidence")] for video in _videos(report, row)]
        points = np.array([point for point in points if None not in point], np.float64).reshape(-1, 2)
        series.append((points, style))
    if not any(len(points) for points, _ in series):
        return None
    figure, axes = _axes("AV offset, frames of 25 a second", "confidence", for_paper)
    axes.xaxis.get_major_locator().set_params(integer=True)
    furthest = max(1.0, *(np.abs(points[:, 0]).max() for points, _ in series if len(points)))
    axes.set_xlim(-furthest - 0.5, furthest + 0.5)
    random = np.random.default_rng(0)
    axes.axvline(0, color=AXES_COLOUR, linewidth=0.8, linestyle=":")
    for points, style in series:
        shaken = points[:, 0] + random.uniform(-JITTER, JITTER, len(points))
        axes.scatter(shaken, points[:, 1], s=26 if len(points) < 500 else 9, c=style.colour, marker=style.marker,
                     alpha=0.75 if len(points) < 500 else 0.4, linewidths=0)
    return _finished(figure, report, for_paper, lines=False)


def shift_curves(report, *, for_paper=False):
    """Mean distance over the shift of the sound: mean over videos as a line for each row, quartiles as a band.

    Args:
        report: what `metrics.report.build.build_report` gave.
        for_paper: black axes, and a legend.

    Returns:
        matplotlib Figure with a clear background; None when no video has a curve.
    """
    series = []
    for row, style in zip(report["rows"], row_styles(report), strict=True):
        curves = [video["curve"] for video in _videos(report, row) if video.get("curve") is not None]
        if curves:
            series.append((_over_videos(np.array(curves, np.float64)), style))
    if not series:
        return None
    figure, axes = _axes("shift of the sound, frames of 25 a second", "mean distance", for_paper)
    shifts = np.arange(-MAX_SHIFT, MAX_SHIFT + 1)
    axes.axvline(0, color=AXES_COLOUR, linewidth=0.8, linestyle=":")
    for (mean, low, high), style in series:
        axes.fill_between(shifts, low, high, color=style.colour, alpha=0.15, linewidth=0)
        axes.plot(shifts, mean, color=style.colour, linestyle=style.line, marker=style.marker, markersize=3.5, linewidth=1.6)
    axes.set_xlim(-MAX_SHIFT, MAX_SHIFT)
    return _finished(figure, report, for_paper, lines=True)


PLOTS = {"offsets": offset_scatter, "shifts": shift_curves}  # name in the file's name: function


def _videos(report, row):
    return [video for video in report["videos"] if video["row"] == row["row"]]


def _over_videos(curves):
    """(3, 31): mean, lower and upper quartile of (n, 31), where NaN is unknown; NaN where no video knows."""
    found = np.full((3, curves.shape[1]), np.nan)
    for shift, values in enumerate(curves.T):
        values = values[np.isfinite(values)]
        if len(values):
            found[:, shift] = values.mean(), *np.quantile(values, [0.25, 0.75])
    return found


def _axes(across, up, for_paper):
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes, colour = figure.add_subplot(), "black" if for_paper else AXES_COLOUR
    axes.set_xlabel(across, color=colour, fontsize=11)
    axes.set_ylabel(up, color=colour, fontsize=11)
    axes.tick_params(colors=colour, labelsize=10)
    axes.patch.set_alpha(0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(colour)
    axes.grid(color=AXES_COLOUR, alpha=0.2, linewidth=0.6)
    return figure, axes


def _finished(figure, report, for_paper, lines):
    """The figure, in a paper with a legend of its rows above the axes; `lines`: rows are drawn as lines with markers."""
    if for_paper:
        from matplotlib.lines import Line2D

        drawn = [one for one in zip(report["rows"], row_styles(report), strict=True) if _videos(report, one[0])]
        handles = [Line2D([], [], color=style.colour, marker=style.marker, linestyle=style.line if lines else "",
                          label=row["label"].replace("$", r"\$")) for row, style in drawn]  # fmt: skip
        figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 3), frameon=False, fontsize=9)
    return figure


def encoded(figure, kind):
    """bytes of a figure as "png", "svg" or "pdf", its background clear; the same bytes for the same figure."""
    import matplotlib

    target = BytesIO()
    dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
    with matplotlib.rc_context({"svg.hashsalt": "talkingface", "pdf.fonttype": 42}):
        figure.savefig(target, format=kind, dpi=_DPI, transparent=True, metadata=dates)
    return target.getvalue()

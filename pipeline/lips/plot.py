"""Plots of a clip in time: sound, words and phonemes, mouth opening of both videos, similarity and weight by run."""

import math

import numpy as np

from common.files import atomic_output
from speech.arpabet import PHONES, SILENCE, VOWELS
from speech.waveform import SAMPLE_RATE

SECONDS = 10.0  # of a sound that one plot shows at the utmost; longer ones are shown in parts of one length
INCHES_A_SECOND, MARGIN = 2.4, 2.2
GAP = 0.008  # seconds between the lines of two words
LETTER = 0.72  # width of a capital over the size of its font
COLOURS = {"silence": "#e8e8e8", "vowel": "#f6c28b", "consonant": "#a9c8e8"}
REAL, GENERATED = "#2a7f3f", "#b03a9c"


def write_plots(out, kind, waveform, alignment, runs, *, real=None, generated=None, report=None, title=""):
    """Draw and write a plot of each ten seconds or so: `out`.png, or `out`_01.png, `out`_02.png, ...; of a PDF the pages.

    Args:
        out: path without suffix.
        kind: one of common.plot_formats.PLOT_FORMATS.
        waveform: (n,) float32, 16 kHz.
        alignment: speech.alignment.Alignment.
        runs: speech.phonemes.Runs.
        real, generated: pipeline.lips.compare.Lips or None.
        report: pipeline.lips.compare.LipReport or None.
        title: first line.

    Returns:
        list of Paths.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.backends.backend_pdf import PdfPages

    parts = parts_of(len(waveform) / SAMPLE_RATE)
    digits = max(2, len(str(len(parts))))
    names = [f"{out.name}_{at:0{digits}}" for at in range(1, len(parts) + 1)]
    names = [out.name] if kind == "pdf" or len(parts) == 1 else names
    paths = [out.with_name(f"{name}.{kind}") for name in names]

    def draw(at):
        shown = title if len(parts) == 1 else f"{title} (part {at + 1} of {len(parts)})"
        return _figure(pyplot, parts[at], waveform, alignment, runs, real, generated, report, shown)

    if kind == "pdf":
        with atomic_output(paths[0]) as temporary, PdfPages(temporary) as pages:
            for at in range(len(parts)):
                pages.savefig(draw(at))
                pyplot.close("all")
        return paths
    for at, path in enumerate(paths):
        with atomic_output(path) as temporary:
            draw(at).savefig(temporary, format=kind, dpi=130)
        pyplot.close("all")
    return paths


def parts_of(seconds):
    """[(from, to)] in seconds: equal parts of a sound, none longer than SECONDS."""
    count = max(1, math.ceil(seconds / SECONDS - 1e-9))
    return [(seconds * at / count, seconds * (at + 1) / count) for at in range(count)]


def _figure(pyplot, part, waveform, alignment, runs, real, generated, report, title):
    since, until = part
    heights = [2.2, 0.9] + [2.2] * (real is not None) + [2.2] * (report is not None)
    wide = max(9.0, MARGIN + INCHES_A_SECOND * (until - since))
    figure, axes = pyplot.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights, layout="constrained",
                                   figsize=(wide, sum(heights) + 0.9))  # fmt: skip
    axes = list(axes[:, 0])
    _draw_sound(axes[0], waveform, alignment, since, until)
    axes[0].set_title(title.replace("$", r"\$"), loc="left", fontsize=11)
    _draw_runs(axes[1], runs, since, until)
    if real is not None:
        _draw_openings(axes[2], runs, real, generated)
    if report is not None:
        _draw_weights(axes[3], runs, report)
    for axis in axes[2:]:
        _shade(axis, runs)
    axes[-1].set_xlabel("seconds")
    axes[0].set_xlim(since, until)
    return figure


def _kind(label):
    return "silence" if label == SILENCE else "vowel" if label in VOWELS else "consonant"


def _draw_sound(axis, waveform, alignment, since, until):
    """Waveform as the range of each pixel column, phone borders, and the words above."""
    start = int(since * SAMPLE_RATE)
    shown = waveform[start : max(start + 1, int(until * SAMPLE_RATE))]
    step = max(1, len(shown) // 3000)
    parts = shown[: len(shown) // step * step].reshape(-1, step)
    times = since + (np.arange(len(parts)) + 0.5) * step / SAMPLE_RATE
    axis.fill_between(times, parts.min(1), parts.max(1), color="#555555", linewidth=0.5)
    top = 1.15 * max(1e-3, float(np.abs(waveform).max()))  # the same in all parts
    axis.set_ylim(-top, 1.35 * top)
    for phone in alignment.phones:
        if since <= phone.start < until:
            axis.axvline(phone.start, color="#888888", linewidth=0.5)
    for word in alignment.words:
        left, right = max(word.start, since), min(word.end, until)
        if word.label and left < right:
            axis.text((left + right) / 2, 1.18 * top, word.label.replace("$", r"\$"), ha="center", va="center", fontsize=9,
                      clip_on=True)  # fmt: skip
            axis.plot([left + GAP, right - GAP], [1.05 * top] * 2, color="#222222", linewidth=1.2)
    axis.set_yticks([])
    axis.set_ylabel("sound\nand words")


def _draw_runs(axis, runs, since, until):
    """The temporal modules as boxes, at the frames that they hold."""
    fps = float(runs.fps)
    for label, start, end in zip(runs.labels, runs.starts, runs.ends, strict=True):
        if end / fps <= since or start / fps >= until:
            continue
        name = PHONES[label]
        axis.broken_barh([(start / fps, (end - start) / fps)], (0, 1), facecolor=COLOURS[_kind(name)], edgecolor="white")
        if name != SILENCE or end - start > 2:
            middle = (max(start / fps, since) + min(end / fps, until)) / 2
            room = 72 * INCHES_A_SECOND * (end - start) / fps  # points
            size = min(8.5, max(4.5, room / (LETTER * len(name))))
            axis.text(middle, 0.5, name, ha="center", va="center", fontsize=size, clip_on=True)
    axis.set_ylim(0, 1)
    axis.set_yticks([])
    axis.set_ylabel("phoneme\nruns")


def _draw_openings(axis, runs, real, generated):
    times = (np.arange(runs.frames) + 0.5) / float(runs.fps)
    axis.plot(times, real.opening[: runs.frames], color=REAL, label="real", linewidth=1.6)
    if generated is not None:
        axis.plot(times, generated.opening[: runs.frames], color=GENERATED, label="generated", linewidth=1.4)
    axis.set_ylabel("mouth opening\n(eye distances)")
    axis.set_ylim(bottom=0)
    axis.legend(loc="upper right", fontsize=8, framealpha=0.8)


def _draw_weights(axis, runs, report):
    """Similarity of each frame, weight of each run, and the run's share of the loss."""
    fps = float(runs.fps)
    times = (np.arange(runs.frames) + 0.5) / fps
    axis.plot(times, report.similarity, ".", color="#777777", markersize=4, label="similarity of the frame")
    for row in report.rows:
        if row.weight is not None:
            axis.plot([row.start / fps, row.end / fps], [row.weight] * 2, color="#c23b22", linewidth=2.5,
                      solid_capstyle="butt")  # fmt: skip
    axis.plot([], [], color="#c23b22", linewidth=2.5, label="weight of the run")
    axis.set_ylim(-0.03, 1.05)
    axis.set_ylabel("similarity,\nweight")
    other = axis.twinx()
    means = [row.loss / row.compared if row.compared else 0.0 for row in report.rows]
    starts, lengths = [row.start / fps for row in report.rows], [(row.end - row.start) / fps for row in report.rows]
    other.bar(starts, means, lengths, align="edge", color="#3b6fb6", alpha=0.25, label="lip distance of the run")
    other.set_ylabel("lip distance\n(eye distances)", color="#3b6fb6")
    other.set_ylim(0, 1.6 * max([*means, 1e-6]))
    lines, labels = axis.get_legend_handles_labels()
    bars, names = other.get_legend_handles_labels()
    axis.legend(lines + bars, labels + names, loc="lower right", fontsize=8, framealpha=0.8, ncols=3)


def _shade(axis, runs):
    """Faint borders of the runs, and grey where it is silent."""
    fps = float(runs.fps)
    for label, start, end in zip(runs.labels, runs.starts, runs.ends, strict=True):
        axis.axvline(start / fps, color="#dddddd", linewidth=0.6, zorder=0)
        if PHONES[label] == SILENCE:
            axis.axvspan(start / fps, end / fps, color="#f4f4f4", zorder=0)

"""One picture of a clip in time: sound, words and phonemes, mouth opening of both videos, similarity and weight by run."""

import numpy as np

from common.files import atomic_output
from speech.arpabet import PHONES, SILENCE, VOWELS
from speech.waveform import SAMPLE_RATE

SECONDS = 8.0  # most of a sound that one picture shows
INCHES_A_SECOND, MARGIN = 3.2, 2.2
COLOURS = {"silence": "#e8e8e8", "vowel": "#f6c28b", "consonant": "#a9c8e8"}
REAL, GENERATED = "#2a7f3f", "#b03a9c"


def write_plot(path, waveform, alignment, runs, *, real=None, generated=None, report=None, title=""):
    """Draw and write a PNG.

    Args:
        path: file to write.
        waveform: (n,) float32, 16 kHz.
        alignment: speech.alignment.Alignment.
        runs: speech.phonemes.Runs.
        real, generated: pipeline.lips.compare.Lips or None.
        report: pipeline.lips.compare.LipReport or None.
        title: first line.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    until = min(len(waveform) / SAMPLE_RATE, SECONDS)
    heights = [2.2, 0.9] + [2.2] * (real is not None) + [2.2] * (report is not None)
    figure, axes = pyplot.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights, layout="constrained",
                                   figsize=(max(9.0, MARGIN + INCHES_A_SECOND * until), sum(heights) + 0.9))  # fmt: skip
    axes = list(axes[:, 0])
    try:
        _draw_sound(axes[0], waveform, alignment, until)
        axes[0].set_title(title if until >= alignment.seconds else f"{title} (the first {until:g} s)", loc="left", fontsize=11)
        _draw_runs(axes[1], runs, until)
        if real is not None:
            _draw_openings(axes[2], runs, real, generated)
        if report is not None:
            _draw_weights(axes[3], runs, report)
        for axis in axes[2:]:
            _shade(axis, runs)
        axes[-1].set_xlabel("seconds")
        axes[0].set_xlim(0, until)
        with atomic_output(path) as temporary:
            figure.savefig(temporary, dpi=110)
    finally:
        pyplot.close(figure)


def _kind(label):
    return "silence" if label == SILENCE else "vowel" if label in VOWELS else "consonant"


def _draw_sound(axis, waveform, alignment, until):
    """Waveform as the range of each pixel column, phone borders, and the words above."""
    shown = waveform[: int(until * SAMPLE_RATE)]
    step = max(1, len(shown) // 3000)
    parts = shown[: len(shown) // step * step].reshape(-1, step)
    times = (np.arange(len(parts)) + 0.5) * step / SAMPLE_RATE
    axis.fill_between(times, parts.min(1), parts.max(1), color="#555555", linewidth=0.5)
    top = 1.15 * max(1e-3, float(np.abs(shown).max()))
    axis.set_ylim(-top, 1.35 * top)
    for phone in alignment.phones:
        if phone.start < until:
            axis.axvline(phone.start, color="#888888", linewidth=0.5)
    for word in alignment.words:
        if word.label and word.start < until:
            axis.text((word.start + min(word.end, until)) / 2, 1.18 * top, word.label, ha="center", va="center", fontsize=9)
            axis.plot([word.start, min(word.end, until)], [1.05 * top] * 2, color="#222222", linewidth=1.2)
    axis.set_yticks([])
    axis.set_ylabel("sound\nand words")


def _draw_runs(axis, runs, until):
    """The temporal modules as boxes, at the frames that they hold."""
    fps = float(runs.fps)
    for label, start, end in zip(runs.labels, runs.starts, runs.ends, strict=True):
        if start / fps >= until:
            break
        name = PHONES[label]
        axis.broken_barh([(start / fps, (end - start) / fps)], (0, 1), facecolor=COLOURS[_kind(name)], edgecolor="white")
        if name != SILENCE or end - start > 2:
            axis.text((start + end) / 2 / fps, 0.5, name, ha="center", va="center", fontsize=7 if end - start < 2 else 8,
                      clip_on=True)  # fmt: skip
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

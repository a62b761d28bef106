"""What benchmarks.held_out writes: JSON, a Markdown table, plots of mouth openings, contact sheets."""

import json
import math

import cv2
import numpy as np

from benchmarks.held_out.measure import quantiles
from common.errors import InputError
from common.files import atomic_output
from metrics.formulas.image import mouth_region

BARS = {  # None: no bar, the figure is reported
    "correlation, own sound (median)": (">=", 0.75),
    "LMD raw / copy of the reference": ("<", 1.0),
    "LMD aligned / copy of the reference": ("<", 1.0),
    "lag in frames (median)": ("==", 0),
    "lag in frames (all clips together, to fractions)": ("report", None),
    "follows the clip that is heard (pooled)": ("report", None),
    "plain correlation with the target (pooled)": ("report", None),
    "partial correlation with the target (pooled)": ("size <=", 0.15),
    "partial correlation with the target (median of pairs)": ("size <=", 0.15),
    "partial correlation with an unrelated mouth (pooled, median of draws)": ("report", None),
    "partial correlation with the target beyond that with an unrelated mouth (pooled)": ("report", None),
    "partial correlation with the target, given what that sound draws on its own clip (pooled)": ("report", None),
    "partial correlation with the target, given the heard opening at lags -2 to 2 (pooled)": ("report", None),
    "silence: opening above closed / range (median)": ("report", None),
    "silence: spread / real spread (median)": ("report", None),
    "quiet noise: opening above closed / range (median)": ("report", None),
    "quiet noise: spread / real spread (median)": ("report", None),
    "spread of opening / real (median)": ("report", None),
    "unsteadiness / real (median)": ("report", None),
    "SSIM of the mouth (median)": ("report", None),
    "sharpness of the mouth / real (median)": ("report", None),
    "flicker of the skin around the mouth / real (median)": ("report", None),
}
SHEET_STEP, SHEET_ZOOM = 5, 2.5


def headline(own, swaps, rest, lag=None):
    """{name of BARS: figure} from rows of (a), summary of (b), rows of (c), and the pooled lag."""

    def median(rows, key):
        return quantiles([row[key] for row in rows])["median"]

    def share(kind):
        return quantiles([row[f"lmd_{kind}"] / row[f"lmd_{kind}_copy"] for row in own])["median"]

    values = [median(own, "correlation"), share("raw"), share("aligned"), median(own, "lag"), lag]
    if swaps:
        values += [swaps[name]["pooled"] for name in ("follows", "plain", "partial")]
        null = swaps["null"]["pooled"]["median"]
        values += [swaps["partial"]["median"], null, None if null is None else swaps["partial"]["pooled"] - null]
        values += [swaps["partial_drawn"]["pooled"], swaps["partial_lags"]["pooled"]]
    else:
        values += [None] * 8
    values += [median(rest, key) for key in ("silence_level", "silence_spread", "noise_level", "noise_spread")]
    values += [median(own, key) for key in ("spread", "unsteadiness", "ssim_mouth", "sharpness", "flicker")]
    return dict(zip(BARS, values, strict=True))


def holds(name, value):
    """True or False against the bar; None where there is no bar or no figure."""
    way, bar = BARS[name]
    if way == "report" or value is None:
        return None
    return {"<": value < bar, ">=": value >= bar, "==": value == bar, "size <=": abs(value) <= bar}[way]


def markdown(report):
    """The table, with its protocol, as Markdown."""
    protocol = report["protocol"]
    lines = [f"# Held-out clips: {protocol['split']}, {protocol['clips']} clips of {', '.join(protocol['speakers'])}", ""]
    lines += [f"Checkpoint `{protocol['checkpoint']}` (sha256 {protocol['sha256'][:12]}); detector {protocol['detector']}.", ""]
    lines += ["| figure | value | bar | holds |", "|---|---|---|---|"]
    for name, value in report["headline"].items():
        way, bar = BARS[name]
        lines.append(f"| {name} | {text(value)} | {'' if bar is None else f'{way} {bar}'} | {_answer(holds(name, value))} |")
    lines += _speakers(report["speakers"]) + (_pairs(report["swaps"]) if report["swaps"] else [])
    lost = "; ".join(f"{name} {row['no_face']} of {row['frames']}" for name, row in report["detector_losses"].items())
    lines += ["", f"Frames in which the detector found no face (left out): {lost}."]
    return "\n".join(lines + _end_to_end(report.get("end_to_end"))) + "\n"


def _speakers(speakers):
    lines = ["", "Own sound, by speaker: median (quartiles); mean [95 % bootstrap interval over clips].", ""]
    lines += ["| speaker | clips | correlation | mean correlation | LMD raw (copy) | lag |", "|---|---|---|---|---|---|"]
    for speaker, row in speakers.items():
        distance = f"{text(row['lmd_raw'])} ({text(row['lmd_raw_copy'])})"
        figures = row["correlation"]
        mean = f"{text(figures['mean'])} [{', '.join(text(end) for end in figures['mean_interval'])}]"
        lines.append(f"| {speaker} | {row['clips']} | {_spread(figures)} | {mean} | {distance} | {text(row['lag'])} |")
    return lines


def _pairs(swaps):
    partial, null = swaps["partial"], swaps["null"]
    low, high = text(null["pooled"]["p5"]), text(null["pooled"]["p95"])
    return ["", f"{swaps['pairs']} pairs. Partial correlation with the target's own mouth, per pair: median (quartiles) "
            f"{_spread(partial)}, median size {text(partial['median_size'])}. With a mouth neither seen nor heard: "
            f"{_spread(null['per_pair'])}; pooled, over {null['draws']} draws, 5 to 95 %: {low} to {high}."]  # fmt: skip


def _end_to_end(rows):
    if not rows:
        return []
    lines = ["", "Through `inference.py` and `evaluate.py` (whole frames, paste-back, H.264), then the same from crops:", ""]
    lines += ["| clip | correlation | (crops) | LMD raw | (crops) | SSIM of the mouth | (crops) |", "|" + "---|" * 7]
    for row in rows:
        keys = ("correlation", "correlation_crops", "lmd_raw", "lmd_raw_crops", "ssim_mouth", "ssim_mouth_crops")
        lines.append(f"| {row['clip']} | " + " | ".join(text(row[key]) for key in keys) + " |")
    return lines


def _spread(row):
    return f"{text(row['median'])} ({text(row['low'])} to {text(row['high'])})"


def text(value):
    """A figure with three digits; "-" for none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}"


def write_reports(report, table, out):
    """OUT.json and OUT.md."""
    with atomic_output(f"{out}.json") as path:
        path.write_text(json.dumps(_finite(report), indent=1) + "\n", encoding="utf-8")
    with atomic_output(f"{out}.md") as path:
        path.write_text(table, encoding="utf-8")


def write_plot(panels, path):
    """Curves of mouth opening, one panel below the other.

    Args:
        panels: list of (title, {label: (n,) series}).
        path: PNG.

    Raises:
        InputError: matplotlib is missing.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise InputError("the plots need matplotlib, which comes with mediapipe; install it, or give --no_pictures") from error
    figure, axes = pyplot.subplots(len(panels), 1, figsize=(10, 2.2 * len(panels)), squeeze=False)
    for axis, (title, curves) in zip(axes[:, 0], panels, strict=True):
        for number, (label, series) in enumerate(curves.items()):
            axis.plot(series, label=label, color=("black", "tab:red", "tab:blue")[number], lw=1.6 if number < 2 else 1.0)
        axis.set_title(title, fontsize=9)
        axis.set_ylabel("mouth opening", fontsize=8)
        axis.legend(fontsize=7, loc="upper right")
    axes[-1, 0].set_xlabel("frame")
    figure.tight_layout()
    with atomic_output(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)


def write_sheet(strips, path):
    """Contact sheet: strips of crops, real above generated.

    Args:
        strips: list of (label, (N, S, S, 3) uint8 RGB crops); every fifth frame is shown, around the mouth.
        path: PNG.
    """
    rows = []
    for label, crops in strips:
        row = np.concatenate([mouth_region(crop) for crop in crops[::SHEET_STEP]], axis=1)
        row = cv2.resize(row, None, fx=SHEET_ZOOM, fy=SHEET_ZOOM, interpolation=cv2.INTER_CUBIC)
        title = np.full((22, row.shape[1], 3), 255, np.uint8)
        cv2.putText(title, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        rows += [title, row]
    width = max(row.shape[1] for row in rows)
    sheet = np.concatenate([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])
    with atomic_output(path) as temporary:
        cv2.imwrite(str(temporary), sheet[..., ::-1])


def _answer(value):
    return "" if value is None else "yes" if value else "no"


def _finite(value):
    """The same structure with None for NaN and plain numbers for numpy's."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value

"""The table: means and medians over clips, as JSON, CSV and text."""

import csv
import json
from pathlib import Path

import numpy as np

from common.files import atomic_output
from metrics.compare import METRICS, ROWS

FORMAT = "talkingface-evaluation-1"
PROTOCOL = {
    "crop": "aligned face crop of the real video, applied to both; mouth crop: its rows S/2 to S, columns S/4 to 3S/4",
    "ssim": "Wang et al. 2004, RGB channel mean, Gaussian window 11x11 sigma 1.5, population covariance, data range 255",
    "psnr": "dB, peak 255, over RGB; mean of frames; equal crops count as 100 dB",
    "lmd_raw": "mean distance of the 20 mouth landmarks, pixels of the face crop, as they lie in the frame",
    "lmd_aligned": "the same after a similarity transform that fits nose and eye corners, pixels of the face crop",
    "lmd_normalised": "lmd_aligned over the distance of the real outer eye corners, no unit",
    "mouth_correlation": "Pearson correlation of mouth opening (inner-lip gap over outer eye corners) over the clip's frames; "
                         "null where a mouth does not move",
    "mouth_range": "standard deviation of the generated mouth opening over that of the real one",
    "copy": "baseline without motion: the first compared frame of the real video, held; measured on the other frames",
    "real": "the real video against itself",
    "frames": "frames in which either video has no detected face, or that only the longer video has, are left out",
    "average": "mean and median of the clips' values, each clip counting once; null values are left out",
}
_HEADS = {
    "ssim_face": ("SSIM face ↑", 4), "psnr_face": ("PSNR face ↑", 2), "ssim_mouth": ("SSIM mouth ↑", 4),
    "psnr_mouth": ("PSNR mouth ↑", 2), "lmd_raw": ("LMD raw ↓", 3), "lmd_aligned": ("LMD align ↓", 3),
    "lmd_normalised": ("LMD norm ↓", 4), "mouth_correlation": ("mouth r ↑", 3), "mouth_range": ("range →1", 3),
}


def summarise(clips):
    """Mean and median over clips.

    Args:
        clips: list of {row: {metric: float or None}}.

    Returns:
        {row: {metric: {"mean", "median", "clips"}}}; mean and median None when no clip has the value.
    """
    summary = {}
    for row in ROWS:
        summary[row] = {}
        for metric in METRICS:
            values = [clip[row][metric] for clip in clips if clip[row][metric] is not None]
            mean, median = (float(np.mean(values)), float(np.median(values))) if values else (None, None)
            summary[row][metric] = {"mean": mean, "median": median, "clips": len(values)}
    return summary


def build_report(results, failed, protocol):
    """Put everything into one dict, ready for JSON.

    Args:
        results: list of (name, generated path, real path, Comparison).
        failed: list of (name, reason) of the pairs that could not be compared.
        protocol: dict of what was chosen: detector, its version, face_size, frames.
    """
    clips = [
        {"name": name, "generated": str(generated), "real": str(real), "fps": result.fps, "frames": result.frames,
         "notes": result.notes, "rows": result.rows}
        for name, generated, real, result in results
    ]
    return {
        "format": FORMAT,
        "protocol": {**protocol, **PROTOCOL},
        "summary": summarise([clip["rows"] for clip in clips]),
        "clips": clips,
        "failed": [{"name": name, "reason": reason} for name, reason in failed],
    }


def write_report(report, out):
    """Write `out`.json and `out`.csv, each whole or not at all; a suffix .json or .csv of `out` is dropped.

    The CSV has one line for each row of each clip, then mean and median; an empty field is an undefined value.

    Returns:
        the two paths.
    """
    out = Path(out)
    if out.suffix in (".json", ".csv"):
        out = out.with_suffix("")
    json_path, csv_path = (out.with_name(out.name + suffix) for suffix in (".json", ".csv"))
    with atomic_output(json_path) as temporary:
        temporary.write_text(json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    with atomic_output(csv_path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip", "row", "frames", *METRICS])
        for clip in report["clips"]:
            for row in ROWS:
                writer.writerow([clip["name"], row, clip["frames"]["compared"], *(clip["rows"][row][m] for m in METRICS)])
        for kind in ("mean", "median"):
            for row in ROWS:
                writer.writerow([kind, row, "", *(report["summary"][row][metric][kind] for metric in METRICS)])
    return json_path, csv_path


def format_table(report):
    """The summary as text: one line for each row, "mean (median)" in each column, "-" where a value is undefined."""
    lines = [["", *(head for head, _ in _HEADS.values())]]
    several = len(report["clips"]) > 1
    for row in ROWS:
        cells = [row]
        for metric, (_, digits) in _HEADS.items():
            value = report["summary"][row][metric]
            cells.append(_number(value["mean"], digits) + (f" ({_number(value['median'], digits)})" if several else ""))
        lines.append(cells)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    table = ["  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in
                                                     zip(line[1:], widths[1:], strict=True))]) for line in lines]
    return "\n".join([*table, _footer(report, several)])


def _number(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def _footer(report, several):
    clips = report["clips"]
    compared = sum(clip["frames"]["compared"] for clip in clips)
    left_out = sum(sum(clip["frames"]["left_out"].values()) for clip in clips)
    size = report["protocol"]["face_size"]
    text = f"{len(clips)} clip(s), {compared} frames compared, {left_out} left out"
    text += f"; LMD raw and aligned in pixels of a {size} px crop"
    if several:
        text += "; mean (median) over clips"
    if report["failed"]:
        text += f"; {len(report['failed'])} pair(s) FAILED and are not in the table"
    return text

"""The table and the contact sheet of benchmarks.davs.drive."""

import cv2
import numpy as np

from benchmarks.held_out.measure import quantiles
from common.files import atomic_output

BARS = {"sound_r": 0.6, "video_r": 0.6, "video_nearer": 0.95}
LINES = (  # key of the figures, title
    ("sound_r", "by sound: correlation of the opening with the real clip"),
    ("sound_lag", "... lag in frames (positive: late)"),
    ("sound_spread", "... spread of the opening over the real one"),
    ("swapped_r", "by the sound of another sentence: correlation with the real clip"),
    ("swapped_heard", "... with the mouth that belongs to that sound"),
    ("silence_ratio", "in silence: spread of the opening over that with sound"),
    ("silence_level", "... opening above closed over the range, drawn with sound"),
    ("video_r", "by the video of another person: correlation of the opening with the driver"),
    ("video_r_known", "... drivers of whom training holds other sentences"),
    ("video_r_strange", "... drivers never seen"),
    ("video_lag", "... lag in frames (positive: late)"),
    ("video_spread", "... spread of the opening over the driver's"),
    ("video_picture", "... cosine of the face with the identity picture"),
    ("video_other", "... cosine of the face with the driver"),
    ("video_nearer", "... share of clips nearer to the picture than to the driver"),
    ("sound_nearer", "by sound: share of clips nearer to the picture than to that other person"),
    ("real_nearer", "real clips: the same share"),
    ("ssim", "by sound, from the clip's first frame: SSIM of the crop (the frame held still)"),
    ("psnr", "... PSNR of the crop, dB"),
    ("mouth_ssim", "... SSIM of the mouth"),
    ("mouth_psnr", "... PSNR of the mouth, dB"),
    ("sharpness", "... sharpness of the crop over the real one"),
    ("mouth_sharpness", "... sharpness of the mouth over the real one"),
)
MOMENTS, ZOOM_BELOW = 8, 160


def summary(rows):
    """{key of LINES: {"median", "low", "high" (quartiles), "mean", "count", "held" (median of the frame held still)}}."""
    found = {}
    for key, _ in LINES:
        values = [value for row in rows if (value := value_of(row, key)) is not None and np.isfinite(value)]
        one = quantiles(values) | {"mean": float(np.mean(values)) if values else None}
        held = [row[f"held_{key}"] for row in rows if f"held_{key}" in row]
        found[key] = one | {"held": float(np.median(held)) if held else None}
    return found


def value_of(row, key):
    """One figure of a clip; None where it has none."""
    if key.endswith("_nearer"):
        own, other = row[f"{key[:-7]}_picture"], row[f"{key[:-7]}_other"]
        return None if own is None or other is None else float(own > other)
    if key.startswith("video_r_"):
        return row["video_r"] if row["driver_known"] == (key == "video_r_known") else None
    return row[key]


def bars_of(table):
    """[{"what", "value", "least", "holds"}] of a summary of held-out sentences; of shares the mean, of others the median."""
    found = []
    for key, least in BARS.items():
        value = table[key]["mean" if key.endswith("_nearer") else "median"]
        found.append({"what": dict(LINES)[key].lstrip(". "), "value": value, "least": least,
                      "holds": value is not None and value >= least})  # fmt: skip
    return found


def markdown(report):
    """All tables as text."""
    from benchmarks.davs.protocol import protocol_lines

    names = {"test": "held-out sentences", "unseen": "people never seen"}
    splits = list(report["splits"])
    heads = [f"{names[split]}, {len(report['splits'][split])} clips of "
             f"{len({row['person'] for row in report['splits'][split]})} people" for split in splits]  # fmt: skip
    lines = ["# DAVS: faces by sound and by the face of another person", "", *protocol_lines(report["protocol"]),
             "Median (quartiles); mean. Shares: the mean alone.", "",
             f"| | asked | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]  # fmt: skip
    for key, title in LINES:
        asked = f">= {BARS[key]}" if key in BARS else ""
        lines.append(f"| {title} | {asked} | {' | '.join(_cell(report['summary'][split][key], key) for split in splits)} |")
    for split in splits:
        rows = report["splits"][split]
        lines += ["", f"{names[split]}: the detector found no face in {sum(row['no_face'] for row in rows)} of "
                  f"{sum(row['frames'] for row in rows)} drawn frames, which are left out."]  # fmt: skip
    if report.get("end_to_end"):
        lines += ["", "Through `inference.py` (a picture in, whole frames out), then the same from crops:", "",
                  "| clip | by | correlation | (crops) | lag | frames without a face |", "|" + "---|" * 6]  # fmt: skip
        for row in report["end_to_end"]:
            lines.append(f"| {row['clip']} | {row['by']} | {_number(row['r'])} | {_number(row['r_crops'])} | "
                         f"{_number(row['lag'])} | {row['no_face']} of {row['frames']} |")  # fmt: skip
    lines.append("")
    for bar in report["bars"]:
        verdict = "holds" if bar["holds"] else "misses"
        lines.append(f"{bar['what']}: {_number(bar['value'])}, at least {bar['least']} is asked: {verdict}.")
    return "\n".join(lines)


def _cell(one, key):
    if not one["count"]:
        return "-"
    if key.endswith("_nearer"):
        return f"{one['mean']:.1%} of {one['count']}"
    held = "" if one["held"] is None else f" (held: {one['held']:.3f})"
    return f"{one['median']:.3f} ({one['low']:.3f} to {one['high']:.3f}); {one['mean']:.3f}{held}"


def _number(value):
    return "-" if value is None or not np.isfinite(value) else f"{value:.3f}" if value % 1 else f"{value:.0f}"


def contact_sheet(made, path, people=4):
    """Write a PNG: both drives of one clip of each of several people, in the pixels that were drawn.

    Rows of a clip, each beginning with the identity picture: the real clip; what its sound drew; the driver; what the driver
    drew. Small crops are shown twice as large.

    Args:
        made: list of benchmarks.davs.drive_measure.Made; path: of the PNG; people: at most so many.
    """
    chosen = {}
    for one in made:
        chosen.setdefault(one.figures["person"], one)
    rows = []
    moments = np.linspace(0.15, 0.85, MOMENTS)
    for one in list(chosen.values())[:people]:
        told = one.figures
        for label, crops in (
            (f"{told['clip']}: identity picture, then the real clip", one.real),
            (f"drawn by its sound, r = {_number(told['sound_r'])}", one.by_sound),
            (f"driver {told['driver']}", one.driver),
            (f"drawn by the driver's video, r = {_number(told['video_r'])}", one.by_video),
        ):
            shown = [one.picture, *(crops[int(share * (len(crops) - 1))] for share in moments)]
            rows += _strip(label, shown)
    sheet = np.concatenate(rows)
    with atomic_output(path) as temporary:
        cv2.imwrite(str(temporary), sheet[..., ::-1])


def _strip(label, pictures):
    """[title, row] of pictures beside one another."""
    row = np.concatenate(pictures, axis=1)
    if len(row) < ZOOM_BELOW:
        row = cv2.resize(row, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    title = np.full((22, row.shape[1], 3), 255, np.uint8)
    cv2.putText(title, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return [title, row]

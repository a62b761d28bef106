"""The table and the contact sheet of benchmarks.davs.drive."""

import numpy as np

from benchmarks.held_out.measure import quantiles
from benchmarks.held_out.rest import LEAST_PAUSE
from benchmarks.held_out.sheet import strip, write_sheet

RESTING = 0.2  # of the range: standard deviation of the resting mouth between clips of one person (rms, 3 people of GRID)
BARS = {"sound_r": (0.6, 1), "video_r": (0.6, 1), "video_nearer": (0.95, 1), "quiet_level": (RESTING, -1),
        "quiet_spread": (0.5, -1), "pause_level": (RESTING, -1), "pause_spread": (0.5, -1)}  # 1: at least, -1: at most
BAR_TITLES = {
    "sound_r": "by sound, correlation of the opening with the real clip",
    "video_r": "by the video of another person, correlation of the opening with the driver",
    "video_nearer": "by the video of another person, share of clips nearer to the picture than to the driver",
    "quiet_level": "by noise of -60 dB, opening above the real resting mouth",
    "quiet_spread": "by noise of -60 dB, spread over that with speech",
    "pause_level": "by sound in the pauses, opening above the real resting mouth",
    "pause_spread": "by sound in the pauses, spread over that with speech",
}
MOST_WITHOUT = 0.05  # share of the drawn frames in which the detector may find no face
LINES = (  # key of the figures, title
    ("sound_r", "by sound: correlation of the opening with the real clip"),
    ("sound_lag", "... lag in frames (positive: late)"),
    ("sound_spread", "... spread of the opening over the real one"),
    ("swapped_r", "by the sound of another sentence: correlation with the real clip"),
    ("swapped_heard", "... with the mouth that belongs to that sound"),
    ("quiet_level", "by noise of -60 dB: opening above the real resting mouth, over the real range"),
    ("quiet_spread", "... spread of the opening over that with speech"),
    ("pause_level", "by sound, in the pauses: opening above the real resting mouth, over the real range"),
    ("pause_spread", "... spread of the opening over that with speech"),
    ("real_pause_spread", "... the same of the real mouth"),
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
MOMENTS = 8


def summary(rows):
    """Figures of some clips, see `benchmarks.davs.drive_measure.measure`.

    Returns:
        {key of LINES: {"median", "low", "high" (quartiles), "mean", "count" (clips that have the figure), "planned" (clips that
        should), "held" (median of the frame held still), "judged" (what a bar is held against: a clip without the figure is a
        miss), "ends" (of a share: its 95 % interval by Wilson, else None)}}, and "no_face": {"count", "planned", "judged"}
        frames.
    """
    found = {}
    for key, _ in LINES:
        asked = [row for row in rows if _is_asked(row, key)]
        values = [value for row in asked if (value := value_of(row, key)) is not None and np.isfinite(value)]
        one = quantiles(values) | {"mean": float(np.mean(values)) if values else None, "planned": len(asked)}
        held = [row[f"held_{key}"] for row in rows if f"held_{key}" in row]
        one["held"] = float(np.median(held)) if held else None
        one["judged"], one["ends"] = _judged(key, values, len(asked))
        found[key] = one
    frames, lost = (sum(row[name] for row in rows) for name in ("frames", "no_face"))
    found["no_face"] = {"count": lost, "planned": frames, "judged": lost / frames if frames else None}
    return found


def _judged(key, values, planned):
    """(what a bar is held against, interval): median or share of all that are planned; None: half are missing."""
    if not planned:
        return None, None
    if key.endswith("_nearer"):
        return sum(values) / planned, wilson(sum(values), planned)
    worst = -np.inf * BARS[key][1] if key in BARS else np.nan
    middle = float(np.median([*values, *[worst] * (planned - len(values))]))
    return (middle if np.isfinite(middle) else None), None


def wilson(hits, count):
    """95 % interval of a share (Wilson 1927): (low, high)."""
    share, normal = hits / count, 1.959964
    middle = (share + normal**2 / (2 * count)) / (1 + normal**2 / count)
    half = normal / (1 + normal**2 / count) * np.sqrt(share * (1 - share) / count + normal**2 / (4 * count**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def value_of(row, key):
    """One figure of a clip; None where it has none."""
    if key.endswith("_nearer"):
        own, other = row[f"{key[:-7]}_picture"], row[f"{key[:-7]}_other"]
        return None if own is None or other is None else float(own > other)
    if key.startswith("video_r_"):
        return row["video_r"] if _is_asked(row, key) else None
    return row[key]


def _is_asked(row, key):
    """Whether a figure is to be had of a clip: of its kind of driver, and of its pauses where it has any."""
    if key.startswith("video_r_"):
        return row["driver_known"] == (key == "video_r_known")
    return row["pauses"] >= LEAST_PAUSE if "pause_" in key else True


def bars_of(table):
    """[{"what", "value", "bar", "holds" (None: no clip can show it), "found", "planned"}] of a summary of held-out sentences.

    Shares and medians are those of all clips that are planned: one without a figure is a miss.
    """
    found = []
    for key, (bar, sign) in BARS.items():
        one, value = table[key], table[key]["judged"]
        holds = value is not None and sign * value >= sign * bar if one["planned"] else None
        found.append({"what": BAR_TITLES[key], "value": value, "bar": f"at {'least' if sign > 0 else 'most'} {bar}",
                      "holds": holds, "found": one["count"], "planned": one["planned"]})  # fmt: skip
    one, value = table["no_face"], table["no_face"]["judged"]
    found.append({"what": "drawn frames in which no face is found, share", "value": value, "bar": f"at most {MOST_WITHOUT}",
                  "holds": value is not None and value <= MOST_WITHOUT, "found": one["planned"] - one["count"],
                  "planned": one["planned"]})  # fmt: skip
    return found


def markdown(report):
    """All tables as text."""
    from benchmarks.davs.protocol import protocol_lines

    names = {"test": "held-out sentences", "unseen": "people never seen"}
    splits = list(report["splits"])
    heads = [f"{names[split]}, {len(report['splits'][split])} clips of "
             f"{len({row['person'] for row in report['splits'][split]})} people" for split in splits]  # fmt: skip
    lines = ["# DAVS: faces by sound and by the face of another person", "", *protocol_lines(report["protocol"]),
             "Median (quartiles); mean, of the clips that have the figure. Shares [95 % interval]: of all clips; one without "
             "the figure is a miss, as it is in the bars below.", "",
             f"| | asked | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]  # fmt: skip
    for key, title in LINES:
        asked = f"{'<=' if BARS[key][1] < 0 else '>='} {BARS[key][0]}" if key in BARS else ""
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
        verdict = {True: "holds", False: "misses", None: "no bar can be set, no sentence has pauses"}[bar["holds"]]
        found = f"found {bar['found']} of {bar['planned']}"
        lines.append(f"{bar['what']}: {_number(bar['value'])} ({found}), {bar['bar']} is asked: {verdict}.")
    return "\n".join(lines)


def _cell(one, key):
    if not one["planned"]:
        return "-"
    if not one["count"]:
        return f"found 0 of {one['planned']}"
    found = "" if one["count"] == one["planned"] else f"; found {one['count']} of {one['planned']}"
    if key.endswith("_nearer"):
        low, high = one["ends"]
        return f"{one['judged']:.1%} of {one['planned']} [{low:.1%}, {high:.1%}]{found}"
    held = "" if one["held"] is None else f" (held: {one['held']:.3f})"
    return f"{one['median']:.3f} ({one['low']:.3f} to {one['high']:.3f}); {one['mean']:.3f}{held}{found}"


def _number(value):
    return "-" if value is None or not np.isfinite(value) else f"{value:.3f}" if value % 1 else f"{value:.0f}"


def contact_sheet(made, path, people=4):
    """Write a PNG: both drives of one clip of each of several people, in the pixels that were drawn.

    Rows of a clip, each beginning with the identity picture: the real clip; what its sound drew; the driver; what the driver
    drew. Small crops are shown twice as large.

    Args:
        made: list of benchmarks.davs.drive_measure.Made, one of each person; path: of the PNG; people: at most so many.
    """
    rows = []
    moments = np.linspace(0.15, 0.85, MOMENTS)
    for one in made[:people]:
        told = one.figures
        for label, crops in (
            (f"{told['clip']}: identity picture, then the real clip", one.real),
            (f"drawn by its sound, r = {_number(told['sound_r'])}", one.by_sound),
            (f"driver {told['driver']}", one.driver),
            (f"drawn by the driver's video, r = {_number(told['video_r'])}", one.by_video),
        ):
            shown = [one.picture, *(crops[int(share * (len(crops) - 1))] for share in moments)]
            rows += strip(label, shown)
    write_sheet(rows, path)

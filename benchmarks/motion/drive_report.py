"""The tables and the contact sheet of benchmarks.motion.drive."""

import numpy as np

from benchmarks.held_out.sheet import strip, write_sheet
from benchmarks.motion.drive_measure import ANGLES, LEAST_MOVEMENT
from benchmarks.tables import number, seeds_table, summarise
from benchmarks.tested import groups_of
from metrics.formulas.bootstrap import paired_difference

POSE = (  # key of the figures, head, digits
    *((f"{name}_r", f"{name}: r with the real clip", 3) for name in ANGLES),
    *((f"{name}_error", f"{name}: mean error, degrees", 2) for name in ANGLES),
    *((f"{name}_given_r", f"{name}: r with the pose giver", 3) for name in ANGLES),
    ("velocity", "error of the landmarks' velocity", 4),
    ("jitter", "jitter over the real clip", 2),
)
MOUTH = (
    ("r", "opening: r with the real mouth", 3),
    ("lag", "lag, frames", 2),
    ("spread", "spread over the real one", 2),
    ("giver_r", "r with the pose giver's mouth", 3),
    ("swapped_r", "other sound: r with the real mouth", 3),
    ("swapped_heard", "other sound: r with the mouth of that sound", 3),
    ("lmd", "LMD norm.", 4),
    ("jitter_mouth", "jitter of the mouth", 2),
    ("sync", "sync confidence", 3),
)
PICTURE = (
    ("psnr", "PSNR, dB", 2),
    ("ssim", "SSIM", 3),
    ("mouth_psnr", "PSNR of the mouth", 2),
    ("mouth_ssim", "SSIM of the mouth", 3),
    ("sharpness", "sharpness over the real one", 2),
    ("mouth_sharpness", "sharpness of the mouth", 2),
    ("picture", "cosine with the first frame", 3),
    ("giver", "cosine with the pose giver", 3),
    ("nearer", "share of clips nearer to the first frame", 3),
    ("nearer_frames", "share of frames", 3),
    ("seconds", "seconds a frame", 3),
)
TABLES = {"Head": POSE, "Mouth": MOUTH, "Picture and person": PICTURE}
COLUMNS = (*POSE, *MOUTH, *PICTURE)
COMPARED = ("yaw_r", "pitch_r", "yaw_error", "pitch_error", "roll_error", "velocity", "jitter", "r", "swapped_heard", "lmd",
            "sync", "psnr", "ssim", "picture", "nearer")  # fmt: skip
WITH_INTERVAL = ("yaw_r", "pitch_r", "yaw_error", "pitch_error", "velocity", "jitter", "r", "lmd", "sync", "psnr", "nearer")
MOMENTS = 8


def summary(rows):
    """{key of COLUMNS: see benchmarks.tables.summarise, "no_face": share of the drawn frames} of the figures of some clips."""
    frames, lost = (sum(row[name] for row in rows) for name in ("frames", "no_face"))
    return {**summarise(rows, [key for key, *_ in COLUMNS]), "no_face": lost / frames}


def differences(drawers, names):
    """Every network, or its seeds together, against the first one, over clips.

    Args:
        drawers: {name: {"rows": figures of each clip}}; names: of the networks, in the order of their rows.

    Returns:
        {label: {key of COMPARED: what metrics.formulas.bootstrap.paired_difference gives}}, without the first one. A clip of
        several seeds counts with its mean over them.
    """
    seeds = groups_of(names)
    member = {name: stem for stem, own in seeds.items() for name in own}
    groups = {}
    for name in names:
        groups.setdefault(member.get(name, name), []).append(name)
    first, *others = groups
    return {label: {key: paired_difference(_over_seeds(drawers, groups[first], key), _over_seeds(drawers, groups[label], key))
                    for key in COMPARED} for label in others}  # fmt: skip


def _over_seeds(drawers, names, key):
    """{clip: mean over seeds, or None}."""
    found = {}
    for name in names:
        for row in drawers[name]["rows"]:
            value = row.get(key)
            known = value is not None and np.isfinite(value)
            found.setdefault(row["clip"], []).append(value if known else None)
    return {clip: float(np.mean(values)) if None not in values else None for clip, values in found.items()}


def split_lines(title, found):
    """Lines of Markdown of some clips: head, mouth, picture; seeds; differences from the first network.

    Args:
        title: heading; found: {"clips": ids, "given": see benchmarks.motion.drive.given_of, "drawers": {name: {"summary",
            "rows"}}, "differences"}.
    """
    drawers, given = found["drawers"], found["given"]
    errors = ", ".join(f"{name} {number(given['errors'][name], 2)}" for name in ANGLES)
    moving = ", ".join(f"{name} {given['moving'][name]}" for name in ANGLES)
    lost = ", ".join(f"{name} {one['summary']['no_face']:.1%}" for name, one in drawers.items())
    lines = [f"## {title}: {len(found['clips'])} clips", "",
             f"The given poses are off the real ones by {errors} degrees (mean); {number(given['jumps'], 1)} jumps a clip. "
             f"Correlations of an angle are over the clips in which it moves by {LEAST_MOVEMENT:g} degrees or more (standard "
             f"deviation): {moving} of them. Mean over clips [95 % "
             "interval].", ""]  # fmt: skip
    for heading, columns in TABLES.items():
        lines += [f"| {heading.lower()}, drawn by | {' | '.join(head for _, head, _ in columns)} |",
                  "|" + "---|" * (len(columns) + 1)]  # fmt: skip
        for name, one in drawers.items():
            lines.append(f"| {name} | {' | '.join(_cell(one['summary'][key], key, digits) for key, _, digits in columns)} |")
        lines.append("")
    lines += [f"Frames without a face: {lost}.", "", *_sync_lines(drawers)]
    heads = {key: head for key, head, _ in COLUMNS}
    columns = {heads[key]: {name: one["summary"][key]["mean"] for name, one in drawers.items()} for key in COMPARED}
    lines += seeds_table("Mean (least to most) over seeds.", groups_of(drawers), columns)
    return lines + _difference_lines(found["differences"], heads)


def _sync_lines(drawers):
    """Confidence of the judge over that of the real clips."""
    real = drawers["real clip"]["summary"]["sync"]["mean"]
    if real is None:
        return []
    told = [f"{name} {number(one['summary']['sync']['mean'] / real, 2)}" for name, one in drawers.items()
            if one["summary"]["sync"]["mean"] is not None and one["summary"]["sync"]["count"]]  # fmt: skip
    return [f"Mean sync confidence over that of the real clips: {', '.join(told)}.", ""]


def _difference_lines(found, heads):
    if not found:
        return []
    digits = {key: places + 1 for key, _, places in COLUMNS}
    lines = ["Difference from the first network (seeds together), mean over the clips that both have [95 % interval].", "",
             f"| network | {' | '.join(heads[key] for key in COMPARED)} |", "|" + "---|" * (len(COMPARED) + 1)]  # fmt: skip
    for label, figures in found.items():
        cells = []
        for key in COMPARED:
            one = figures[key]
            ends = "" if one["low"] is None else f" [{number(one['low'], digits[key])}, {number(one['high'], digits[key])}]"
            cells.append(number(one["difference"], digits[key]) + ends)
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(one, key, digits):
    told = key in WITH_INTERVAL and one["low"] is not None
    ends = f" [{number(one['low'], digits)}, {number(one['high'], digits)}]" if told else ""
    return f"{number(one['mean'], digits)}{ends}"


def contact_sheet(shown, path):
    """Write a PNG: rows of the frames that give the pose, of the real clip with the portrait first, and of what each network
    drew by its own and by the other sound, in the pixels drawn.

    Args:
        shown: list of (Plan, (M, S, S, 3) crops of the giver, real crops, {name: Made}); path: of the PNG.
    """
    rows = []
    for plan, giver, real, made in shown:
        strips = [(f"portrait, then pose of {plan.giver.row.id}", giver[plan.giver.frames]), (f"{plan.row.id}: real", real)]
        for name, one in made.items():
            told = one.figures
            strips.append((f"{name}: yaw r {number(told['yaw_r'], 2)}, pitch r {number(told['pitch_r'], 2)}, mouth r "
                           f"{number(told['r'], 2)}", one.crops))  # fmt: skip
            if one.swapped is not None:
                strips.append((f"{name}, sound of {told['swapped_clip']}: r {number(told['swapped_r'], 2)}, with that mouth "
                               f"{number(told['swapped_heard'], 2)}", one.swapped))  # fmt: skip
        for label, crops in strips:
            moments = [crops[round(share * (len(crops) - 1))] for share in np.linspace(0.1, 0.9, MOMENTS)]
            rows += strip(label, [real[0], *moments])
    write_sheet(rows, path)

"""The tables and the contact sheet of benchmarks.au.fusion."""

import numpy as np

from benchmarks.au.scores import score_table
from benchmarks.held_out.sheet import strip, write_sheet
from benchmarks.tables import SPLIT_NAMES, number, seeds_table, summarise
from benchmarks.tested import groups_of
from common.action_units import LABELS
from metrics.formulas.units import unit_scores

COLUMNS = (  # key of the figures, head, digits
    ("psnr", "PSNR, dB", 2),
    ("ssim", "SSIM", 3),
    ("mouth_psnr", "PSNR of the mouth", 2),
    ("mouth_ssim", "SSIM of the mouth", 3),
    ("mouth_sharpness", "sharpness of the mouth over the real one", 2),
    ("r", "opening: r with the real mouth", 3),
    ("lag", "lag, frames", 2),
    ("spread", "spread over the real one", 2),
    ("swapped_r", "other sound: r with the real mouth", 3),
    ("swapped_heard", "other sound: r with the mouth of that sound", 3),
    ("quiet_level", "noise of -60 dB: opening over the real range", 2),
    ("quiet_spread", "noise: spread over that with speech", 2),
    ("picture", "cosine with the first frame", 3),
    ("nearer", "nearer to it than to another person", 2),
    ("seconds", "seconds a frame", 3),
)
SEEDED = ("psnr", "ssim", "r", "swapped_heard")
WITH_INTERVAL = ("psnr", "ssim", "mouth_psnr", "mouth_ssim", "r")
MOMENTS = 8
TITLES = {"classifier": "Units that the classifier sees in what is drawn, against the labels of the real clip",
          "geometry": "Units by the geometry of landmarks in what is drawn, against the labels of the real clip"}  # fmt: skip
WAYS = {"own": "own sound", "swapped": "other sound"}


def summary(rows):
    """Figures over clips.

    Args:
        rows: list of the figures of benchmarks.au.fusion_measure.measure.

    Returns:
        {key of COLUMNS: see benchmarks.tables.summarise, "no_face": share of the drawn frames}.
    """
    found = summarise(rows, [key for key, *_ in COLUMNS])
    frames, lost = (sum(row[name] for row in rows) for name in ("frames", "no_face"))
    found["no_face"] = lost / frames
    return found


def scores_of(made):
    """{judge: {way: scores}} of a list of Made, see metrics.formulas.units.unit_scores, without judges that read nothing."""
    found = {}
    for judge, way in dict.fromkeys(key for one in made for key in one.counts):
        counts = [one.counts[judge, way] for one in made if (judge, way) in one.counts]
        found.setdefault(judge, {})[way] = unit_scores(counts, LABELS)
    return found


def split_lines(split, found):
    """Lines of Markdown of one split: pictures and mouth, units by each judge, seeds.

    Args:
        found: {"sentences", "left_out", "drawers": {name: {"summary", "scores", "rows", ...}}}.
    """
    drawers = found["drawers"]
    left_out = f"; {found['left_out']} without action units are left out" if found["left_out"] else ""
    lines = [f"## {SPLIT_NAMES[split]} ({split}): {len(found['sentences'])} clips{left_out}", "",
             "Mean over clips [95 % interval].", "",
             f"| drawn by | {' | '.join(head for _, head, _ in COLUMNS)} | frames without a face |",
             "|" + "---|" * (len(COLUMNS) + 2)]  # fmt: skip
    for name, one in drawers.items():
        cells = [_cell(one["summary"][key], key, digits) for key, _, digits in COLUMNS]
        lines.append(f"| {name} | {' | '.join(cells)} | {one['summary']['no_face']:.1%} |")
    lines.append("")
    for judge, title in TITLES.items():
        rows = {(name, WAYS[way]): scores for name, one in drawers.items()
                for way, scores in one["scores"].get(judge, {}).items()}  # fmt: skip
        if rows:
            lines += [f"{title}.", "", *score_table(rows)]
    return lines + seeds_table("Mean (least to most) over seeds.", groups_of(drawers), _seeded(drawers))


def _seeded(drawers):
    heads = {key: head for key, head, _ in COLUMNS}
    columns = {heads[key]: {name: one["summary"][key]["mean"] for name, one in drawers.items()} for key in SEEDED}
    for judge in ("classifier", "geometry"):
        for key, word in (("f1", "F1"), ("accuracy", "accuracy")):
            own = {name: one["scores"].get(judge, {}).get("own") for name, one in drawers.items()}
            values = {name: one and one["mean"][key] for name, one in own.items()}
            if any(value is not None for value in values.values()):
                columns[f"mean {word} by {judge}"] = values
    return columns


def _cell(one, key, digits):
    told = key in WITH_INTERVAL and one["low"] is not None
    ends = f" [{number(one['low'], digits)}, {number(one['high'], digits)}]" if told else ""
    return f"{number(one['mean'], digits)}{ends}"


def contact_sheet(shown, path):
    """Write a PNG: rows of the real clip and of what each network drew by its own and by other sound, in the pixels drawn.

    Args:
        shown: list of (row, real crops, {name: Made}); path: of the PNG.
    """
    rows = []
    for row, real, made in shown:
        strips = [(f"{row.id}: real", real)]
        for name, one in made.items():
            strips.append((f"{name}, own sound, r = {number(one.figures['r'])}", one.crops))
            if one.swapped is not None:
                told = one.figures
                strips.append((f"{name}, sound of {told['swapped_clip']}: r = {number(told['swapped_r'])}, with that mouth "
                               f"{number(told['swapped_heard'])}", one.swapped))  # fmt: skip
        for label, crops in strips:
            rows += strip(label, [crops[round(share * (len(crops) - 1))] for share in np.linspace(0.1, 0.9, MOMENTS)])
    write_sheet(rows, path)

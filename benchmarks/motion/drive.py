"""Held-out clips drawn anew from their first frame, by their sound and by the pose of another person; stage generate.

    python -m benchmarks.motion.drive --corpus prepared/motion --checkpoint runs/motion/best.safetensors [C ...] \\
        [--limit 12] [--sheet 3]

The identity picture is the first frame of the clip. The mouth comes from the clip's sound, and once more from the sound of
another clip. The pose comes from frames of another person in which the head stands as in the clip, so that the mouth cannot
leak (benchmarks.motion.givers says how they are found; the tables, how near they are). Pose codes are used as they are, as in
the published code; --relative uses their changes, as inference.py does. Landmarks are read in drawn and real crops alike,
enlarged three times; head pose, jitter and LMD are those of metrics/. "real clip" is what the judges say of the real frames,
"frames of the pose giver" what a network would get that copies these, "first frame held still" what a picture gets without
movement. Runs NAME_s0, NAME_s1 and so on are put together in a table of seeds, and each network is compared with the first one,
clip by clip. --own leaves out the other sound and identity: for tables of many networks. Nothing is drawn at random.

The bars are for the first checkpoint over all clips: r of yaw and of pitch at least 0.8, r of the mouth's opening at least 0.5,
and 95 % of the clips nearer to the portrait than to the pose giver. Writes OUT.json, OUT.md and OUT_sheet.png; prints the
tables; exit code 1 where a bar is missed.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError

USUAL = ("test", "val", "unseen")
LEAST_FRAMES = 10
EXPERT = "checkpoints/lip_sync_b.safetensors"
BARS = {"yaw_r": ("r of yaw with the real clip", 0.8), "pitch_r": ("r of pitch with the real clip", 0.8),
        "r": ("r of the mouth's opening with the real clip", 0.5),
        "nearer": ("share of the clips nearer to the portrait than to the pose giver", 0.95)}  # fmt: skip
ALL = "all"


def parse(argv):
    """Command line -> argparse.Namespace."""
    from benchmarks.tables import SPLIT_NAMES

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.motion.drive", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder that prepare.py wrote, with --crop pcavs")
    add("--checkpoint", type=Path, required=True, nargs="+", help="networks that draw; the bars are for the first one")
    add("--split", nargs="+", choices=tuple(SPLIT_NAMES), help=f"whose clips ({' '.join(USUAL)})")
    add("--givers", nargs="+", choices=tuple(SPLIT_NAMES), default=USUAL,
        help=f"whose clips may give the pose ({' '.join(USUAL)})")  # fmt: skip
    add("--relative", action="store_true", help="pose codes of the portrait, changed as the giver's change")
    add("--speech_gain", type=float, default=1.0, metavar="X", help="how strong the mouth is drawn (%(default)s)")
    add("--pose_smoothing", type=float, default=0.0, metavar="FRAMES",
        help="sigma of a Gaussian over the pose codes, in frames (%(default)s)")  # fmt: skip
    add("--pose_amplitude", type=float, default=1.0, metavar="X",
        help="how far the pose moves from the portrait's, with --relative (%(default)s)")  # fmt: skip
    add("--limit", type=int, metavar="N", help="at most N clips of a split, of as many people as can be (all of them)")
    add("--own", action="store_true", help="draw with the own sound alone, and measure no identity: half of the time")
    add("--expert", default=EXPERT, help="sync judge by landmarks, or none (%(default)s)")
    add("--sheet", type=int, default=2, metavar="N", help="clips of a split on the contact sheet, 0 for none (%(default)s)")
    add("--out", type=Path, default=Path("results/motion_drive"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if args.limit is not None and args.limit < 1:
        raise InputError("--limit must be 1 or more")
    for flag in ("sheet", "speech_gain", "pose_smoothing", "pose_amplitude"):
        if not 0 <= getattr(args, flag) < 1000:
            raise InputError(f"--{flag} must be from 0 to 1000")
    if args.pose_amplitude != 1 and not args.relative:
        raise InputError("--pose_amplitude is for --relative")
    return args


def main(argv):
    """Draw, read, report; exit code 1 when a figure misses its bar."""
    args = parse(argv)
    from benchmarks.held_out.networks import network_lines
    from benchmarks.held_out.people import people_lines, people_of
    from benchmarks.motion.clips import open_corpus, require_stage, rows_of
    from benchmarks.motion.drawers import MotionDrawer
    from benchmarks.motion.drive_measure import Stage
    from benchmarks.motion.drive_report import contact_sheet, split_lines
    from benchmarks.outputs import finite, write_outputs
    from benchmarks.tables import SPLIT_NAMES, bar_lines
    from benchmarks.tested import open_networks
    from faces.detectors import build_detector
    from metrics.networks.face_embedding import FaceEmbedder

    networks = open_networks(args.checkpoint, "pcavs")
    for tested in networks:
        require_stage(tested, ("generate",), "configs/pcavs.yaml or configs/motion.yaml")
    corpus, judge = open_corpus(args.corpus, networks), open_judge(args.expert)
    splits = rows_of(corpus, args.split, USUAL, args.limit, LEAST_FRAMES)
    plans = plans_of(corpus, splits, args.givers)
    drawers = [MotionDrawer(tested, relative=args.relative, gain=args.speech_gain, smoothing=args.pose_smoothing,
                            amplitude=args.pose_amplitude) for tested in networks]  # fmt: skip
    detector = build_detector("mediapipe")
    try:
        stage = Stage(corpus, detector, None if args.own else FaceEmbedder.load(), judge, own=args.own)
        found, shown = draw_splits(stage, drawers, plans, args.sheet)
    finally:
        detector.close()
    if len(found) > 1:
        found[ALL] = joined(found, [one.name for one in drawers])
    report = {"corpus": corpus.folder.name, "people": people_of(corpus), "networks": {one.name: one.facts for one in networks},
              "relative": args.relative, "speech_gain": args.speech_gain, "pose_smoothing": args.pose_smoothing,
              "pose_amplitude": args.pose_amplitude, "givers": list(args.givers), "judge": judge and judge.name,
              "splits": found, "bars": bars_of(found, drawers[0].name)}  # fmt: skip
    moved = f"changes of its pose codes, times {args.pose_amplitude:g}, from the portrait's own"
    codes = moved if args.relative else "its pose codes as they are"
    lines = ["# Faces from one frame, sound and the pose of another person", "", *people_lines(report["people"]), "",
             *network_lines(report["networks"]), "",
             f"Pose of the giver: {codes}, smoothed over {args.pose_smoothing:g} frames. Speech gain: {args.speech_gain:g}. "
             f"Givers are of {', '.join(args.givers)}. Sync judge: "
             f"{judge.name if judge else 'none'}.", ""]  # fmt: skip
    for split, one in found.items():
        lines += split_lines(f"{SPLIT_NAMES[split]} ({split})" if split in SPLIT_NAMES else "all clips", one)
    table = "\n".join([*lines, *bar_lines(report["bars"])])
    write_outputs(args.out, finite(report), table)
    if shown:
        contact_sheet(shown, args.out.with_name(args.out.name + "_sheet.png"))
    print(table)
    print(f"written: {args.out}.json, .md{' and _sheet.png' if shown else ''}")
    return EXIT_FAILED_JOB if any(not one["holds"] for one in report["bars"]) else None


def open_judge(expert):
    """metrics.sync.landmarks.LandmarkJudge; None for "none".

    Raises:
        InputError: a judge that looks at pixels.
    """
    if expert == "none":
        return None
    from metrics.sync.judges import load_judge

    judge = load_judge(Path(expert))
    if not judge.by_landmarks:
        raise InputError(f"--expert {expert}: looks at pixels; give a judge by landmarks, such as {EXPERT}, or none")
    return judge


def plans_of(corpus, splits, givers):
    """{split: list of benchmarks.motion.drive_measure.Plan}, without clips for which there is no other person.

    Raises:
        InputError: no clip has one.
    """
    from benchmarks.held_out.choice import other_of
    from benchmarks.motion.drive_measure import Plan
    from benchmarks.motion.givers import Givers

    pool, plans = Givers(corpus, [row for split in givers for row in corpus.split(split)]), {}
    for split, rows in splits.items():
        pairs = [(row, pool.of(row), other_of(rows, at)) for at, row in enumerate(rows)]
        if made := [Plan(*one) for one in pairs if one[1] is not None]:
            plans[split] = made
    if not plans:
        raise InputError(f"{corpus.folder}: splits {', '.join(givers)} hold no other person, who has to give the pose; choose "
                         "other --givers")  # fmt: skip
    return plans


def draw_splits(stage, drawers, plans, most_shown):
    """Figures of the drawers and the controls on some plans, and what is shown of them.

    Returns:
        {split: see benchmarks.motion.drive_report.split_lines}, list that `contact_sheet` takes.
    """
    from benchmarks.crops import crops_of
    from benchmarks.motion.drawers import GiverFrames, HeldPicture, RealClip
    from benchmarks.motion.drive_measure import measure

    ways, found, shown = [RealClip(), HeldPicture(), GiverFrames(), *drawers], {}, []
    for split, own in plans.items():
        made = {one.name: [] for one in ways}
        chosen = _for_sheet(own, most_shown)
        for plan in own:
            pictures = {}
            for drawer in ways:
                one = measure(stage, drawer, plan)
                made[drawer.name].append(one.figures)
                if drawer.hears and plan.row.id in chosen:
                    pictures[drawer.name] = replace(one, crops=one.crops.copy())
            if plan.row.id in chosen:
                shown.append((plan, crops_of(stage.corpus, plan.giver.row), crops_of(stage.corpus, plan.row), pictures))
            print(f"{split}: {plan.row.id}, pose of {plan.giver.row.id}", file=sys.stderr, flush=True)
        found[split] = _told(own, made, [one.name for one in drawers])
    return found, shown


def joined(found, networks):
    """All splits together, as `draw_splits` gives each; `networks`: names."""
    from benchmarks.motion.drive_report import differences, summary

    rows = {name: [row for one in found.values() for row in one["drawers"][name]["rows"]]
            for name in next(iter(found.values()))["drawers"]}  # fmt: skip
    drawers = {name: {"summary": summary(own), "rows": own} for name, own in rows.items()}
    givers = [giver for one in found.values() for giver in one["givers"]]
    return {"clips": [clip for one in found.values() for clip in one["clips"]], "givers": givers,
            "given": given_of(givers, rows), "drawers": drawers, "differences": differences(drawers, networks)}  # fmt: skip


def _told(plans, made, networks):
    from benchmarks.motion.drive_measure import ANGLES
    from benchmarks.motion.drive_report import differences, summary

    givers = [{"clip": one.row.id, "giver": one.giver.row.id, "jumps": one.giver.jumps,
               **dict(zip(ANGLES, map(float, one.giver.errors), strict=True))} for one in plans]  # fmt: skip
    drawers = {name: {"summary": summary(rows), "rows": rows} for name, rows in made.items()}
    return {"clips": [one.row.id for one in plans], "givers": givers, "given": given_of(givers, made), "drawers": drawers,
            "differences": differences(drawers, networks)}  # fmt: skip


def given_of(givers, made):
    """How near the given poses are, means over clips: {"errors": {angle: degrees}, "jumps", "moving": {angle: clips}}.

    Args:
        givers: list of {"jumps", and each angle: mean error}; made: {name of a drawer: figures of each clip}.
    """
    from benchmarks.motion.drive_measure import ANGLES

    def mean(key):
        return sum(one[key] for one in givers) / len(givers)

    real = made["real clip"]
    return {"errors": {name: mean(name) for name in ANGLES}, "jumps": mean("jumps"),
            "moving": {name: sum(row[f"{name}_r"] is not None for row in real) for name in ANGLES}}  # fmt: skip


def bars_of(found, first):
    """The bars of the first network, over all clips; those that nothing was measured for (--own) are left out."""
    from benchmarks.tables import bar

    whole = found.get(ALL) or next(iter(found.values()))
    summary = whole["drawers"][first]["summary"]
    asked = {key: one for key, one in BARS.items() if key != "nearer" or any("nearer" in row for row in
                                                                            whole["drawers"][first]["rows"])}  # fmt: skip
    return [bar(f"{first}: {what}", summary[key]["mean"], least) for key, (what, least) in asked.items()]


def _for_sheet(plans, most):
    """Ids of at most `most` clips: the first of each person, then others."""
    first = {plan.row.speaker: plan.row.id for plan in reversed(plans)}
    every = [plan.row.id for plan in plans]
    firsts = sorted(first.values(), key=every.index)
    return set([*firsts, *(one for one in every if one not in firsts)][:most])


if __name__ == "__main__":
    sys.exit(run(main))

"""Faces drawn from one frame and sound, of held-out sentences; stage 3 and the diffusion renderer.

    python -m benchmarks.au.fusion --corpus prepared/grid_au --classifier runs/au_small_classifier/best.safetensors \\
        --checkpoint runs/au_small_fusion/best.safetensors [C ...] [--limit 12] [--sheet 3] [--steps 5 20 50]

Each network draws whole clips: the identity picture is the clip's first frame, the sound its own, that of another sentence of
the same person, and noise of -60 dB. The diffusion renderer sees the upper halves of the real frames, too. PSNR and SSIM are
those of the crop (metrics.formulas.image). Units are read by the classifier, where one is given, and by the
geometry of landmarks; both are held against the labels of the real clip. A classifier that taught a network does not judge it
fairly; the table says where that is so. Landmarks are read in drawn and real crops alike, enlarged three times. "real clip" is
what the judges say of the real frames, "first frame held still" what a picture without movement gets. Runs NAME_s0, NAME_s1
and so on are put together in a table of seeds. --steps draws with so many DDIM steps each, where a network samples. --own
leaves out other sounds, noise and identity: for tables of many networks. Nothing is drawn at random.

The bar is for the first checkpoint on held-out sentences: correlation of the mouth's opening with the real one at least 0.6, of
the diffusion renderer 0.5. Writes OUT.json, OUT.md and OUT_sheet.png; prints the tables; exit code 1 where it is missed.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError

LEAST, LEAST_SAMPLED = 0.6, 0.5


def parse(argv):
    """Command line -> argparse.Namespace."""
    from benchmarks.tables import SPLIT_NAMES

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.au.fusion", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder that prepare.py wrote, with --action_units")
    add("--checkpoint", type=Path, required=True, nargs="+", help="networks that draw; the bar is for the first one")
    add("--classifier", type=Path, help="network of configs/au_classifier.yaml, which reads units (geometry alone)")
    add("--split", nargs="+", choices=tuple(SPLIT_NAMES), help="whose sentences (test, and unseen where it has any)")
    add("--limit", type=int, metavar="N", help="at most about N sentences of a split, of all its people (all of them)")
    add("--own", action="store_true", help="draw with the own sound alone, and measure no identity: a third of the time")
    add("--steps", type=int, nargs="+", metavar="N", help="numbers of DDIM steps (the checkpoint's)")
    add("--sheet", type=int, default=2, metavar="N", help="clips of a split on the contact sheet, 0 for none (%(default)s)")
    add("--out", type=Path, default=Path("results/au_fusion"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if args.limit is not None and args.limit < 1:
        raise InputError("--limit must be 1 or more")
    if args.sheet < 0:
        raise InputError("--sheet must be 0 or more")
    if args.steps and not all(1 <= one <= 1000 for one in args.steps):
        raise InputError("--steps must be numbers from 1 to 1000")
    return args


def main(argv):
    """Draw, read, report; exit code 1 when the figure misses its bar."""
    args = parse(argv)
    from benchmarks.au.clips import open_corpus, rows_of, sources_line, sources_of
    from benchmarks.au.drawers import HeldPicture, RealClip, drawers_of
    from benchmarks.au.fusion_measure import Stage
    from benchmarks.au.fusion_report import contact_sheet, split_lines
    from benchmarks.au.networks import require_part, taught_by
    from benchmarks.held_out.networks import network_lines
    from benchmarks.held_out.people import people_lines, people_of
    from benchmarks.outputs import finite, write_outputs
    from benchmarks.tables import bar, bar_lines
    from benchmarks.tested import open_networks, require_crops
    from faces.detectors import build_detector
    from metrics.networks.face_embedding import FaceEmbedder

    networks, judge = open_networks(args.checkpoint), None
    drawers, corpus = drawers_of(networks, args.steps), open_corpus(args.corpus)
    if args.classifier:
        (judge,) = open_networks([args.classifier], "action_units")
        require_part(judge, "unit_classifier", "configs/au_classifier.yaml")
    for tested in [*networks, *([judge] if judge else [])]:
        require_crops(corpus, tested)
    splits, left_out = rows_of(corpus, args.split, args.limit)
    detector, found, shown = build_detector("mediapipe"), {}, []
    try:
        stage = Stage(corpus, detector, None if args.own else FaceEmbedder.load(), judge and judge.model, own=args.own)
        for split, rows in splits.items():
            made, seen = draw_split(stage, [RealClip(), HeldPicture(), *drawers], rows, args.sheet)
            found[split] = {"sentences": [row.id for row in rows], "left_out": left_out[split], "drawers": made}
            shown += seen
    finally:
        detector.close()
    report = {"corpus": corpus.folder.name, "people": people_of(corpus), "classifier": judge and judge.facts,
              "networks": {one.name: one.facts for one in networks}, "taught": taught_by(networks, judge),
              "labels": sources_of(corpus, found), "splits": found}  # fmt: skip
    report["bars"] = bars_of(found, drawers[0], bar)
    lines = ["# Faces from one frame and sound", "", sources_line(corpus, found), "", *people_lines(report["people"])]
    lines += ["", *network_lines(report["networks"]), "", *_judge_lines(report)]
    for split, one in found.items():
        lines += split_lines(split, one)
    table = "\n".join([*lines, *bar_lines(report["bars"])])
    write_outputs(args.out, finite(report), table)
    if shown:
        contact_sheet(shown, args.out.with_name(args.out.name + "_sheet.png"))
    print(table)
    print(f"written: {args.out}.json, .md{' and _sheet.png' if shown else ''}")
    return EXIT_FAILED_JOB if any(not one["holds"] for one in report["bars"]) else None


def draw_split(stage, drawers, rows, most_shown):
    """Figures of the drawers on some sentences, and what is shown of them.

    Returns:
        {name: {"steps", "summary", "scores", "rows"}}, list of (ClipRow, real crops, {name: Made}) of sentences of different
        people, as far as there are.
    """
    from benchmarks.au.fusion_measure import measure
    from benchmarks.au.fusion_report import scores_of, summary
    from benchmarks.crops import crops_of
    from benchmarks.held_out.choice import other_of

    made = {drawer.name: [] for drawer in drawers}
    shown = {row.id: (row, crops_of(stage.corpus, row), {}) for row in _for_sheet(rows, most_shown)}
    for at, row in enumerate(rows):
        stranger = next((one for one in rows if one.speaker != row.speaker), None)
        for drawer in drawers:
            one = measure(stage, drawer, row, other_of(rows, at), stranger)
            made[drawer.name].append(one)
            if drawer.hears and row.id in shown:
                shown[row.id][2][drawer.name] = one
        made = {name: [replace(one, crops=None, swapped=None) for one in some] for name, some in made.items()}
        print(row.id, file=sys.stderr, flush=True)
    found = {drawer.name: {"steps": drawer.samples, "summary": summary([one.figures for one in made[drawer.name]]),
                           "scores": scores_of(made[drawer.name]), "rows": [one.figures for one in made[drawer.name]]}
             for drawer in drawers}  # fmt: skip
    return found, list(shown.values())


def _for_sheet(rows, most):
    """At most `most` of some ClipRows: the first of each person, then others."""
    first = {row.speaker: row for row in reversed(rows)}
    firsts = sorted(first.values(), key=rows.index)
    return [*firsts, *(row for row in rows if row not in firsts)][:most]


def bars_of(found, first, bar):
    """The bar of the first drawer on held-out sentences; [] where they were not drawn."""
    if "test" not in found:
        return []
    value = found["test"]["drawers"][first.name]["summary"]["r"]["mean"]
    least = LEAST if first.samples is None else LEAST_SAMPLED
    return [bar(f"{first.name}: correlation of the mouth's opening with the real one", value, least)]


def _judge_lines(report):
    judge = report["classifier"]
    if judge is None:
        return ["No --classifier was given: units are read by geometry alone.", ""]
    lines = [f"Classifier: `{judge['file']}`, {judge['sha256'][:12]}."]
    if report["taught"]:
        lines.append(f"It taught {', '.join(report['taught'])}, and is no fair judge of them.")
    return [" ".join(lines), ""]


if __name__ == "__main__":
    sys.exit(run(main))

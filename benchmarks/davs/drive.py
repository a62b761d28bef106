"""Faces drawn from one picture, by sound and by the face of another person; stage 3.

    python -m benchmarks.davs.drive --corpus prepared/grid --checkpoint runs/davs_small/best.safetensors [--clips 12] \\
        [--media GRID --end_to_end 2]

Sentences that training never saw, and people never seen. The identity picture is the first crop of another held-out sentence of
the person, or the first of the clip where there is none. Each is driven by the clip's own sound, by the sound of another
sentence, by quiet noise, and by the video of another person. Landmarks are read from drawn and real crops alike, enlarged three
times. --media sends some clips through what inference.py runs as well. Nothing is drawn at random. Writes OUT.json, OUT.md and
OUT_sheet.png; prints the table; exit code 1 where a figure of held-out sentences misses its bar.
"""

import argparse
import sys
from pathlib import Path

from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError

SPLITS = ("test", "unseen")


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.davs.drive", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder that prepare.py wrote")
    add("--checkpoint", type=Path, required=True, help="network of the stage generate")
    add("--clips", type=int, help="at most about so many sentences of each split, of all its people (all of them)")
    add("--media", type=Path, help="the corpus itself, in GRID's layout; for --end_to_end")
    add("--end_to_end", type=int, default=2, metavar="N", help="so many clips through inference.py, with --media (%(default)s)")
    add("--out", type=Path, default=Path("results/davs_drive"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if (args.clips is not None and args.clips < 1) or args.end_to_end < 0:
        raise InputError("--clips must be 1 or more, --end_to_end 0 or more")
    return args


def main(argv):
    """Draw, read, report; exit code 1 when a figure misses its bar."""
    args = parse(argv)
    from benchmarks.davs.drive_report import bars_of, contact_sheet, markdown, summary
    from benchmarks.davs.networks import open_corpus, open_networks, require_stage
    from benchmarks.davs.protocol import protocol_of
    from benchmarks.davs.stage import Stage
    from benchmarks.outputs import finite, write_outputs
    from faces.detectors import build_detector
    from metrics.networks.face_embedding import FaceEmbedder

    (tested,) = networks = open_networks([args.checkpoint])
    require_stage(tested, "generate", "--checkpoint")
    corpus, vocabulary = open_corpus(args.corpus, networks, words=False)
    detector = build_detector("mediapipe")
    try:
        stage = Stage(tested, corpus, detector, FaceEmbedder.load())
        made, shown = drive_splits(stage, args.clips)
        report = {"protocol": protocol_of(corpus, vocabulary, networks, None),
                  "splits": made}  # fmt: skip
        report["summary"] = {split: summary(rows) for split, rows in report["splits"].items()}
        if args.media and args.end_to_end:
            from benchmarks.davs.end_to_end import through_inference

            rows = [row for rows in report["splits"].values() for row in rows[: args.end_to_end]]
            folder = args.out.with_name(args.out.name + "_videos")
            report["end_to_end"] = through_inference(args.checkpoint, args.media, rows, corpus, detector, folder)
    finally:
        detector.close()
    report["bars"] = bars_of(report["summary"]["test"]) if "test" in report["summary"] else []
    table = markdown(report)
    write_outputs(args.out, finite(report), table)
    contact_sheet(shown, args.out.with_name(args.out.name + "_sheet.png"))
    print(table)
    print(f"written: {args.out}.json, .md and _sheet.png")
    return EXIT_FAILED_JOB if any(not bar["holds"] for bar in report["bars"]) else None


def drive_splits(stage, clips):
    """Figures and what is shown of them.

    Returns:
        {split: list of the figures of each clip}, list of benchmarks.davs.drive_measure.Made of one clip of each person.

    Raises:
        InputError: no sentence can be driven.
    """
    from benchmarks.davs.drive_measure import measure, plan
    from benchmarks.held_out.choice import spread

    corpus = stage.corpus
    trained = {row.speaker for row in corpus.split("train")}
    pool, made, shown = [row for split in SPLITS for row in corpus.split(split)], {}, {}
    for split in SPLITS:
        made[split] = []
        for one in plan(spread(corpus.split(split), clips), pool, trained):
            found = measure(stage, one)
            made[split].append(found.figures)
            shown.setdefault(one.row.speaker, found)
            print(f"{split}: {one.row.id}", file=sys.stderr, flush=True)
    made = {split: some for split, some in made.items() if some}
    if not made:
        raise InputError(f"{corpus.folder}: splits {' and '.join(SPLITS)} hold no two people; another one has to drive")
    return made, list(shown.values())


if __name__ == "__main__":
    sys.exit(run(main))

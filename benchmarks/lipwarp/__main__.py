"""What the default shows on people never seen: lips, picture, leaks, closures, sync, by one command.

    python -m benchmarks.lipwarp --media MEDIA [--checkpoint C] [--workers 2] [--out results/lipwarp]

Each clip is driven by its own sound, by another person's, by silence, and, as a portrait, from one picture of it. The lips are
read again from the pasted frames; the real video is read in the same way. No pixel is taken from within 15 frames of the drawn
one. Sound that is sure to trail or lead the picture of the real clip is moved into step first. Writes OUT.json and OUT.md.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.lipwarp.clips import GROUPS, held_out_clips, partners
from benchmarks.lipwarp.report import markdown, summary
from benchmarks.lipwarp.work import GAP, WAYS, run_one, start
from benchmarks.outputs import write_outputs
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lipwarp", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("--media", type=Path, required=True, help="the collection of real clips, see benchmarks.lipwarp.people")
    add("--checkpoint", type=Path, default=CHECKPOINTS / "lipwarp.safetensors", help="what draws (%(default)s)")
    add("--judge", type=Path, default=CHECKPOINTS / "lip_sync_b.safetensors", help="which taught nothing (%(default)s)")
    add("--delay_judge", type=Path, default=CHECKPOINTS / "lip_sync_a.safetensors", help="for the real clips (%(default)s)")
    add("--validation", action="store_true", help="the people on whom choices are made, in place of those never seen")
    add("--ways", default=",".join(WAYS), help="how each clip is driven (%(default)s)")
    add("--persons", help="only these, with commas between")
    add("--gap", type=int, default=GAP, help="no pixel from within so many frames of the drawn one; -1: as it is (%(default)s)")
    add("--workers", type=int, default=2, help="processes (%(default)s)")
    add("--out", type=Path, default=Path("results/lipwarp"), help="name of the outputs, without suffix (%(default)s)")
    return parser.parse_args(argv)


def main(argv):
    """Drive, read, report; exit code 1 when a clip failed."""
    args = parse(argv)
    ways = tuple(args.ways.split(","))
    if unknown := set(ways) - set(WAYS):
        raise InputError(f"--ways {', '.join(sorted(unknown))}: unknown; choose among {', '.join(WAYS)}")
    if args.workers < 1:
        raise InputError("--workers must be 1 or more")
    clips = held_out_clips(args.media, validation=args.validation)
    pairs = list(zip(clips, partners(clips), strict=True))
    if args.persons:
        pairs = [pair for pair in pairs if pair[0].person in args.persons.split(",")]
    if not pairs:
        raise InputError(f"--persons {args.persons}: no clip of them among these people")
    gap = None if args.gap < 0 else args.gap
    arguments = (args.checkpoint, args.judge, args.delay_judge, args.out.with_name(args.out.name + "_videos"), gap)
    done, failed = [], []
    with ProcessPoolExecutor(args.workers, get_context("spawn"), start, arguments) as pool:
        for clip, rows, message in pool.map(run_one, *zip(*pairs, strict=True), [ways] * len(pairs)):
            print(f"{clip.name}: {message or 'done'}", flush=True)
            done.append((clip, rows)) if not message else failed.append(f"{clip.name}: {message}")
    table = summary([(clip.group, rows) for clip, rows in done], list(GROUPS))
    text = markdown(table)
    clips = {clip.name: {"person": clip.person, "group": clip.group, **rows} for clip, rows in done}
    write_outputs(args.out, {"checkpoint": args.checkpoint.name, "gap": gap, "summary": table, "clips": clips}, text)
    print(text)
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return EXIT_FAILED_JOB if failed else None


if __name__ == "__main__":
    sys.exit(run(main))

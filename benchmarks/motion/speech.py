"""Does sound find its video, of people never seen; stages speech and generate.

    python -m benchmarks.motion.speech --corpus prepared/motion --checkpoint runs/motion_speech/best.safetensors [C ...]

Clips are cut into windows of --frames frames. Mouth features of a window are joined and brought to unit length; windows are
compared by their cosine. With --centred the mean of a window is taken from its features first, as the contrast of
configs/motion_small_speech.yaml does. Each sound is looked for among 50 videos, and each video among 50 sounds: its own one
and 49 of other clips or other times, drawn once for all networks. Two more figures hold voice and face apart from speech:
rank 1 among the windows of the own clip, and how often the partner 5 frames earlier or later in the clip is preferred. Runs
NAME_s0, NAME_s1 and so on are put together in a table of seeds.

The bars are for the first checkpoint on people never seen: the lower end of the interval of rank 1 is above 3 times chance,
both ways. Writes OUT.json and OUT.md; prints the tables; exit code 1 where a bar is missed.
"""

import argparse
import sys
from pathlib import Path

from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError

USUAL = ("val", "unseen")
TIMES_CHANCE, FRAMES = 3, 8


def parse(argv):
    """Command line -> argparse.Namespace."""
    from benchmarks.tables import SPLIT_NAMES

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.motion.speech", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder that prepare.py wrote, with --crop pcavs")
    add("--checkpoint", type=Path, required=True, nargs="+", help="networks that hear and see; the bars are for the first one")
    add("--split", nargs="+", choices=tuple(SPLIT_NAMES), help=f"whose clips ({' '.join(USUAL)})")
    add("--limit", type=int, metavar="N", help="at most N clips of a split, of as many people as can be (all of them)")
    add("--frames", type=int, default=FRAMES, metavar="N", help="frames of a window (%(default)s)")
    add("--centred", action="store_true", help="compare movements: without the mean of each window")
    add("--out", type=Path, default=Path("results/motion_speech"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if args.limit is not None and args.limit < 1:
        raise InputError("--limit must be 1 or more")
    if args.frames < 2:
        raise InputError("--frames must be 2 or more")
    return args


def main(argv):
    """Encode, compare, report; exit code 1 when a figure misses its bar."""
    args = parse(argv)
    from benchmarks.held_out.networks import network_lines
    from benchmarks.held_out.people import people_lines, people_of
    from benchmarks.motion.clips import open_corpus, require_stage, rows_of
    from benchmarks.motion.retrieval import Windows, features_of, retrieve
    from benchmarks.outputs import finite, write_outputs
    from benchmarks.tables import bar_lines
    from benchmarks.tested import open_networks

    networks = open_networks(args.checkpoint, "pcavs")
    for tested in networks:
        require_stage(tested, ("speech", "generate"), "configs/motion_speech.yaml")
    corpus, found = open_corpus(args.corpus, networks), {}
    for split, rows in rows_of(corpus, args.split, USUAL, args.limit, args.frames).items():
        windows = Windows.of(rows, args.frames)
        found[split] = {"clips": [row.id for row in rows], "people": len({row.speaker for row in rows}),
                        "windows": len(windows.clips), "frames": args.frames, "centred": args.centred,
                        "among": windows.others.shape[1] + 1, "chance": windows.chance,
                        "of_the_same_clip": windows.same_clip(), "networks": {}}  # fmt: skip
        for tested in networks:
            found[split]["networks"][tested.name] = retrieve(windows, features_of(tested, corpus, windows),
                                                             args.centred)  # fmt: skip
            print(f"{split}: {tested.name}", file=sys.stderr, flush=True)
    report = {"corpus": corpus.folder.name, "people": people_of(corpus), "splits": found,
              "networks": {one.name: one.facts for one in networks}, "bars": bars_of(found, networks[0].name)}  # fmt: skip
    lines = ["# Sound and video of a mouth in one space", "", *people_lines(report["people"]), ""]
    lines += [*network_lines(report["networks"]), ""]
    for split, one in found.items():
        lines += split_lines(split, one)
    table = "\n".join([*lines, *bar_lines(report["bars"])])
    write_outputs(args.out, finite(report), table)
    print(table)
    print(f"written: {args.out}.json and .md")
    return EXIT_FAILED_JOB if any(not one["holds"] for one in report["bars"]) else None


def bars_of(found, first):
    """Bars of the first network on people never seen; [] where they were not measured."""
    from benchmarks.motion.retrieval import SIDES
    from benchmarks.tables import bar

    if "unseen" not in found:
        return []
    least, sides = TIMES_CHANCE * found["unseen"]["chance"], found["unseen"]["networks"][first]
    return [bar(f"{first}, people never seen: {title}, lower end of rank 1", sides[side]["rank1"]["low"], least, above=True)
            for side, title in SIDES.items()]  # fmt: skip


def split_lines(split, found):
    """Lines of Markdown of one split.

    Args:
        found: {"clips", "windows", "among", "chance", "networks": {name: what benchmarks.motion.retrieval.retrieve gives}}.
    """
    from benchmarks.motion.retrieval import FIGURES, SHIFT, SIDES
    from benchmarks.tables import SPLIT_NAMES, number, seeds_table
    from benchmarks.tested import groups_of

    among = found["among"]
    heads = (f"rank 1 of {among}", f"rank 5 of {among}", "mean of 1 / rank", "rank 1 in the own clip", "chance there",
             f"{SHIFT} frames away is preferred")  # fmt: skip
    lines = [f"## {SPLIT_NAMES[split]} ({split}): {len(found['clips'])} clips of {found['people']} people", "",
             f"{found['windows']} windows of {found['frames']} frames{', without their means' if found['centred'] else ''}, "
             f"{found['of_the_same_clip']:.1%} of those compared are of "
             f"the same clip. Chance of rank 1: {found['chance']:.1%}. [95 % interval over clips].", "",
             f"| network | looked for | {' | '.join(heads)} |", "|" + "---|" * (len(heads) + 2)]  # fmt: skip
    for name, sides in found["networks"].items():
        for side, title in SIDES.items():
            cells = []
            for one in (sides[side][key] for key in FIGURES):
                ends = "" if one["low"] is None else f" [{number(one['low'])}, {number(one['high'])}]"
                cells.append(number(one["value"]) + ends)
            lines.append(f"| {name} | {title} | {' | '.join(cells)} |")
    columns = {f"{title}: {head}": {name: sides[side][key]["value"] for name, sides in found["networks"].items()}
               for side, title in SIDES.items() for key, head in zip(FIGURES[:3], heads, strict=False)}  # fmt: skip
    return [*lines, "", *seeds_table("Mean (least to most) over seeds.", groups_of(found["networks"]), columns)]


if __name__ == "__main__":
    sys.exit(run(main))

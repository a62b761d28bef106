"""What a sync expert says of lips and sound that have nothing to do with each other: by zero padding, and by overlap alone.

    python -m benchmarks.sync.strangers --grid GRID [--clips FOLDER] [--expert checkpoints/expert_grid.safetensors]

The clips are those of benchmarks.sync.order. Each clip's lips are held against the sound of other clips, drawn at random, cut
to the shorter of the two; of a clip with several runs the longest counts. A judge of strangers should put the offset anywhere:
6 of the 31 shifts are 13 frames or more away, 19 %. Writes OUT.json and OUT.md; prints the table.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.outputs import write_outputs
from benchmarks.sync.order import add_clips_and_expert, groups
from common.cli import run
from common.errors import InputError

FAR = 13  # frames


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sync.strangers", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_clips_and_expert(parser)
    add = parser.add_argument
    add("--pairs", type=int, default=200, help="pairs of strangers in each group (%(default)s)")
    add("--seconds", type=float, default=20, help="of each clip, at most (%(default)s)")
    add("--out", type=Path, default=Path("results/sync_strangers"), help="name of the outputs, without suffix (%(default)s)")
    return parser.parse_args(argv)


def embed(clips, judge, detector, seconds, least):
    """({clip id: (lips, sound)} of the longest run, {clip id: why it was left out})."""
    from tqdm import tqdm

    from media import decode_audio, probe
    from metrics.footage import open_footage
    from metrics.sync.video import embed_runs

    found, left_out = {}, {}
    for name, path in tqdm(clips, disable=None):
        try:
            limit = int(seconds * probe(path).fps)
            runs = embed_runs(open_footage(path, detector, limit=limit), decode_audio(path), judge)
            longest = max(runs, key=lambda run: len(run[0]))
        except InputError as error:
            left_out[name] = str(error)
            continue
        if len(longest[0]) >= least:
            found[name] = longest
        else:
            left_out[name] = f"{len(longest[0])} windows"
    return found, left_out


def summary(scores):
    """Share of offsets that are far, mean distance and confidence."""
    far = float(np.mean([abs(score.offset) >= FAR for score in scores]))
    near = float(np.mean([abs(score.offset) <= 1 for score in scores]))
    means = {name: float(np.mean([getattr(score, name) for score in scores])) for name in ("distance", "confidence")}
    return {"count": len(scores), "far": far, "within_one": near, **means}


def measure(runs, pairs, seed=0):
    """{rule: {"strangers", "own"}} of the embedded clips."""
    from metrics.sync.score import OVERLAP, PADDED, score_sync

    random, names, found = np.random.default_rng(seed), sorted(runs), {}
    drawn = [random.choice(len(names), 2, replace=False) for _ in range(pairs)]
    for name, rule in (("padded", PADDED), ("overlap", OVERLAP)):
        strangers = []
        for one, other in drawn:
            lips, sound = runs[names[one]][0], runs[names[other]][1]
            count = min(len(lips), len(sound))
            strangers.append(score_sync(lips[:count], sound[:count], rule))
        found[name] = {"strangers": summary(strangers), "own": summary([score_sync(*run, rule) for run in runs.values()])}
    return found


def main(argv):
    """Measure and report."""
    args = parse(argv)
    from faces.detectors import build_detector
    from metrics.rows import MAX_SHIFT
    from metrics.sync.judges import load_judge
    from metrics.sync.score import OVERLAP

    found = groups(args)
    judge, detector = load_judge(args.expert), build_detector("mediapipe")
    report = {"expert": judge.name, "sha256": judge.sha256, "groups": {}, "left_out": {}}
    for group, clips in found.items():
        runs, left_out = embed(clips, judge, detector, args.seconds, OVERLAP.overlap + MAX_SHIFT)
        report["left_out"] |= left_out
        if len(runs) > 1:
            report["groups"][group] = {"clips": len(runs), **measure(runs, args.pairs)}
    detector.close()
    table = markdown(report)
    write_outputs(args.out, report, table)
    print(table)


def markdown(report):
    """One line for each group and rule."""
    heads = ("", "rule", "strangers: far", "D", "C", "own sound: far", "within one frame", "D", "C")
    lines = [f"Expert {report['expert']}; strangers: lips and sound of different clips; far: {FAR} frames or more.", "",
             f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for group, found in report["groups"].items():
        for rule in ("padded", "overlap"):
            other, own = found[rule]["strangers"], found[rule]["own"]
            cells = [f"{group}, {found['clips']} clips", rule, f"{other['far']:.0%} of {other['count']}"]
            cells += [f"{other[key]:.3f}" for key in ("distance", "confidence")]
            cells += [f"{own['far']:.0%}", f"{own['within_one']:.0%}"]
            cells += [f"{own[key]:.3f}" for key in ("distance", "confidence")]
            lines.append(f"| {' | '.join(cells)} |")
    lines += [f"\nLeft out: {name}: {reason}" for name, reason in report["left_out"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run(main))

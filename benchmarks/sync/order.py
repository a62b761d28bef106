"""Does the sync expert put real video first? In sync, shifted by five frames, and with another clip's sound, clip by clip.

    python -m benchmarks.sync.order --grid GRID [--clips FOLDER] [--expert checkpoints/expert_grid.safetensors] [--out OUT]

GRID's clips are those that training never saw: held-out sentences (a hash of the clip's name, as prepare.py has it) and the
speakers of --unseen_speakers; FOLDER holds any other talking videos. Two figures, for one alone hides something: the distance
without a shift tells a shift; the least distance over the shifts, which LSE-D is, is blind to it by design, and tells other
sound. Writes OUT.json and OUT.md; prints the table.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.outputs import write_outputs
from common.cli import run
from common.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
SHIFT = 5  # frames
CHECKS = {
    "zero-shift distance: in sync < 5 frames late": ("zero", "in_sync", "late"),
    "zero-shift distance: in sync < 5 frames early": ("zero", "in_sync", "early"),
    "zero-shift distance: in sync < other sound": ("zero", "in_sync", "other"),
    "zero-shift distance: late < other sound": ("zero", "late", "other"),
    "least distance: in sync < other sound": ("least", "in_sync", "other"),
    "least distance: late < other sound": ("least", "late", "other"),
}


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sync.order", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_clips_and_expert(parser)
    add = parser.add_argument
    add("--sync_crop", default="tracked", choices=("tracked", "whole"), help="for SyncNet (%(default)s)")
    add("--out", type=Path, default=Path("results/sync_order"), help="name of the outputs, without suffix (%(default)s)")
    return parser.parse_args(argv)


def add_clips_and_expert(parser):
    """Add the flags that `groups` reads, and --expert."""
    add = parser.add_argument
    add("--grid", type=Path, help="GRID")
    add("--unseen_speakers", default="s22,s26,s32", help="speakers that training left out (%(default)s)")
    add("--clips", type=Path, help="folder of other talking videos")
    add("--expert", type=Path, default=ROOT / "checkpoints" / "expert_grid.safetensors", help="sync expert")


def groups(args):
    """{name of a group: list of (clip id, path)}; InputError without --grid and --clips."""
    from datasets.corpora import assign_split, list_clips

    if not (args.grid or args.clips):
        raise InputError("give clips: --grid, --clips, or both")
    found = {}
    if args.grid:
        unseen = args.unseen_speakers.split(",")
        names = {"test": "GRID, held-out sentences", "unseen": "GRID, speakers never seen"}
        for clip in list_clips("grid", args.grid):
            split = assign_split(clip.id, clip.speaker, unseen_speakers=unseen)
            if split in names:
                found.setdefault(names[split], []).append((clip.id, clip.path))
    if args.clips:
        found["other videos"] = [(clip.id, clip.path) for clip in list_clips("folder", args.clips)]
    return found


def shifted(samples, rate, frames):
    """The sound moved by so many frames of 25 a second, later when positive; silence comes in, the length stays."""
    by = round(frames / 25 * rate)
    moved = np.zeros_like(samples)
    if by > 0:
        moved[:, by:] = samples[:, :-by]
    else:
        moved[:, :by] = samples[:, -by:]
    return moved


def measure(path, other, judge, detector, crop):
    """{condition: {"zero", "least", "offset"}} of one clip."""
    from media import decode_audio
    from metrics.footage import open_footage
    from metrics.sync.video import judge_video

    samples, rate = decode_audio(path)
    sounds = {
        "in_sync": (samples, rate), "late": (shifted(samples, rate, SHIFT), rate),
        "early": (shifted(samples, rate, -SHIFT), rate), "other": decode_audio(other),
    }  # fmt: skip
    footage, found = open_footage(path, detector), {}
    for name, sound in sounds.items():
        score = judge_video(footage, sound, judge, crop).score
        found[name] = {"zero": score.zero_distance, "least": score.distance, "offset": score.offset}
    return found


def main(argv):
    """Measure and report."""
    args = parse(argv)
    from tqdm import tqdm

    from faces.detectors import build_detector
    from metrics.clips.protocols import derangement
    from metrics.sync.judges import load_judge

    found = groups(args)
    judge, detector = load_judge(args.expert), build_detector("mediapipe")
    report = {"expert": judge.name, "sha256": judge.sha256, "groups": {}, "left_out": {}}
    for group, clips in found.items():
        paths, others = dict(clips), derangement([name for name, _ in clips], 0)
        report["groups"][group] = {}
        for name, path in tqdm(clips, group, disable=None):
            try:
                report["groups"][group][name] = measure(path, paths[others[name]], judge, detector, args.sync_crop)
            except InputError as error:
                report["left_out"][name] = str(error)
    detector.close()
    table = markdown(report)
    write_outputs(args.out, report, table)
    print(table)


def markdown(report):
    """Counts for each group, then the clips."""
    names = list(report["groups"])
    lines = [f"Expert {report['expert']}; clips for which it holds, of all:", "", f"| | {' | '.join(names)} |",
             "|---|" + "---|" * len(names)]
    for text, (figure, first, second) in CHECKS.items():
        lines.append(f"| {text} | {' | '.join(_count(report['groups'][name], figure, first, second) for name in names)} |")
    lines.append(f"| all three in order: zero-shift in sync < late, and least late < other | "
                 f"{' | '.join(_chain(report['groups'][name]) for name in names)} |")
    lines.append(f"| AV offset in sync within one frame | {' | '.join(_offsets(report['groups'][name]) for name in names)} |")
    lines += ["", "| clip | in sync: zero-shift, least, offset | 5 frames late | 5 early | other sound |"]
    lines.append("|---|---|---|---|---|")
    for group in report["groups"].values():
        for name, one in group.items():
            cells = [f"{one[key]['zero']:.3f}, {one[key]['least']:.3f}, {one[key]['offset']}" for key in
                     ("in_sync", "late", "early", "other")]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [f"\nLeft out: {name}: {reason}" for name, reason in report["left_out"].items()]
    return "\n".join(lines)


def _count(group, figure, first, second):
    return f"{sum(one[first][figure] < one[second][figure] for one in group.values())} of {len(group)}"


def _chain(group):
    right = [one["in_sync"]["zero"] < one["late"]["zero"] and one["late"]["least"] < one["other"]["least"]
             for one in group.values()]
    return f"{sum(right)} of {len(group)}"


def _offsets(group):
    return f"{sum(abs(one['in_sync']['offset']) <= 1 for one in group.values())} of {len(group)}"


if __name__ == "__main__":
    sys.exit(run(main))

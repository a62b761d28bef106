"""How well a judge by landmarks knows people whom it never saw: ranks, offsets, and what it says of other people's sound.

    python -m benchmarks.sync.lip_sync checkpoints/lip_sync_b.safetensors --corpus prepared/people [--split unseen]
    python -m benchmarks.sync.lip_sync runs/lip_sync_b/best.safetensors --corpus prepared/people --calibrate OUT

The corpus is that of benchmarks.lipwarp.corpus. Many clips are out of step in themselves: a clip's own sound is taken at the
offset that the judge finds where the mel (datasets/av_offset.py) agrees to a frame, else at 0; both are listed. The mel is
asked anew, because prepare.py measures by these judges. `--calibrate` writes the checkpoint anew with the confidence that it
takes to be sure, learned on the people of the split `val` and on those of `train` whom its config left out. Writes OUT.json and
OUT.md; prints the tables.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.people import HELD_OUT
from benchmarks.outputs import write_outputs
from benchmarks.sync.lip_sync_measure import LONG, SPANS, calibrate, embed, own_pieces, rank, strangers
from common.cli import run
from common.errors import InputError
from datasets.prepared import PreparedCorpus
from training.checkpoint import load_checkpoint, save_checkpoint

BARS = {"1 s": 0.98, "0.36 s": 0.94, "offset": 0.97, "falsely sure": 0.02}


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sync.lip_sync", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("checkpoint", type=Path, help="of a lip_sync")
    add("--corpus", type=Path, required=True, help="prepared corpus")
    add("--split", default="unseen", choices=("val", "test", "unseen", "train"), help="whose clips (%(default)s)")
    add("--calibrate", type=Path, metavar="OUT", help="write the checkpoint with what being sure takes")
    add("--clips", action="store_true", help="print a line for each clip, too")
    add("--out", type=Path, default=Path("results/lip_sync"), help="name of the outputs, without suffix (%(default)s)")
    return parser.parse_args(argv)


def never_seen(checkpoint, corpus):
    """Rows of people whom the judge did not learn from, and who are not held out."""
    data = checkpoint.config.get("training", {}).get("config", {}).get("data", {})
    left_out, taken = tuple(data.get("exclude") or ()), data.get("speakers")
    rows = [row for row in corpus.split("train") if row.id.startswith(left_out) or (taken and row.speaker not in taken)]
    return [*corpus.split("val"), *rows]


def group_of(row):
    """Which of the groups of people a clip belongs to."""
    for name, people in HELD_OUT.items():
        if row.speaker in people:
            return name
    return "others" if row.speaker.startswith("c_") else "grid"


def summary(clips, alike=False):
    """Figures of some clips: {name: (share, clips, people)}; each clip counts once, or, `alike`, each person."""
    found = {}
    for name, span in SPANS.items():
        ranks = [(one, clip) for clip in clips if (one := rank(clip, span)) is not None]
        ranked = [clip for _, clip in ranks]
        found[name] = share([one[0] for one, _ in ranks], ranked, alike)
        found[f"{name}, before all"] = share([one[1] for one, _ in ranks], ranked, alike)
    long = [clip for clip in clips if clip.row.frames >= LONG and clip.other is not None]
    found["offset"] = share([abs(clip.offset - clip.other) <= 1 for clip in long], long, alike)
    return found


def share(values, clips, alike=False):
    """(mean over clips, or, `alike`, over people, None where there is none; clips; people)."""
    people = {}
    for value, clip in zip(values, clips, strict=True):
        people.setdefault(clip.row.speaker, []).append(value)
    values = [np.mean(own) for own in people.values()] if alike else values
    return (float(np.mean(values)) if values else None), len(clips), len(people)


def sureness(model, clips, seed=0):
    """[{"frames", "least", "strangers", "falsely_sure", "own", "sure", "right"}] for pieces of each length."""
    rows, own = [], own_pieces(clips, np.random.default_rng(seed))
    for length, values in strangers(clips, np.random.default_rng(seed)).items():
        if not len(values):
            continue
        least = model.least_confidence(length)
        sure = own[length][own[length][:, 0] >= least]
        right = float(np.mean(sure[:, 1] <= 1)) if len(sure) else None
        rows.append({"frames": length, "least": least, "strangers": len(values), "own": len(own[length]),
                     "falsely_sure": float(np.mean(values >= least)), "sure": len(sure) / len(own[length]),
                     "right": right})  # fmt: skip
    return rows


def main(argv):
    """Measure, calibrate where asked, report."""
    args = parse(argv)
    checkpoint, corpus = load_checkpoint(args.checkpoint, expect="lip_sync"), PreparedCorpus.open_folder(args.corpus)
    model = checkpoint.model
    if args.calibrate:
        found = strangers(embed(model, corpus, never_seen(checkpoint, corpus)), np.random.default_rng(1))
        model.sure.copy_(model.sure.new_tensor(calibrate(found)))
        save_checkpoint(args.calibrate, model, checkpoint.config)
        print(f"{args.calibrate}: sure from {model.sure[0]:.3f} + {model.sure[1]:.3f} / sqrt(frames) on")
    clips = embed(model, corpus, corpus.split(args.split))
    if not clips:
        raise InputError(f"{args.corpus}: has no clips of split {args.split}")
    groups = {}
    for clip in clips:
        groups.setdefault(group_of(clip.row), []).append(clip)
    report = {"checkpoint": args.checkpoint.name, "split": args.split,
              "groups": {"all": summary(clips), "all, each person alike": summary(clips, alike=True),
                         **{name: summary(some) for name, some in groups.items()}}, "sure": sureness(model, clips),
              "clips": [facts(model, clip) for clip in clips]}  # fmt: skip
    table = markdown(report, args.clips)
    write_outputs(args.out, report, table)
    print(table)


def facts(model, clip):
    """One clip, for the list."""
    ranks = {name: one[0] if (one := rank(clip, span)) else None for name, span in SPANS.items()}
    sure = clip.offset is not None and clip.confidence >= model.least_confidence(clip.row.frames)
    return {"id": clip.row.id, "frames": clip.row.frames, "offset": clip.offset, "confidence": clip.confidence, "sure": sure,
            "other": clip.other, "own": clip.own, **ranks}  # fmt: skip


def markdown(report, every=False):
    """Tables of the groups and of being sure, and which clips were taken at another offset than 0."""
    groups = report["groups"]
    heads = list(groups["all"])
    bars = [f"{BARS[name]:.0%}" if name in BARS else "" for name in heads]
    lines = [f"{report['checkpoint']}, split {report['split']}: own sound before another moment of the clip (5 frames away or "
             "more), a pair of moments; before all of them; the clip's offset within a frame of the mel's, clips of 4 s "
             "and more. Shares, (clips, people).", "", f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|",
             f"| bar | {' | '.join(bars)} |"]  # fmt: skip
    for group, found in groups.items():
        cells = ["-" if value is None else f"{value:.1%} ({clips}, {people})" for value, clips, people in found.values()]
        lines.append(f"| {group} | {' | '.join(cells)} |")
    heads = ("frames", "sure from", "other people's sound: sure", "own sound: sure", "and then within a frame")
    lines += ["", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in report["sure"]:
        right = "-" if row["right"] is None else f"{row['right']:.1%}"
        lines.append(f"| {row['frames']} | {row['least']:.3f} | {row['falsely_sure']:.1%} of {row['strangers']} | "
                     f"{row['sure']:.1%} of {row['own']} | {right} |")  # fmt: skip
    moved = [f"{one['id']} {one['own']:+d}" for one in report["clips"] if one["own"]]
    apart = [f"{one['id']} ({one['offset']:+d}, {'not sure' if one['other'] is None else format(one['other'], '+d')})"
             for one in report["clips"] if one["offset"] and not one["own"]]  # fmt: skip
    lines += ["", f"Taken at the offset that both measures give: {', '.join(moved) or 'none'}.",
              f"Taken at 0, for the measures disagree (judge, mel): {', '.join(apart) or 'none'}."]  # fmt: skip
    if every:
        for one in report["clips"]:
            ranks = " ".join("-" if one[name] is None else f"{one[name]:.3f}" for name in SPANS)
            lines.append(f"{one['id']}: {one['frames']} frames, offset {one['offset']} ({one['other']}), confidence "
                         f"{one['confidence']:.3f}{', sure' if one['sure'] else ''}; {ranks}")  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run(main))

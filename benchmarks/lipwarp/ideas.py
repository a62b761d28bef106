"""The temporal idea where it can show: on movements of lips, in both readings, with controls and many seeds.

    python -m benchmarks.lipwarp.ideas --corpus forced=prepared/grid recognised=prepared/people --jobs 2

Each row of ROWS is laid over configs/lipwarp_motion.yaml: one net that hears the middle layer of the speech embedding, 400
steps of 16 windows, about a minute on one core. Lips of people never seen are held against the real ones, landmarks against
landmarks. A corpus is named for where its phones come from: forced (known words were aligned), or recognised from the sound
alone. A training that is done and measured is not done again, so that the same command goes on.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.motion import measure
from benchmarks.lipwarp.network import column, groups_of
from benchmarks.runs import ROOT, do_all, run_logged, trained
from benchmarks.seeds import Figures, goodness, verdict
from common.cli import run, when_interrupted
from common.errors import InputError
from common.files import atomic_output
from datasets.prepared import PreparedCorpus
from metrics.formulas.bootstrap import paired_difference
from training.checkpoint import load_checkpoint

TC, RUN = (
    "losses.temporal_motion={weight: 12.0, unit: frame, mode: tolerant}",
    "losses.temporal_motion={weight: 12.0, unit: run, mode: uniform}",
)
SHUFFLED = "data.phonemes=shuffled"
ROWS = {  # key: (name, overrides, row that it is compared with)
    "plain": ("without", (), None),
    "tc": ("first reading: frames, each run weighed", (TC,), "plain"),
    "tc_shuffled": ("control: first reading, runs in random order", (TC, SHUFFLED), "tc"),
    "run": ("second reading: mean and change of runs", (RUN,), "plain"),
    "run_shuffled": ("control: second reading, runs in random order", (RUN, SHUFFLED), "run"),
}
SMALL = (
    "model.hears=[mid]",
    "train.batch_size=16",
    "train.steps=400",
    "train.validate_every=400",
    "train.checkpoint_every=400",
)
COLUMNS = {  # key: (head, better)
    "r": ("r of the opening", "high"),
    "r_velocity": ("of its changes", "high"),
    "r2": ("of the width", "high"),
    "r3": ("of the rounding", "high"),
    "of_held": ("error over a mouth at rest", "low"),
}


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lipwarp.ideas", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", nargs="+", required=True, metavar="NAME=FOLDER", help="prepared corpora with --speech_features and phones")
    add("--out", type=Path, default=Path("results/ideas"), help="folder of runs, figures and table (%(default)s)")
    add("--seeds", type=int, default=10, help="trainings of each row (%(default)s)")
    add("--rows", nargs="+", choices=tuple(ROWS), default=tuple(ROWS), help="only these")
    add("--jobs", type=int, default=1, help="trainings at a time, one thread each if more than one (%(default)s)")
    add("--report_only", action="store_true", help="do nothing but write the table of what is there")
    add("overrides", nargs="*", help="key.sub=value for all trainings")
    args = parser.parse_intermixed_args(argv)
    if wrong := [one for one in args.corpus if "=" not in one]:
        raise InputError(f"--corpus {wrong[0]}: write NAME=FOLDER, such as forced=prepared/grid")
    if args.seeds < 1 or args.jobs < 1:
        raise InputError("--seeds and --jobs must be 1 or more")
    args.corpus = {name: Path(folder).resolve() for name, _, folder in (one.partition("=") for one in args.corpus)}
    return args


def main(argv=None):
    """Train and measure what is missing, and write the table."""
    args = parse(argv)
    if not args.report_only:
        todo = [(name, row, seed) for seed in range(args.seeds) for name in args.corpus for row in args.rows]
        with when_interrupted(f"what is done is in {args.out}; the same command goes on"):
            do_all(partial(_train_and_measure, args), todo, args.jobs)
    print(write_report(args.out, args.corpus))


def _train_and_measure(args, name, row, seed):
    path = args.out / "figures" / f"{name}-{row}-{seed}.json"
    if path.is_file():
        return
    key = f"{name}_{row}_{seed}"
    weights = args.out.resolve() / "runs" / key / "last.safetensors"
    if not trained(weights.parent):
        command = [sys.executable, "train.py", "configs/lipwarp_motion.yaml", f"name={key}", f"train.seed={seed}",
                   f"train.runs={args.out.resolve() / 'runs'}", f"data.corpus={args.corpus[name]}", *SMALL, *ROWS[row][1],
                   *args.overrides]  # fmt: skip
        run_logged(command, args.out / "logs" / f"{key}.txt", folder=ROOT, threads=1 if args.jobs > 1 else None)
    corpus = PreparedCorpus.open_folder(args.corpus[name])
    network = load_checkpoint(weights, expect="lip_motion").model
    rows = [one for one in corpus.split("unseen") if not one.speaker.startswith("c_lrwar")]
    found = {one.id: {"speaker": one.speaker, **measure(network, corpus, one)} for one in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(found) + "\n", encoding="utf-8")


def write_report(out, corpora):
    """Write OUT/table.md; returns its text.

    Raises:
        InputError: nothing has been measured.
    """
    parts = []
    for name in corpora:
        stored = {row: _stored(out, name, row) for row in ROWS}
        stored = {row: runs for row, runs in stored.items() if runs}
        if not stored:
            continue
        first = next(iter(next(iter(stored.values())).values()))
        for group, ids in groups_of({one: values["speaker"] for one, values in first.items()}).items():
            if group in ("GRID", "others"):
                parts.append(
                    f"**phones {name}: {len(ids)} clips of {group}, people never seen**\n\n" + _table(stored, sorted(ids))
                )
    if not parts:
        raise InputError(f"{out}: no figures yet; run  python -m benchmarks.lipwarp.ideas")
    text = "\n".join(parts)
    with atomic_output(Path(out) / "table.md") as path:
        path.write_text(text, encoding="utf-8")
    return text


def _stored(out, name, row):
    paths = sorted((Path(out) / "figures").glob(f"{name}-{row}-[0-9]*.json"))
    return {int(path.stem.rsplit("-", 1)[1]): json.loads(path.read_text(encoding="utf-8")) for path in paths}


def _table(stored, ids):
    rows = {}
    for row, runs in stored.items():
        values = {key: [column([run[one] for one in ids], key) for run in runs.values()] for key in COLUMNS}
        rows[row] = Figures({key: np.array(one, float) for key, one in values.items()}, tuple(runs))
    lines = ["| | " + " | ".join(head for head, _ in COLUMNS.values()) + " | seeds |", "|---" * (len(COLUMNS) + 2) + "|"]
    for row, figures in rows.items():
        title, _, against = ROWS[row]
        if against is None or against not in rows:
            cells = [f"{figures.mean(key):.3f}" for key in COLUMNS]
        else:
            cells = [_difference(figures, rows[against], key, better) for key, (_, better) in COLUMNS.items()]
            title += f", less {ROWS[against][0].split(':')[0]}"
        lines.append(f"| {title} | " + " | ".join(cells) + f" | {len(figures.seeds)} |")
    return "\n".join(lines) + "\n"


def _difference(mine, theirs, key, better):
    """Mean difference over clips and seeds, its interval over clips, in how many seeds it is the better, and the mark."""
    seeds = tuple(seed for seed in mine.seeds if seed in theirs.seeds)
    if not seeds:
        return "-"
    first, second = theirs.of_seeds(seeds), mine.of_seeds(seeds)
    found = paired_difference(first.by_clip(key), second.by_clip(key))
    gained = goodness(second.values[key], better) - goodness(first.values[key], better)
    won = int((np.nanmean(gained, 1) > 0).sum())
    span = "" if found["low"] is None else f" [{found['low']:+.3f}, {found['high']:+.3f}]"
    mark = verdict(mine, theirs, key, better)
    return f"{found['difference']:+.3f}{span} ({won})" + (f" {mark}" if mark else "")


if __name__ == "__main__":
    sys.exit(run(main))

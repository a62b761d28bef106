"""The ablation on GRID: trains each row of benchmarks/ablation/rows.py with several seeds, measures them, writes the table.

    python prepare.py --corpus grid --root GRID --out prepared/grid --unseen_speakers published --texture
    OMP_NUM_THREADS=1 python train.py configs/expert_grid.yaml name=expert_a "data.part=[0.0,0.5]"
    OMP_NUM_THREADS=1 python train.py configs/expert_grid.yaml name=expert_b "data.part=[0.5,1.0]" train.seed=1
    OMP_NUM_THREADS=1 python train.py configs/demo_l1.yaml
    python -m benchmarks.ablation --jobs 2

The two experts learn from disjoint halves of the training sentences: `expert_a` is in the losses, `expert_b` is the judge. A
row that is trained and measured is not done again, so that the same command goes on. With a GPU: `--jobs 1` and a config of
full size.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from benchmarks.ablation.report import write_report
from benchmarks.ablation.rows import BY_KEY, NO_MOTION, ROWS
from benchmarks.runs import do_all, run_logged, trained
from common.cli import when_interrupted
from common.errors import InputError


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/ablation_small.yaml", help="config that every row is laid over")
    parser.add_argument("--judge", default="runs/expert_b/best.safetensors", help="sync expert that measures")
    parser.add_argument("--runs", default="runs", help="folder of the runs (default: runs)")
    parser.add_argument("--out", default="results/ablation", help="folder of figures and table (default: results/ablation)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of every row (default: 3)")
    parser.add_argument("--rows", default="", help=f"only these, of {', '.join(BY_KEY)}")
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time, one thread each (default: 1)")
    parser.add_argument("--report_only", action="store_true", help="do nothing but write the table of what is there")
    parser.add_argument("overrides", nargs="*", help="key.sub=value for all rows")
    return parser.parse_intermixed_args(argv)


def main(argv=None):
    args = parse_arguments(argv)
    keys = [key for key in args.rows.split(",") if key] or list(BY_KEY)
    if unknown := [key for key in keys if key not in BY_KEY]:
        raise InputError(f"--rows {unknown[0]}: unknown; choose of {', '.join(BY_KEY)}")
    out = Path(args.out)
    if not args.report_only:
        todo = [(row, seed) for seed in range(args.seeds) for row in ROWS if row.key in keys]
        with when_interrupted(f"rows that are done are in {out}, runs in {args.runs}; the same command goes on"):
            do_all(partial(_train_and_measure, args), todo, args.jobs)
            _measure_references(args)
    print(write_report(out))


def _train_and_measure(args, row, seed):
    name = f"ablation_{row.key}_{seed}"
    path = Path(args.out) / f"{row.key}-{seed}.json"
    if path.is_file():
        return
    common = [f"name={name}", f"train.seed={seed}", f"train.runs={args.runs}", *args.overrides]
    weights = Path(args.runs) / name / "last.safetensors"
    if not trained(Path(args.runs) / name):
        _run([sys.executable, "train.py", args.config, *common, *row.overrides], args, name)
    _run([*_measure_command(weights, path), "--judge", args.judge], args, f"{name}.measure")
    print(f"{row.name}, seed {seed}: done", flush=True)


def _measure_references(args):
    """What the judge says of real clips, and of those in which nothing moves."""
    path = Path(args.out) / "references.json"
    if not path.is_file():
        weights = next(Path(args.runs).glob("ablation_*_*/last.safetensors"))
        _run([*_measure_command(weights, path), "--judge", args.judge, "--references"], args, NO_MOTION)


def _measure_command(weights, path):
    return [sys.executable, "-m", "benchmarks.ablation.one", str(weights), str(path)]


def _run(command, args, name):
    log = Path(args.out) / "logs" / f"{name.replace(' ', '_')}.txt"
    run_logged(command, log, threads=1 if args.jobs > 1 else None)


if __name__ == "__main__":
    from common.cli import run

    sys.exit(run(main))

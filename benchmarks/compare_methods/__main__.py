"""All methods under one protocol: trains what is missing, drives, measures, and writes tables, a page, a sheet and a video.

    python -m benchmarks.compare_methods --grid GRID --out results/methods --jobs 2
    python -m benchmarks.compare_methods --grid GRID --out results/methods --report_only
    python -m benchmarks.compare_methods --grid GRID --out results/methods --config full --dry_run

Each method has the same minutes of training on one core (or one GPU), all its stages together; stages that several methods
share are trained once. All methods see the same training sentences of GRID. They are measured on the same clips with the same
judges: sentences that no training saw, of known people, and people that no training saw. What is done is not done again, so
that the same command goes on after a stop. With `--config full --dry_run` it says what the papers' sizes take on this machine.
docs/results.md explains the tables.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from benchmarks.compare_methods.corpora import prepare
from benchmarks.compare_methods.dry_run import dry_run
from benchmarks.compare_methods.gallery import Gallery
from benchmarks.compare_methods.methods import FORMS, MINUTES, OVERRIDES, READER, in_turn
from benchmarks.compare_methods.report import write_report
from benchmarks.compare_methods.work import Work
from benchmarks.runs import do_all
from common.cli import when_interrupted
from common.errors import InputError
from common.places import check_folder
from common.suggest import refuse_unknown

FEW = 48  # clips that are prepared for a dry run


def parse(argv):
    """Command line -> argparse.Namespace.

    Raises:
        InputError: a value out of range.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare_methods", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("--grid", type=Path, required=True, help="folder of GRID")
    add("--out", type=Path, default=Path("results/methods"), help="folder of runs, videos, figures and tables (%(default)s)")
    add("--prepared", type=Path, help="folder of the prepared corpora (OUT/prepared)")
    add("--config", choices=tuple(FORMS), default="small", help="small: for CPU cores; full: the papers' sizes, for GPUs")
    add("--methods", nargs="+", metavar="METHOD", help=f"only these, of {', '.join(one.key for one in FORMS['small'])}")
    add(
        "--released",
        nargs="*",
        type=Path,
        default=[],
        metavar="CHECKPOINT",
        help="finished weights, as rows of their own: they may know more data",
    )
    add("--minutes", type=float, help="of training, of each method and seed (small: 45; full: the steps of the configs)")
    add("--seeds", type=int, default=3, help="trainings of each method (%(default)s)")
    add("--clips", type=int, default=14, help="clips of each group that are driven (%(default)s)")
    add("--jobs", type=int, default=1, help="methods at a time, one thread each if more than one (%(default)s)")
    add("--expert", type=Path, help="a second judge of lip sync, by pixels")
    add("--inception_weights", type=Path, help="pt_inception-2015-12-05-6726825d.pth, for FID")
    add("--syncnet_weights", type=Path, help="syncnet_v2.model, for LSE-D and LSE-C")
    add("--identity", action="store_true", help="likeness of the person (needs the extra identity)")
    add(
        "--compare_video",
        nargs="?",
        const="",
        metavar="CLIP",
        help="write a video of all methods side by side: of this clip, or the first",
    )
    add("--portrait", nargs=2, type=Path, metavar=("PICTURE", "SPEECH"), help="a sheet of this picture, driven by all methods")
    add("--dry_run", action="store_true", help="say what each training would take: hours, memory, disk")
    add("--report_only", action="store_true", help="do nothing but write the tables of what is there")
    add("overrides", nargs="*", help="key.sub=value for all trainings")
    args = parser.parse_intermixed_args(argv)
    args.minutes = MINUTES[args.config] if args.minutes is None else args.minutes
    args.overrides = [*OVERRIDES[args.config], *args.overrides]
    for flag, least in (("minutes", 0.01), ("seeds", 1), ("clips", 2), ("jobs", 1)):
        if getattr(args, flag) is not None and not getattr(args, flag) >= least:
            raise InputError(f"--{flag} {getattr(args, flag):g}: must be at least {least:g}")
    if not args.grid.is_dir():
        raise InputError(f"--grid {args.grid}: no such folder")
    for flag, path in [*(("--released", one) for one in args.released), *(("--portrait", one) for one in args.portrait or ())]:
        if not path.is_file():
            raise InputError(f"{flag} {path}: no such file")
    if args.methods:
        refuse_unknown(args.methods, [one.key for one in FORMS[args.config]], "method of --methods")
    check_folder(args.out, flag="--out")
    return args


def main(argv=None):
    """Do what is missing, and write the tables."""
    args = parse(argv)
    methods = [one for one in FORMS[args.config] if not args.methods or one.key in args.methods]
    if args.dry_run:
        few = prepare(args.out / "dry_run" / "prepared", args.grid, args.out / "logs", args.jobs, args.config, limit=FEW)
        print(dry_run(args.out, methods, few, args.overrides))
        return
    corpora = prepare(args.prepared or args.out / "prepared", args.grid, args.out / "logs", args.jobs, args.config)
    work = Work(args, methods, corpora)
    if not args.report_only:
        with when_interrupted(f"what is done is in {args.out}; the same command goes on"):
            work.read_words(READER)
            work.measure_real()
            if args.minutes is not None:  # before anything else runs
                do_all(work.plan, [(stage,) for one in methods for stage in one.stages], args.jobs)
            todo = [(one, seed) for seed in range(args.seeds) for one in in_turn(methods)]
            do_all(partial(_train_and_measure, work), todo, args.jobs)
            work.measure_released()
            work.judge_again()
    gallery = Gallery(args.out, work.rows(), work.weights)
    pictures = gallery.of_clips(corpora["faces"], args.grid, args.clips, args.compare_video)
    pictures += gallery.of_portrait(*args.portrait) if args.portrait else []
    print(write_report(args.out, work.rows(), work.facts(), pictures))


def _train_and_measure(work, method, seed):
    if not work.figures(method.key, seed).is_file():
        weights = work.train(method, seed)
        work.measure(method.key, seed, weights, method.options)
        print(f"seed {seed}, {method.name}: measured", flush=True)


if __name__ == "__main__":
    from common.cli import run

    sys.exit(run(main))

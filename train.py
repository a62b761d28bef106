#!/usr/bin/env python3
"""Train a network on prepared clips.

    python train.py configs/expert_grid.yaml
    python train.py configs/sto.yaml data.corpus=prepared/lrs2 train.batch_size=64
    python train.py configs/sto.yaml --dry_run                      # parameters, fields, terms, memory, hours; writes nothing
    accelerate launch --multi_gpu train.py configs/sto.yaml         # one process a GPU; torchrun does as well

The same command again goes on where it stopped. Settings are described in docs/training.md.
"""

import argparse
import functools
import os
import sys
from contextlib import nullcontext
from pathlib import Path

from common.cli import EXIT_INTERRUPTED, run, when_interrupted
from common.places import check_folder
from training.config import load_config
from training.forecast.plan import plan
from training.logging.trackers import require_trackers
from training.storage.lock import hold_run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("config", help="YAML file of the experiment")
    parser.add_argument("overrides", nargs="*", help="key.sub=value, laid over the file")
    parser.add_argument("--dry_run", action="store_true", help="build everything, try a few steps, write nothing")
    return parser.parse_intermixed_args(argv)


def main(argv):
    args = parse_arguments(argv)
    config = load_config(args.config, args.overrides)
    require_trackers(config)
    if args.dry_run:
        for line in plan(config) if os.environ.get("RANK", "0") == "0" else ():
            print(line, flush=True)
    else:
        check_folder(Path(config["train"]["runs"]) / config["name"], flag="train.runs")
    from training.run import Run

    job = Run(config, trial=args.dry_run)
    try:
        with when_interrupted(lambda: _kept(job, args.dry_run)), nullcontext() if args.dry_run else hold_run(job):
            return _work(job, args.dry_run)
    finally:
        job.engine.leave()


def _kept(job, dry_run):
    """What a run keeps that is interrupted before its first step, or at once."""
    if dry_run or not (job.folder / "checkpoint.pt").is_file():
        return "nothing was stored yet; the same command begins again"
    return f"the last step that was stored is in {job.folder / 'checkpoint.pt'}; the same command goes on"


def _work(job, dry_run):
    from training.best import describe_end
    from training.forecast.dry_run import describe, measure
    from training.loop import MINUTES, SIGNAL, train
    from training.run import NotFinite
    from training.storage.state import StorageError
    from training.storage.store import Store

    say = functools.partial(print, flush=True) if job.engine.first else _silent
    step = 0 if dry_run else Store(job).load()
    if step:
        say(f"going on from step {step} of {job.folder}")
    for line in describe(job):
        say(line)
    if dry_run:
        for line in measure(job):
            say(line)
        return None
    if job.step >= (steps := job.config["train"]["steps"]):
        say(f"{job.folder}: is done: it has reached step {job.step} of train.steps={steps} before. To go on raise train.steps; "
            "to start anew choose another name")  # fmt: skip
        return None
    try:
        ended = train(job, report=say)
    except (NotFinite, StorageError) as error:
        if job.engine.first:
            print(f"error: {error}; {_advice(job, error)}", file=sys.stderr)
        return 1
    at = f"step {job.step} of {job.config['train']['steps']}"
    if ended == SIGNAL:
        say(f"stopped at {at}, which is stored in {job.folder / 'checkpoint.pt'}; the same command goes on")
    if ended == MINUTES:
        say(f"train.minutes={job.config['train']['minutes']:g} ended this start at {at}; the same command goes on")
    say(describe_end(job.best, job.folder, bool(job.validation)))
    if ended == SIGNAL:
        return EXIT_INTERRUPTED
    return None


def _advice(job, error):
    from training.run import NotFinite

    kept = "the last checkpoint is whole" if (job.folder / "checkpoint.pt").is_file() else "there is no checkpoint yet"
    if isinstance(error, NotFinite):
        clips = f"the clips of the step are in {job.folder / 'not_finite.json'}"
        return f"{kept}; {clips}; lower optim.lr, or leave them out (data.exclude)"
    return f"{kept}; make room, and run the same command again"


def _silent(_line):
    """What the other processes say."""


if __name__ == "__main__":
    sys.exit(run(main))

#!/usr/bin/env python3
"""Train a network on prepared clips.

    python train.py configs/expert_grid.yaml
    python train.py configs/demo.yaml data.batch=8 train.device=cuda
    python train.py configs/demo.yaml --dry_run
    torchrun --nproc_per_node 8 train.py configs/demo.yaml          # one process a GPU

The same command again goes on where it stopped. Settings are described in docs/training.md.
"""

import argparse
import functools
import signal
import sys
import time

from common.cli import run
from common.errors import InputError
from training.config import load_config


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("config", help="YAML file of the experiment")
    parser.add_argument("overrides", nargs="*", help="key.sub=value, laid over the file")
    parser.add_argument("--dry_run", action="store_true", help="build everything, time a few steps, write nothing")
    return parser.parse_intermixed_args(argv)


def main(argv):
    args = parse_arguments(argv)
    config = load_config(args.config, args.overrides)
    from training.loop import Run, train

    job = Run(config)
    resumed = not args.dry_run and job.resume()
    if job.group.first:
        _describe(job, resumed)
    if args.dry_run:
        _try_out(job)
        return None
    if job.step >= config["train"]["steps"]:
        raise InputError(
            f"{job.folder}: has reached train.steps={config['train']['steps']} before; raise it or remove the folder"
        )
    try:
        train(job, report=functools.partial(print, flush=True))
    except KeyboardInterrupt:
        job.store()
        print(f"interrupted: state of step {job.step} is in {job.folder}; the same command goes on", file=sys.stderr)
        return 130
    except FloatingPointError as error:
        print(f"error: {error}; the last state is in {job.folder}; lower optim.lr", file=sys.stderr)
        return 1
    if job.group.first:
        print(f"weights: {job.folder / 'best.safetensors'} (best in validation), {job.folder / 'last.safetensors'}")
    return None


def _describe(job, resumed):
    if resumed:
        print(f"going on from step {job.step} of {job.folder}")
    count = sum(parameter.numel() for parameter in job.model.parameters())
    validation = f"{len(job.validation.rows)} clips to validate" if job.validation else "none to validate"
    losses = ", ".join(job.criterion.terms)
    if job.training.without_phones:
        print(f"{job.training.without_phones} clips without phonemes are left out (their reasons stand in the manifest)")
    print(f"{job.config['model']['name']}: {count / 1e6:.2f} M parameters on {job.device}; losses {losses}; "
          f"{len(job.training.rows)} clips to train, {validation}")  # fmt: skip


def _try_out(job):
    """Time a few steps and say how long the whole run would take."""
    from training.setup import batches

    seconds = []
    for batch in batches(job.training, job.config["data"]["batch"], 0, 4, 0, job.device):
        begun = time.monotonic()
        values = job.learn(job.move(batch))
        seconds.append(time.monotonic() - begun)
    step = sorted(seconds)[len(seconds) // 2]
    hours = step * job.config["train"]["steps"] / 3600
    print(f"dry run: {step:.3f} s a step, {hours:.1f} h for {job.config['train']['steps']} steps; first losses: "
          + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))  # fmt: skip


def _interrupt(*_):
    for number in (signal.SIGINT, signal.SIGTERM):  # a launcher may send a second one while the state is being stored
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _interrupt)  # also where a shell started the run in the background, with Ctrl-C switched off
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run(main))

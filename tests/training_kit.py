"""A small corpus and small configs, for the tests of training."""

import math
import os
import subprocess
import sys

import yaml

from tests.conftest import ROOT
from tests.forks_kit import Program

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
SMALL = {"name": "wav2lip", "face_size": 96, "width": 0.25}
EXPERT = {"name": "syncnet_color", "face_size": 96, "width": 0.25}
GAN = {"l1": {"weight": "rest"}, "adversarial": {"weight": 0.1, "width": 0.25}}


def small_config(corpus, runs, **changes):
    """Config of a run of four steps on the CPU; `changes` are laid over its sections."""
    config = {
        "name": "try",
        "model": {"name": "wav2lip", "face_size": 96, "width": 0.25},
        "data": {"corpus": str(corpus), "window": 1, "workers": 0},
        "losses": {"l1": {"weight": 1.0}},
        "train": {"batch_size": 2, "steps": 4, "device": "cpu", "runs": str(runs), "log_every": 1, "validate_every": 2,
                  "validate_batches": 1, "threads": 1, "tensorboard": "off", "curve": False, "print_every": 0},
    }  # fmt: skip
    for key, value in changes.items():
        config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) and key not in ("model", "losses") else value
    return config


def write_yaml(path, config):
    """Write a config; returns its path."""
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def start_training(path, *overrides, **options):
    """tests.forks_kit.Program of train.py on a config."""
    return Program(ROOT / "train.py", [path, *overrides], **options)


def launch_training(path, *overrides, processes=2, **options):
    """subprocess.Popen of train.py on a config, in several processes that torchrun starts."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command = [sys.executable, *launcher, "train.py", str(path), *overrides]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, **{**pipes, **options})


def learn(log, first, last):
    """Steps first..last of a made-up run whose values depend on the step alone; a validation every 4 steps."""
    for step in range(first, last + 1):
        log.step(step, {"total": 1 / step, "l1": math.sqrt(step), "rate": 1e-4}, waited=0.01, took=0.1)
        if step % 4 == 0:
            log.validation(step, {"val/l1": math.sin(step), "unseen/l1": math.cos(step)}, ["sync"] if step == 8 else [])


def run_of(path, *overrides):
    """Run of a config file."""
    from training.config import load_config
    from training.run import Run

    return Run(load_config(path, list(overrides)))


def step(run):
    """Values of the first step of a run."""
    from training.loop import steps_left

    return run.learn(next(iter(steps_left(run))))[0]


def stored(path, network, **data):
    """Path of a checkpoint of a network with weights of its own, whose section data says `data`."""
    import torch

    from models import build_model
    from training.checkpoint import save_checkpoint

    torch.manual_seed(7)
    save_checkpoint(path, build_model(network), {"model": network, "data": {"crop": "aligned", **data}})
    return path


def copied(module):
    """dict of name -> clone of each tensor of a module's state."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(one, other):
    """Whether two dicts hold equal tensors under all names of the second."""
    import torch

    return all(torch.equal(one[name], tensor) for name, tensor in other.items())

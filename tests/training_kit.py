"""A small corpus and small configs, for the tests of training."""

import math
import os
import subprocess
import sys

import yaml

from tests.conftest import ROOT

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def small_config(corpus, runs, **changes):
    """Config of a run of four steps on the CPU; `changes` are laid over its sections."""
    config = {
        "name": "try",
        "model": {"name": "wav2lip", "face_size": 96, "width": 0.25},
        "data": {"corpus": str(corpus), "window": 1, "workers": 0},
        "losses": {"l1": {"weight": 1.0}},
        "train": {"batch_size": 2, "steps": 4, "device": "cpu", "runs": str(runs), "log_every": 1, "validate_every": 2,
                  "validate_batches": 1, "threads": 1, "tensorboard": "off"},
    }  # fmt: skip
    for key, value in changes.items():
        config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) and key not in ("model", "losses") else value
    return config


def write_yaml(path, config):
    """Write a config; returns its path."""
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def start_training(path, *overrides, processes=1, **options):
    """subprocess.Popen of train.py on a config, in several processes where asked."""
    command = [sys.executable, "train.py", str(path), *overrides]
    if processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        command[1:1] = launcher
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, **{**pipes, **options})


def learn(log, first, last):
    """Steps first..last of a made-up run whose values depend on the step alone; a validation every 4 steps."""
    for step in range(first, last + 1):
        log.step(step, {"total": 1 / step, "l1": math.sqrt(step), "rate": 1e-4}, waited=0.01, took=0.1)
        if step % 4 == 0:
            log.validation(step, {"val/l1": math.sin(step), "unseen/l1": math.cos(step)}, ["sync"] if step == 8 else [])

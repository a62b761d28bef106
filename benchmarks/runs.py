"""Trainings and measurements that a benchmark starts as processes, and goes on with where it stopped."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from common.errors import InputError

ROOT = Path(__file__).resolve().parents[1]


def trained(run, steps=None):
    """Whether a run has reached its last step.

    Args:
        run: folder of the run.
        steps: how many are wanted; None: as many as its own config says.
    """
    log, config = Path(run) / "log.jsonl", Path(run) / "config.yaml"
    if not log.is_file() or not config.is_file():
        return False
    rows = log.read_text(encoding="utf-8").splitlines()
    if steps is None:
        steps = yaml.safe_load(config.read_text(encoding="utf-8"))["train"]["steps"]
    return bool(rows) and json.loads(rows[-1])["step"] >= steps


def minutes_taken(run):
    """Minutes that a run has trained, over all its starts, as its log says; None where it has no row yet.

    Args:
        run: folder of the run.
    """
    log = Path(run) / "log.jsonl"
    rows = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return next((row["minutes"] for row in map(json.loads, reversed(rows)) if row.get("minutes") is not None), None)


def run_logged(command, log, *, folder=ROOT, threads=None):
    """Run a command to its end; what it says goes to a file.

    Args:
        command: list of words, turned to str.
        log: file to which stdout and stderr are appended.
        folder: where it runs.
        threads: OMP_NUM_THREADS for it; None: as for this process.

    Raises:
        InputError: it left with another code than 0; the file is named, and its last line told.
    """
    log = Path(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
    with open(log, "a", encoding="utf-8") as file:
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise InputError(f"{log.stem}: failed; see {log}" + (f": {lines[-1]}" if lines else ""))


def do_all(function, jobs, at_once):
    """Call `function(*job)` for each job, `at_once` at a time; the first error ends all.

    The work is done in processes that the function starts, which a Ctrl-C reaches, too.
    """
    with ThreadPoolExecutor(at_once) as pool:
        waiting = [pool.submit(function, *job) for job in jobs]
        try:
            for one in waiting:
                one.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

"""The training loop, which knows no method by name."""

import json
import os
import signal
import time
from contextlib import contextmanager

import torch

from common.files import atomic_output
from training.forecast.speed import SLOW, estimated_step_seconds, too_long
from training.logging.log import Log
from training.run import NotFinite
from training.setup import batches
from training.storage.store import Store
from training.validation import validate

WARM = 3  # steps, of which the last is measured: the first ones start the loader and allot memory
STEPS, MINUTES, SIGNAL = "steps", "minutes", "signal"  # what ends a start
_STOPPING = b"\nstopping after this step, with a checkpoint; two more signals stop at once, without one\n"


def train(run, report=print):
    """Run until the configured step or minute, or until a signal asks to stop; a checkpoint is stored then.

    Args:
        run: training.run.Run, resumed where it shall go on.
        report: takes one line of text.

    Returns:
        What ended it: STEPS, MINUTES or SIGNAL.

    Raises:
        NotFinite: a loss or gradient is NaN; the windows at fault are in `not_finite.json`, the last checkpoint is as it was.
        StorageError: the disk is full; likewise.
    """
    settings, engine, store = run.config["train"], run.engine, Store(run)
    log = _open_log(run, report) if engine.first else None
    begun = time.monotonic()
    limit = None if settings["minutes"] is None else 60 * settings["minutes"]
    try:
        with _signals(engine.first) as stopped, _without_denormals():
            told = log is None or _tell_estimate(run, log)
            done, asked = 0, time.monotonic()
            for step_batches in steps_left(run):
                ready = time.monotonic()
                late = limit is not None and ready - begun >= limit
                rates = run.rates()
                values, stop = run.learn(step_batches, stop=bool(stopped) or late)
                over = run.step >= settings["steps"]
                if log:
                    now = time.monotonic()
                    log.step(run.step, {**values, **rates}, waited=ready - asked, took=now - asked)
                    done += 1
                    if done == WARM and not told:
                        _tell_too_long(run, log, now - asked)
                better = (run.step % settings["validate_every"] == 0 or over) and _validate(run, log)
                if better or over or stop or run.step % settings["checkpoint_every"] == 0:
                    store.save(best=better)
                if stop and not over:
                    return SIGNAL if any(engine.gather(bool(stopped))) else MINUTES
                asked = time.monotonic()
    except NotFinite as error:
        if engine.first:
            _write_down(run, error)
        raise
    finally:
        if log:
            log.close()
    return STEPS


def _open_log(run, report):
    train = run.config["train"]
    seconds = None if train["minutes"] is None else 60 * train["minutes"]
    log = Log(run.folder, run.config, report, start=run.step, steps=train["steps"], progress=train["progress"], seconds=seconds)
    log.changes(run.step, run.changes)
    return log


def _tell_estimate(run, log):
    """Say before a long first step that the run is for a GPU. Returns True when that was said, or need not be said later."""
    if run.device.type != "cpu":
        return True
    seconds = estimated_step_seconds(run)
    complaint = too_long(run, seconds, "about ") if seconds > SLOW else None
    if complaint:
        log.note(complaint)
    return complaint is not None


def _tell_too_long(run, log, seconds):
    """Say it after a measured step."""
    if complaint := too_long(run, seconds):
        log.note(complaint)


def steps_left(run):
    """Lists of batches, one list for each step that is left.

    Batch k of step s in process r of n is number (s * accumulate + k) * n + r of the run: a resumed run needs the step alone.
    """
    settings, engine = run.config["train"], run.engine
    summed = settings["accumulate"]
    numbers = (place * engine.size + engine.rank for place in range(run.step * summed, settings["steps"] * summed))
    held = []
    for batch in batches(run.training, settings["batch_size"], numbers, run.config["data"]["workers"], run.device):
        held.append(batch)
        if len(held) == summed:
            yield held
            held = []


def _validate(run, log):
    """Validate, open gates; True when the weights are the best so far."""
    all_count = all(run.criterion.open.values())
    metrics, pictures = validate(run)
    opened = run.criterion.update_gates(metrics)
    for learner in (run.learner, *run.adversaries.values()) if opened else ():
        learner.find_anew()
    better = run.best.take(run.step, metrics, all_count)
    if log:
        log.validation(run.step, metrics, opened, pictures)
    return better


def _write_down(run, error):
    """What was not finite, and in which windows, for whoever looks for the cause."""
    told = {"step": run.step + 1, "what": str(error), "losses": {name: repr(value) for name, value in error.parts.items()}}
    with atomic_output(run.folder / "not_finite.json") as path:
        path.write_text(json.dumps({**told, "windows": error.clips}, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _without_denormals():
    """Numbers below 1e-38 count as 0 on the CPU, which is far slower with them; squares of gradients of nearly 0 fall there.

    A step of `pcavs_small` took 14 s after 740 steps, and without them 2 to 3 s.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def _signals(first):
    """A list that is filled when SIGINT or SIGTERM asks to stop: after the step, with a checkpoint. A third stops at once.

    Args:
        first: whether this process answers the first signal with a line.
    """
    asked, before = [], {}

    def ask(number, _frame):
        asked.append(number)
        if len(asked) == 1 and first:
            os.write(2, _STOPPING)  # a step may take minutes; print is not for handlers of signals
        if len(asked) > 2:  # a launcher hands a terminal's signal on, so two are one
            raise KeyboardInterrupt

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    except ValueError:  # not in the main thread: whoever runs it there stops it
        pass
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

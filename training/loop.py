"""The training loop, which knows no method by name."""

import json
import signal
import time
from contextlib import contextmanager

from common.files import atomic_output
from training.logging.log import Log
from training.run import NotFinite
from training.setup import batches
from training.storage.store import Store
from training.validation import validate


def train(run, report=print):
    """Run until the configured step or minute, or until a signal asks to stop; a checkpoint is stored then.

    Args:
        run: training.run.Run, resumed where it shall go on.
        report: takes one line of text.

    Returns:
        True when the run has come to its end or its minute, False when a signal stopped it.

    Raises:
        NotFinite: a loss or gradient is NaN; the windows at fault are in `not_finite.json`, the last checkpoint is as it was.
        StorageError: the disk is full; likewise.
    """
    settings, engine, store = run.config["train"], run.engine, Store(run)
    log = _open_log(run, report) if engine.first else None
    begun = asked = time.monotonic()
    try:
        with _signals() as stopped:
            for step_batches in steps_left(run):
                ready = time.monotonic()
                late = settings["minutes"] is not None and ready - begun >= 60 * settings["minutes"]
                rate = run.rate()
                values, stop = run.learn(step_batches, stop=bool(stopped) or late)
                over = run.step >= settings["steps"]
                if log:
                    now = time.monotonic()
                    log.step(run.step, {**values, "rate": rate}, waited=ready - asked, took=now - asked)
                better = (run.step % settings["validate_every"] == 0 or over) and _validate(run, log)
                if better or over or stop or run.step % settings["checkpoint_every"] == 0:
                    store.save(best=better)
                if stop and not over:
                    return not any(engine.gather(bool(stopped)))
                asked = time.monotonic()
    except NotFinite as error:
        if engine.first:
            _write_down(run, error)
        raise
    finally:
        if log:
            log.close()
    return True


def _open_log(run, report):
    train = run.config["train"]
    return Log(run.folder, run.config, report, start=run.step, steps=train["steps"], progress=train["progress"])


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
    metrics, pictures = validate(run)
    opened = run.criterion.update_gates(metrics)
    name = run.best_by
    if name not in metrics:  # no clips to validate: the newest weights are the best known
        return True
    better = metrics[name] < run.best
    run.best = min(run.best, metrics[name])
    if opened and name.endswith("/total"):
        run.best = float("inf")  # totals with and without the new term do not compare: the next validation sets the mark
    if log:
        log.validation(run.step, metrics, opened, pictures)
    return better


def _write_down(run, error):
    """What was not finite, and in which windows, for whoever looks for the cause."""
    told = {"step": run.step + 1, "what": str(error), "losses": {name: repr(value) for name, value in error.parts.items()}}
    with atomic_output(run.folder / "not_finite.json") as path:
        path.write_text(json.dumps({**told, "windows": error.clips}, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _signals():
    """A list that is filled when SIGINT or SIGTERM asks to stop: after the step, with a checkpoint. A third stops at once."""
    asked, before = [], {}

    def ask(number, _frame):
        asked.append(number)
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

"""How long a run takes on this machine, and what the user is told where that is too long."""

import time

import torch

from datasets.windows import collate

DAYS_ON_CPU = 3.0  # of a run that takes longer on a CPU, the user is told that it is for a GPU
_BACKWARD = 2  # the backward pass of a step takes about twice as long as the forward pass
_LONG = 0.5  # seconds: a pass that takes longer is timed once; of shorter ones the quickest counts
_PASSES = 3
SLOW = 20.0  # seconds of a step, from which on a run says its estimate before the first step is done


@torch.no_grad()
def estimated_step_seconds(run):
    """Seconds that a step takes, estimated from the forward pass of a single item.

    Losses and adversaries come on top; many small items are quicker together. Nothing of the run changes: no random number is
    drawn.

    Args:
        run: training.run.Run.
    """
    windows, train = run.training, run.config["train"]
    batch = run.move(collate([windows[0]]), windows)
    times = []
    while len(times) < _PASSES and (not times or times[-1] < _LONG):
        begun = time.monotonic()
        with run.engine.autocast():
            run.averaged_model(batch)
        times.append(time.monotonic() - begun)
    windows.close()
    return (1 + _BACKWARD) * min(times) * train["batch_size"] * train["accumulate"]


def too_long(run, seconds, about="", steps=None):
    """One line that says that the run is for a GPU, and what is for CPUs; None where it is not too long, or on a GPU.

    Args:
        run: training.run.Run; seconds: of a step; about: "about " where that is an estimate.
        steps: that are still to be done; None: those that are left of the run.
    """
    train = run.config["train"]
    steps = train["steps"] - run.step if steps is None else steps
    days = seconds * steps / 86400
    if run.device.type != "cpu" or days <= DAYS_ON_CPU:
        return None
    whole = in_words(seconds * steps)
    told = f"this config is for a GPU: {steps} steps of {about}{seconds:.3g} s take {about}{whole} on this CPU"
    if train["cpu_config"]:
        return f"{told}; for CPU cores:  python train.py configs/{train['cpu_config']}"
    return f"{told}; make it smaller (model.width, train.batch_size, train.steps)"


def in_words(seconds):
    """A length of time: "40 s", "25 minutes", "7.5 hours", "12 days"."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f} {unit}"
    return f"{seconds:.0f} s"

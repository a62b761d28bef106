"""What a dry run tells: parameters, losses, memory, disk, hours. Each line comes when it is known; nothing is written."""

import os
import statistics
import time

from datasets.fields import FIELDS
from training.forecast.speed import SLOW, estimated_step_seconds, in_words, too_long
from training.logging.log import peak_memory
from training.loop import steps_left
from training.setup import needed_fields
from training.storage.store import room_left, room_needed
from training.validation import validate

TIMED = 5  # steps, after one to warm up


def describe(run):
    """Lines on the parts of a run."""
    engine, config = run.engine, run.config
    processes = f"{engine.size} processes on " if engine.size > 1 else ""
    yield f"{config['model']['name']}: {millions(run.model):.2f} M parameters, {engine.precision}, {processes}{run.device}"
    for name, adversary in run.criterion.adversaries().items():
        yield f"adversary {name}: {millions(adversary):.2f} M parameters"
    terms = [f"{name} {run.criterion.weights[name]}" + _gate(run.criterion, name) for name in run.criterion.terms]
    yield f"losses: {', '.join(terms)}"
    for what, count in run.training.without.items():
        if count:
            yield f"{count} clips without {what.replace('_', ' ')} are left out (their reasons stand in the manifest)"
    checked = ", ".join(f"{len(data.rows)} {split}" for split, data in run.validation.items()) or "none"
    yield f"clips: {len(run.training.rows)} to train, to validate {checked}"
    if not run.validation:
        yield f"without clips to validate no best.safetensors is chosen, and no faces.png drawn; {run.cure('val')}"
    workers, cores = config["data"]["workers"], usable_cores()
    if workers * engine.size > cores:
        told = f"data.workers={workers} processes load data, and this machine has {cores} cores"
        yield f"{told}: data.workers={max(1, cores - 1)} fits it"
    yield from run.notes


def measure(run):
    """Do a few steps and a validation; yields lines on what they take, as they come."""
    yield "a batch holds: " + ", ".join(_shape(name) for name in needed_fields(run.config, run.model, run.criterion))
    needed, left = room_needed(run), room_left(run.folder)
    yield f"disk: the run folder takes up to {needed / 1e6:.0f} MB, {left / 1e9:.1f} GB are free" + (
        "; THAT IS NOT ENOUGH" if needed > left else ""
    )
    train, parts = run.config["train"], 1.0
    if run.device.type == "cpu":
        estimate = estimated_step_seconds(run)
        yield too_long(run, estimate, "about ") or f"estimated from one item: a step takes about {estimate:.2g} s"
        if estimate > SLOW:
            few = max(2, int(train["batch_size"] * train["accumulate"] * SLOW / estimate))
            parts = train["batch_size"] * train["accumulate"] / few
            run.config["train"] = {**train, "batch_size": few, "accumulate": 1}
            yield f"what follows is measured on {few} items, and multiplied"
    waits, steps = yield from _timed_steps(run)
    seconds, waited = statistics.median(steps) * parts, statistics.median(waits) * parts
    begun = time.monotonic()
    metrics, _ = validate(run, count=run.engine.size)
    validation = (time.monotonic() - begun) * train["validate_batches"] / run.engine.size
    if parts > 1:
        validation *= train["batch_size"] / run.config["train"]["batch_size"]
    run.config["train"] = train
    if metrics:
        yield "validation, one batch: " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    yield f"memory: {peak_memory():.0f} MB{' of the GPU' if run.device.type == 'cuda' else ''}" + (
        ", of a smaller batch than the config's" if parts > 1 else ""
    )
    items = train["batch_size"] * train["accumulate"] * run.engine.size
    validations = -(-train["steps"] // train["validate_every"]) * validation if metrics else 0.0
    whole = seconds * train["steps"] + validations
    checks = f", {in_words(validations)} of it validation" if validations else ""
    yield (f"dry run: {seconds:.3f} s a step of {items} items, {waited / seconds:.0%} of it waiting for data; "
           f"{in_words(whole)} ({whole / 3600:.1f} h) for {train['steps']} steps{checks}"
           f"{_limit(train, seconds, whole)}")  # fmt: skip
    if (complaint := too_long(run, seconds, steps=train["steps"])) is not None:
        yield complaint


def _timed_steps(run):
    """Yields a line a step; returns lists of seconds that steps waited for data, and took in all, without the warm-up step."""
    waits, steps, asked = [], [], time.monotonic()
    for index, batches in enumerate(steps_left(run)):
        ready = time.monotonic()
        values, _ = run.learn(batches)
        now = time.monotonic()
        shown = values if index == 0 else {"total": values["total"]}
        told = ", ".join(f"{name} {value:.4g}" for name, value in shown.items())
        yield f"step {index + 1}: {now - asked:.3f} s, {told}"
        if index == 1:  # the first one warms up: it starts the loader, and allots memory
            waits, steps = [], []
        waits.append(ready - asked)
        steps.append(now - asked)
        if index == TIMED or (sum(steps) > SLOW):
            break
        asked = now = time.monotonic()
    return waits, steps


def usable_cores():
    """Number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def millions(module):
    """Parameters of a module in millions."""
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def _shape(name):
    field = FIELDS[name]
    inner = field.shape.strip("()").rstrip(",")
    return f"{name} (B{f', {inner}' if inner else ''}) {field.dtype}"


def _limit(train, seconds, whole):
    """What train.minutes leaves of a run."""
    if train["minutes"] is None or 60 * train["minutes"] >= whole:
        return ""
    return f"; train.minutes={train['minutes']:g} ends a start after about {max(1, int(60 * train['minutes'] / seconds))} steps"


def _gate(criterion, name):
    if name not in criterion.gates:
        return ""
    metric, limit = criterion.gates[name]
    return f" (from {metric} < {limit:g} on)"

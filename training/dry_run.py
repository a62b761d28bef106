"""What a run would be: parameters, fields, terms, memory, hours. Nothing is written."""

import statistics
import time

from datasets.fields import FIELDS
from training.logging.log import peak_memory
from training.loop import steps_left
from training.setup import needed_fields
from training.storage.store import room_left, room_needed
from training.validation import validate

TIMED = 5  # steps, after one to warm up


def describe(run):
    """Lines on the parts of a run."""
    engine, config = run.engine, run.config
    count = millions(run.model)
    processes = f"{engine.size} processes on " if engine.size > 1 else ""
    yield f"{config['model']['name']}: {count:.2f} M parameters, {engine.precision}, {processes}{run.device}"
    for name, adversary in run.criterion.adversaries().items():
        yield f"adversary {name}: {millions(adversary):.2f} M parameters"
    terms = [f"{name} {run.criterion.weights[name]}" + _gate(run.criterion, name) for name in run.criterion.terms]
    yield f"losses: {', '.join(terms)}"
    for what, count in run.training.without.items():
        if count:
            yield f"{count} clips without {what} are left out (their reasons stand in the manifest)"
    checked = ", ".join(f"{len(data.rows)} {split}" for split, data in run.validation.items()) or "none"
    yield f"clips: {len(run.training.rows)} to train, to validate {checked}"


def try_out(run):
    """Do a few steps and a validation; yields lines on what they took."""
    for name in needed_fields(run.config, run.model, run.criterion):
        field = FIELDS[name]
        yield f"field {name}: (B, {field.shape.strip('()')}) {field.dtype}, {field.range}".replace(", )", ")")
    train, waits, steps = run.config["train"], [], []
    asked = time.monotonic()
    for index, step_batches in enumerate(steps_left(run)):
        ready = time.monotonic()
        values, _ = run.learn(step_batches)
        now = time.monotonic()
        if index:
            waits.append(ready - asked)
            steps.append(now - asked)
        asked = now
        if index == TIMED:
            break
    if not steps:  # the run has but one step
        waits, steps = [ready - asked], [now - ready]
    metrics, _ = validate(run)
    step = statistics.median(steps)
    yield "first losses: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    if metrics:
        yield "validation: " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    yield f"memory: {peak_memory():.0f} MB{' of the GPU' if run.device.type == 'cuda' else ''}"
    needed, left = room_needed(run), room_left(run.folder)
    yield f"disk: the run folder takes up to {needed / 1e6:.0f} MB, {left / 1e9:.1f} GB are free" + (
        "; THAT IS NOT ENOUGH" if needed > left else ""
    )
    items = train["batch_size"] * train["accumulate"] * run.engine.size
    yield (f"dry run: {step:.3f} s a step of {items} items, {statistics.median(waits) / step:.0%} of it waiting for data; "
           f"{step * train['steps'] / 3600:.1f} h for {train['steps']} steps")  # fmt: skip


def millions(module):
    """Parameters of a module in millions."""
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def _gate(criterion, name):
    if name not in criterion.gates:
        return ""
    metric, limit = criterion.gates[name]
    return f" (from {metric} < {limit:g} on)"

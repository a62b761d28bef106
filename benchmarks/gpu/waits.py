"""How often a training step makes the host wait for the device."""

import warnings
from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.speed import loader
from benchmarks.gpu.training import start

FORMS = ("sto", "expert", "wav2lip_gan", "lip_landmarks")
WAITING = ("_local_scalar_dense", "nonzero", "equal", "is_nonzero", "masked_select", "_unique2", "unique_dim",
           "unique_consecutive", "bincount", "repeat_interleave")  # whose result, or its shape, the host must know  # fmt: skip


def measure(bench: Bench):
    """Enter the lines of this part."""
    default = None
    for name in bench.cases(("expert",) if bench.quick else FORMS):
        with bench.guard(name):
            default = count(bench, name, "auto")
        if bench.cuda and default != "fp16":
            with bench.guard(f"{name}, fp16"):
                count(bench, name, "fp16")


def count(bench, name, precision):
    """Waits of one step that comes after a few others; returns the run's precision.

    A step waits once, for its values (`training.run.Run.learn`). In fp16 GradScaler waits once for each optimiser, too. The
    operations that wait are counted on every device; the values are fetched by none of them. On a GPU, CUDA itself tells of
    each wait.
    """
    run = start(bench, name, f"waits-{precision}", 10**6, tuned=False, precision=precision)
    batches = list(loader(run, 4 if bench.cuda else 2))
    for batch in batches[:-1]:
        run.learn([batch])
    bench.wait()
    label = f"{name}, {run.engine.precision}"
    optimisers = 1 + len(run.adversaries)
    fp16 = optimisers if run.engine.precision == "fp16" else 0
    with Operations(step_counters(run)) as operations:
        run.learn([batches[-1]])
    on_device = {key: times for key, times in operations.found.items() if key[1] == bench.device.type}
    bench.line(f"{label}, operations that wait", sum(on_device.values()), most=fp16,
               operations={" ".join(key): times for key, times in operations.found.items()})  # fmt: skip
    if bench.cuda:
        places = cuda_waits(lambda: run.learn([batches[-1]]))
        bench.line(f"{label}, host waits that CUDA tells of", sum(places.values()), most=1 + fp16, places=dict(places))
    return run.engine.precision


def step_counters(run):
    """The tensors in which AdamW counts steps: they lie on the CPU, whatever the device, so that reading them is free."""
    learners = (run.learner, *run.adversaries.values())
    return [state["step"] for learner in learners for state in learner.optimizer.state.values()]


def cuda_waits(work):
    """Counter of "file:line" where `work` made the host wait for the GPU."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            work()
        finally:
            torch.cuda.set_sync_debug_mode(before)
    return Counter(f"{one.filename}:{one.lineno}" for one in told if "called a synchronizing" in str(one.message))


class Operations(TorchDispatchMode):
    """Mode that counts the operations in WAITING, and reading by a mask, by name and kind of device: `found`.

    Args:
        free: tensors that may be read.
    """

    def __init__(self, free):
        super().__init__()
        self.found, self._free = Counter(), {one.data_ptr() for one in free}

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        name, first = function.overloadpacket.__name__, arguments[0] if arguments else None
        masks = arguments[1] if name in ("index", "index_put", "index_put_") and len(arguments) > 1 else ()
        by_mask = any(isinstance(one, torch.Tensor) and one.dtype in (torch.bool, torch.uint8) for one in masks)
        if isinstance(first, torch.Tensor) and (by_mask or name in WAITING) and first.data_ptr() not in self._free:
            self.found[name, first.device.type] += 1
        return function(*arguments, **(keywords or {}))

"""A GPU that computes nothing: fake tensors on cuda:0 with CUDA's own autocast, on any build of torch.

Fake tensors have a device, a dtype and a shape, and no values. They go through the dispatcher as those of a GPU do, so that a
tensor left on the CPU is an error, and so is an operation that CUDA's autocast refuses. The backward pass is left out: torch
built for the CPU cannot run it for such tensors. Gradients of zeros stand in for it.
"""

import ctypes
import traceback
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CUDA = torch.device("cuda:0")
# operations whose result, or the shape of it, the host must know
_ASKING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "unique_dim", "_unique2", "_unique",
           "unique_consecutive", "bincount"}  # fmt: skip


class Record(TorchDispatchMode):
    """Names of all operations that reach the backend, and those for which a GPU's host waits.

    A copy between host and GPU waits unless it is told not to (`non_blocking=True` from pinned memory); so does an index that
    lies on the CPU or is a mask, and whatever gives a value, or a shape that depends on values.
    """

    def __init__(self):
        super().__init__()
        self.names, self.waits = set(), []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        self.names.add(name)
        given = {one.device.type for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)}
        if name in _ASKING and "cuda" in given:
            self._wait(name)
        out = func(*args, **kwargs)
        whither = out.device.type if isinstance(out, torch.Tensor) else None
        if name in ("_to_copy", "copy_") and len({*given, whither}) > 1 and not _non_blocking(func, args, kwargs):
            self._wait(f"{name} between CPU and GPU")
        if name in ("index", "index_put_", "index_put", "_index_put_impl_") and whither == "cuda":
            indices = [one for one in args[1] if one is not None]
            if any(one.device.type == "cpu" or one.dtype in (torch.bool, torch.uint8) for one in indices):
                self._wait(f"{name} by a mask or from the CPU")
        if name == "repeat_interleave" and kwargs.get("output_size") is None:
            self._wait(name)
        return out

    def _wait(self, what):
        """Note it with the places in this project's code that lead to it."""
        root = str(Path(__file__).parents[1])
        frames = [one for one in traceback.extract_stack() if one.filename.startswith(root) and ".venv" not in one.filename]
        places = [f"{one.filename[len(root) + 1:]}:{one.lineno}" for one in frames if "tests" not in one.filename]
        self.waits.append(" ".join([what, *places[-2:]]))


def _non_blocking(func, args, kwargs):
    place = [one.name for one in func._schema.arguments].index("non_blocking")
    return kwargs.get("non_blocking", args[place] if place < len(args) else False)


@contextmanager
def _guard():
    """A guard for CUDA devices that guards nothing, where torch is built without CUDA: the CPU's own, lent for the time.

    Indexing asks for a guard before any tensor is looked at. FakeTensorMode lends one itself in builds with CUDA.
    """
    if torch.backends.cuda.is_built():
        yield
        return
    try:
        library = ctypes.CDLL(str(next((Path(torch.__file__).parent / "lib").glob("libc10.*"))))
        guards = (ctypes.c_void_p * 2).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")
    except (OSError, StopIteration, ValueError) as error:
        pytest.skip(f"this build of torch has no registry of device guards to be found: {error}")
    cpu, cuda = range(2)  # c10::DeviceType
    guards[cuda] = guards[cpu]
    try:
        yield
    finally:
        guards[cuda] = None


@contextmanager
def fake_gpu():
    """FakeTensorMode in which CUDA's autocast can be switched on; gives the mode."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch("torch.cuda.amp.common.amp_definitely_not_available", lambda: False))
        stack.enter_context(mock.patch("torch.cuda.is_bf16_supported", lambda *_, **__: True))
        stack.enter_context(_guard())
        mode = stack.enter_context(FakeTensorMode())
        stack.enter_context(torch.no_grad())
        yield mode


def lend(module, mode):
    """The module with fake parameters and buffers on cuda:0; in place."""

    def move(tensor):
        fake = tensor if tensor.is_cuda else mode.from_tensor(tensor).to(CUDA)
        return fake

    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        return module._apply(move)
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def fake_batch(shipped, mode):
    """What a loader shipped, as fake tensors on the CPU."""
    return {name: mode.from_tensor(tensor) for name, tensor in shipped.items()}


class _Values:
    """The tensor of a step's values; `tolist` is the one wait of a step."""

    def __init__(self, tensor, counted):
        self.shape, self.counted = tensor.shape, counted

    def tolist(self):
        self.counted.append(tuple(self.shape))
        return [[1.0, 1.0]] * self.shape[0]


def move_to_fake_gpu(run, mode, half):
    """A Run that was built on the CPU goes to the fake GPU; its networks run in `half` (None: float32).

    Returns:
        list that takes the shape of what each wait of the host fetches.
    """
    engine, fetched = run.engine, []
    for module in (run.model, run.averaged_model, run.criterion):
        lend(module, mode)
    run.device = engine.device = CUDA

    def autocast():
        return torch.autocast("cuda", dtype=half or torch.float16, enabled=half is not None)

    def prepared(module):
        def call(*given):
            with autocast():
                return module(*given)

        return call

    def backward(_loss):
        for learner in (run.learner, *run.adversaries.values()):
            for group in learner.optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = torch.zeros_like(parameter)

    engine.autocast, engine.prepare, engine.backward = autocast, prepared, backward
    engine.mean = lambda values: _Values(values, fetched)
    run.average.values = {name: mode.from_tensor(tensor).to(CUDA) for name, tensor in run.average.values.items()}
    run.criterion.set_precision(half)
    run._set_up_learners()
    return fetched

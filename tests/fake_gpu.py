"""A GPU that computes no numbers, on a build of torch without CUDA: shapes, dtypes and devices are as on a real one.

Operations between tensors on two devices are refused, which is what it is for. There are no gradients: autograd asks for the
real device.
"""

from contextlib import ExitStack, contextmanager

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

CUDA = torch.device("cuda:0")


@contextmanager
def fake_gpu():
    """Context in which tensors that are made are fake, and may lie on CUDA."""
    with ExitStack() as stack:
        for mode in (FakeTensorMode(), _Methods(), torch.no_grad()):
            stack.enter_context(mode)
        yield


def on_fake_gpu(held):
    """A tensor, or a network, real or fake, whose place is taken by fake tensors on the GPU; for use inside `fake_gpu`."""
    if isinstance(held, torch.Tensor):
        return torch.empty_strided(held.size(), held.stride(), dtype=held.dtype, device=CUDA)
    for module in held.modules():
        for name, one in module._parameters.items():
            module._parameters[name] = None if one is None else torch.nn.Parameter(on_fake_gpu(one), one.requires_grad)
        for name, one in module._buffers.items():
            module._buffers[name] = None if one is None else on_fake_gpu(one)
    return held


class _Methods(TorchFunctionMode):
    """Subscripts and `contiguous` as operations: the methods look for the real device first."""

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        if function is torch.Tensor.__getitem__:
            return _taken(*arguments)
        if function is torch.Tensor.__setitem__:
            tensor, index, value = arguments
            target = _taken(tensor, index)
            return target.copy_(value) if isinstance(value, torch.Tensor) else target.fill_(value)
        if function is torch.Tensor.contiguous:
            return torch.ops.aten.clone(arguments[0], **{"memory_format": torch.contiguous_format, **(keywords or {})})
        return function(*arguments, **(keywords or {}))


def _taken(tensor, index):
    """tensor[index] for numbers, slices, None, ... and tensors of labels."""
    index = index if isinstance(index, tuple) else (index,)
    if any(one is Ellipsis for one in index):
        place = next(number for number, one in enumerate(index) if one is Ellipsis)
        whole = tensor.dim() - sum(one is not None for one in index) + 1
        index = (*index[:place], *[slice(None)] * whole, *index[place + 1 :])
    axis, labels = 0, []
    for one in index:
        if one is None:
            tensor = tensor.unsqueeze(axis)
        elif isinstance(one, int):
            tensor = tensor.select(axis, one)
            continue
        elif isinstance(one, slice):
            tensor = torch.ops.aten.slice(tensor, axis, one.start, one.stop, one.step or 1)
        else:
            labels += [None] * (axis - len(labels)) + [torch.as_tensor(one, device=tensor.device)]
        axis += 1
    return torch.ops.aten.index(tensor, labels) if labels else tensor

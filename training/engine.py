"""What a run stands on: device, precision and the other processes of the run, all through accelerate.

Started by hand there is one process; started by `accelerate launch` or `torchrun` there are several, on one machine or many.
"""

import os
from contextlib import ExitStack

import torch

from common.errors import InputError
from common.notes import say_note
from models.devices import choose_device


class Engine:
    """Device, precision and process group of a run.

    Args:
        device: "auto", "cpu", "cuda", "cuda:1"; under a launcher each process takes the GPU of its local rank.
        precision: "fp32", "bf16", "fp16"; "auto" takes bf16 on GPUs that have it, else fp32; "fast" on processors, too.

    Attributes:
        device: torch.device.
        precision: the one that was chosen.
        rank, size: number of this process, and how many there are.

    Raises:
        InputError: accelerate is missing, no such device, a precision that the device does not have.
    """

    def __init__(self, device="auto", precision="auto"):
        try:
            from accelerate import Accelerator, DistributedDataParallelKwargs
            from accelerate.state import AcceleratorState
        except ImportError as error:
            raise InputError(f"training needs accelerate ({error}); run  pip install accelerate") from error
        launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
        chosen = choose_device(device, flag="train.device", order=("cuda", "cpu"))
        self.precision = choose_precision(precision, chosen)
        if not launched:
            AcceleratorState._reset_state(reset_partial_state=True)  # one program may hold several runs, as the tests do
        self.accelerator = Accelerator(
            cpu=chosen.type == "cpu",
            device_placement=False,
            mixed_precision="no" if self.precision == "fp32" else self.precision,
            kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True)],
        )
        self.device = self.accelerator.device if launched else chosen
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # every step has the same shapes
        self.rank, self.size = self.accelerator.process_index, self.accelerator.num_processes

    @property
    def first(self):
        """True in the process that logs and writes."""
        return self.rank == 0

    def prepare(self, model):
        """The network whose steps average gradients over the processes, in this run's precision; the same weights."""
        return self.accelerator.prepare_model(model, device_placement=False)

    @torch.no_grad()
    def average_gradients(self, parameters):
        """Mean over the processes of the gradients of parameters, in place, where no network of `prepare` has seen to it.

        A parameter that has a gradient in some of the processes counts as 0 in the others.

        Returns:
            list of bool, one for each parameter: whether it has a gradient, the same in every process.
        """
        has = torch.tensor([one.grad is not None for one in parameters], dtype=torch.int32, device=self.device)
        torch.distributed.all_reduce(has, torch.distributed.ReduceOp.MAX)
        has = [bool(one) for one in has.tolist()]
        for one in (parameter for parameter, learns in zip(parameters, has, strict=True) if learns):
            flat = (torch.zeros_like(one) if one.grad is None else one.grad).flatten().contiguous()
            torch.distributed.all_reduce(flat)
            one.grad = (flat / self.size).view(one.shape).to(memory_format=_format_of(one))
        return has

    def autocast(self):
        """Context in which networks run in this run's precision."""
        return self.accelerator.autocast()

    def without_sync(self, models, active):
        """Context in which gradients stay in each process, where `active`: for all but the last batch of a step."""
        stack = ExitStack()
        if active:
            for model in models:
                stack.enter_context(self.accelerator.no_sync(model))
        return stack

    def backward(self, loss):
        """Gradients of a loss, scaled where the precision needs it."""
        self.accelerator.backward(loss)

    @property
    def half(self):
        """torch.float16 or torch.bfloat16, in which networks run; None in fp32."""
        return {"fp16": torch.float16, "bf16": torch.bfloat16}.get(self.precision)

    def clip(self, optimizer, limit):
        """Norm of an optimiser's gradients, a tensor on the device, after which they are cut to `limit` (0: not at all)."""
        self.accelerator.unscale_gradients(optimizer)
        parameters = [one for group in optimizer.param_groups for one in group["params"]]
        return torch.nn.utils.clip_grad_norm_(parameters, limit or float("inf"))

    def step(self, optimizers):
        """A step of each optimiser, whose gradients `clip` has seen; then their gradients are freed.

        In fp16 an optimiser whose gradients are not finite makes no step. The loss scale is updated once, after all of them,
        because its update forgets which gradients were unscaled.
        """
        scaler = self.accelerator.scaler
        for optimizer in optimizers:
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
            optimizer.zero_grad(set_to_none=True)
        if scaler is not None:
            scaler.update()

    def broadcast(self, value):
        """The first process's `value`, in every process; anything that can be pickled."""
        if self.size == 1:
            return value
        box = [value]
        torch.distributed.broadcast_object_list(box, src=0)
        return box[0]

    def gather(self, value):
        """list of every process's `value`, in every process."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        torch.distributed.all_gather_object(values, value)
        return values

    def mean(self, values):
        """(n,) tensor -> its mean over the processes."""
        if self.size > 1:
            torch.distributed.all_reduce(values)
            values = values / self.size
        return values

    def leave(self):
        """End the group."""
        self.accelerator.end_training()

    def scaler_state(self):
        """State of fp16's loss scale; {} in other precisions."""
        return self.accelerator.scaler.state_dict() if self.accelerator.scaler is not None else {}

    def load_scaler(self, state):
        """Put back what `scaler_state` gave."""
        if self.accelerator.scaler is not None and state:
            self.accelerator.scaler.load_state_dict(state)


def _format_of(tensor):
    """Memory format that a gradient of a tensor has."""
    channels_last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format


def choose_precision(name, device):
    """"fp32", "bf16" or "fp16".

    Raises:
        InputError: fp16 without a GPU, bf16 on a GPU that has none.
    """
    cuda = device.type == "cuda"
    if name in ("auto", "fast"):
        has = torch.cuda.is_bf16_supported(including_emulation=False) if cuda else name == "fast" and _computes_bf16()
        return "bf16" if has else "fp32"
    if name == "fp16" and not cuda:
        raise InputError("train.precision: fp16 needs a GPU; choose bf16 or fp32")
    if name == "bf16" and cuda and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise InputError("train.precision: this GPU has no bf16; choose fp16 or fp32")
    if name == "bf16" and device.type == "cpu" and not _computes_bf16():
        say_note("train.precision: this processor has no bf16 and imitates it, several times slower than fp32; add "
                 "train.precision=fast to the command")  # fmt: skip
    return name


def _computes_bf16():
    """Whether this processor has instructions for bf16: those of AVX-512, or AMX."""
    return any(getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))

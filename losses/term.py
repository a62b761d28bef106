"""What a loss term is: the base of all losses, and what building one may ask for."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from common.schema import Kind

HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Setting:
    """What a term may ask for when it is built; losses open no file themselves.

    Attributes:
        load: (path, network name[, key of the config]) -> training.checkpoint.Checkpoint on the device of the run. With a key,
            the network must have learnt from the kind of crop that the corpus holds.
        released: network name -> path of the checkpoint that comes with the project.
        model: the network that is trained, or None.
        rates: field of labels -> list of the shares of the training frames in which each label is present; None: no corpus.
        sources: field of labels -> list of the names of whose labels the training clips hold; None: no corpus.
        face_size: side of its faces in pixels; width: its width; frames: T, of a window.
    """

    load: Callable | None = None
    released: Callable | None = None
    model: nn.Module | None = None
    rates: Callable | None = None
    sources: Callable | None = None
    face_size: int = 96
    width: float = 1.0
    frames: int = 5


class Precise(nn.Module):
    """A module that computes a loss, in float32 and outside autocast; the networks inside it run in the precision of the run.

    Attributes:
        precision: torch.float16 or torch.bfloat16 for these networks, or None for float32.
    """

    precision = None

    def count(self, outputs, batch):
        """How many rows of a batch the value of `forward` is a mean over: a scalar tensor, which may be 0; None: always some.

        What has counted nothing is left out of logs and of means over batches; its value is 0, with a gradient of 0.
        """
        return None

    def networks(self, device):
        """Context in which the networks run; what comes out of them goes on as `.float()`."""
        if self.precision is None:
            return nullcontext()
        return torch.autocast(torch.device(device).type, dtype=self.precision)


class Term(Precise):
    """A loss.

    `forward(outputs, batch)` gives a scalar, or a pair of it and figures: dict of name -> (sum, count), two scalars without a
    gradient, which are added up over batches and processes before they are divided.

    A term may have `memory`, a module of what it learns itself, whose state a resumed run gets back, and `facts()`, what a
    checkpoint tells of the term.

    Attributes:
        needs: fields of the batch.
        reads: outputs of the network; a single one may be another by a config's `of`.
        sync_frames: frames that `sync_mel` belongs to; None where the term does not listen to it.
        made: arguments of the class that `prepare` makes and no config holds.
        ranges: dict of argument -> common.schema.Number or Flag, for the numbers and flags among the arguments; their defaults
            are those of `__init__`.
    """

    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ("face",)
    sync_frames = None
    made: tuple[str, ...] = ()
    ranges: dict[str, Kind] = {}

    @classmethod
    def prepare(cls, options, setting, name):
        """Options of a config -> arguments of the class.

        Args:
            options: dict; setting: Setting; name: of the term, for messages.

        Raises:
            InputError: something is missing or does not fit.
        """
        return options

    def adversaries(self):
        """dict of name -> module that learns against the network; the name of a single one is "".

        `module(outputs, batch)` is the scalar that it learns from.
        """
        return {}

    def field_options(self):
        """dict of field name -> {option: value}, for fields that come in several forms."""
        return {}

    def textures(self):
        """dict of field name -> faces.texture.TextureSpec of the modules that the term needs."""
        return {}


def fixed(module, *arguments):
    """What a module that learns against the network gives, for the network's loss: its weights take no gradient here.

    It leaves nothing out and uses stored statistics of batch norms, and each of its modules is in its mode again afterwards.

    Args:
        module: nn.Module; arguments: of its `forward`, through which gradients flow.
    """
    frozen = {name: tensor.detach() for name, tensor in module.named_parameters()}
    training = [one for one in module.modules() if one.training]
    module.eval()
    try:
        return torch.func.functional_call(module, frozen, arguments)
    finally:
        for one in training:
            one.training = True


def raised(tensor):
    """Half precision as float32; anything else as it is."""
    return tensor.float() if tensor.dtype in HALF else tensor


def origin_of(found):
    """What a term tells of the judge that it learns from (training.checkpoint.Checkpoint), so that reports can name it."""
    return {"judge": found.path.stem, "judge_sha256": found.sha256}

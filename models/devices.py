"""Which device a network runs on."""

import torch

from common.errors import InputError

DEVICES = ("auto", "cuda", "cpu", "mps")


def choose_device(name="auto", *, flag="--device", order=("cuda", "mps", "cpu")):
    """torch.device for a name; "auto" takes the first kind of `order` that is there.

    Args:
        name: "auto", "cuda", "cuda:1", "mps", "cpu".
        flag: flag or config key that the name came from, for the message.
        order: kinds that "auto" tries.

    Raises:
        InputError: an unknown name, or a device that is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind in order if there[kind])
    kind = name.split(":")[0]
    if kind not in there:
        raise InputError(f"{flag} {name}: unknown; choose one of {', '.join(DEVICES)}")
    if not there[kind]:
        raise InputError(f"{flag} {name}: this machine, or this build of torch, has none; leave it at auto")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise InputError(f"{flag} {name}: not a device name; write cuda or cuda:1") from error

"""The precision of a network in inference: which there are, and which one is taken."""

import torch

from common.errors import InputError

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def choose_precision(name, device, compat=None):
    """Name of a precision for `--precision`; "auto" is fp16 on CUDA, and fp32 elsewhere and with `compat`.

    Raises:
        InputError: an unknown name, half precision on a CPU, which computes it slower than single, or half precision beside
            `compat`, which promises another program's pixels.
    """
    if compat is not None and name in PRECISIONS and name != "fp32":
        raise InputError(f"--precision {name}: --compat {compat} promises the public script's pixels, which needs fp32; leave "
                         "--precision out")
    if name == "auto" and compat is not None:
        return "fp32"
    if name == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    if name not in PRECISIONS:
        raise InputError(f"--precision {name}: unknown; choose auto or one of {', '.join(PRECISIONS)}")
    if name != "fp32" and device.type == "cpu":
        raise InputError(f"--precision {name}: a CPU computes it slower than fp32, and less exactly; leave --precision at auto")
    return name

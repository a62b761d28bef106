"""In which precision a network computes, in words for the report."""

import torch

NAMES = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16", torch.float64: "fp64"}


def precision_of(weight):
    """Name of the precision of a network without autocast.

    Args:
        weight: one of its parameters.

    Returns:
        "fp32", "fp16", "bf16" or "fp64". "fp32 (TF32 convolutions)" on a CUDA device where cuDNN may shorten the factors of a
        convolution to 10 bits of mantissa (torch.backends.cudnn.allow_tf32, which is torch's default).
    """
    name = NAMES.get(weight.dtype, str(weight.dtype).removeprefix("torch."))
    shortened = weight.device.type == "cuda" and weight.dtype == torch.float32 and torch.backends.cudnn.allow_tf32
    return f"{name} (TF32 convolutions)" if shortened else name

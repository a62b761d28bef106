"""Arithmetic that half precision would spoil, said once.

The policy: networks run in the precision of the run; norms of embeddings, landmarks, colour and all losses are computed in
float32, outside autocast. No constant below 6e-8, float16's least positive number, may meet a float16 tensor: it would be 0.
"""

from contextlib import contextmanager, nullcontext

import torch
import torch.nn.functional as F


def outside_autocast(device):
    """Context in which operations keep the precision of their inputs; `device` is a torch.device or its name."""
    kind = torch.device(device).type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def unit_length(vectors):
    """(N, D) float -> (N, D) float32 of unit length; a vector of zeros stays one.

    In float32: the least length that `normalize` divides by, 1e-12, is 0 in float16.
    """
    with outside_autocast(vectors.device):
        return F.normalize(vectors.float(), dim=1)


@contextmanager
def exact_products(exact=True):
    """Keep CUDA from rounding the factors of float32 products and convolutions to TF32, which has fp16's mantissa.

    The switches are torch's, for the whole process; they are put back at the end. With `exact` false nothing changes.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    kept = cudnn.allow_tf32, matmul.allow_tf32
    if exact:
        cudnn.allow_tf32 = matmul.allow_tf32 = False
    try:
        yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = kept

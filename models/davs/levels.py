"""DAVS: codes of finite precision (ours), so that what is small in a code is lost, and not only small."""

import torch
from torch import nn


class Levels(nn.Module):
    """Numbers rounded to L levels between -1 and 1: finite scalar quantisation (Mentzer et al., ICLR 2024, arXiv 2309.15505).

    A fresh classifier reads from a code whatever is in it, however small: a network with random weights already tells words
    in the codes of identity. An adversary makes it small; the levels make small things vanish. It has no parameters. Gradients
    pass as if nothing were rounded.

    Args:
        levels: L, an odd number from 3; None: codes stay as they are, as published.
    """

    def __init__(self, levels=None):
        super().__init__()
        self.half = None if levels is None else levels // 2

    def forward(self, codes):
        """(...) float -> the same shape: round(h tanh(c)) / h, h = (L - 1) / 2; section 20 of docs/methods.md."""
        if self.half is None:
            return codes
        bounded = torch.tanh(codes)
        return bounded + (torch.round(self.half * bounded) / self.half - bounded).detach()

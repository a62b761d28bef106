"""The adaptive lip weight: a running table of weights by phoneme class, and the gate through which it reaches the audio code.

See docs/methods.md, eq. (31) and (33): inferred, from the arrow of the paper's pipeline picture that leads from the lip weight
back into the audio features.
"""

import torch
from torch import nn

from speech.arpabet import PHONES

MOMENTUM = 0.99


class PhonemeWeights(nn.Module):
    """W[p], the running mean of the lip weights of each phoneme class: W[p] <- 0.99 W[p] + 0.01 w_i for each run i of class p.

    The mean is corrected for its start, as in Adam (ours): the first weight seen of a class is its W[p]; a class not yet seen
    has the mean of those that were. It is what inference can use, because there is no real video to compare with there.

    Args:
        momentum: 0.99, inferred.
    """

    def __init__(self, momentum=MOMENTUM):
        super().__init__()
        self.momentum = float(momentum)
        self.register_buffer("total", torch.zeros(len(PHONES)))
        self.register_buffer("mass", torch.zeros(len(PHONES)))

    @torch.no_grad()
    def update(self, phonemes, weights, known):
        """Take in the weights of the runs of one batch; those of all processes, where several train together.

        n runs of one class count as n updates with their mean, so that their order makes no difference.

        Args:
            phonemes: (R,) int64 class of each run.
            weights: (R,) float32.
            known: (R,) bool; the other runs are passed over.
        """
        counted = known.to(self.total.dtype)
        sums = torch.zeros((2, len(PHONES)), device=self.total.device, dtype=self.total.dtype)
        sums[0].index_add_(0, phonemes, weights.to(sums.dtype) * counted)
        sums[1].index_add_(0, phonemes, counted)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
        mean, kept = sums[0] / sums[1].clamp_min(1), self.momentum ** sums[1]
        self.total.mul_(kept).add_((1 - kept) * mean)
        self.mass.mul_(kept).add_(1 - kept)

    def _apply(self, fn, recurse=True):
        """Moves to another device, but stays in float32 where the network around it goes to half precision."""
        kept = self.total, self.mass
        super()._apply(fn, recurse)
        if self.total.dtype != torch.float32 and not kept[0].is_meta:
            self.total, self.mass = (buffer.to(self.total.device, torch.float32) for buffer in kept)
        return self

    @property
    def seen(self):
        """(P,) bool: the classes that have a weight of their own."""
        return self.mass > 0

    def values(self):
        """(P,) float32: W[p] in the order of `speech.arpabet.PHONES`; 1 throughout as long as no class has been seen."""
        seen = self.seen
        own = self.total / torch.where(seen, self.mass, torch.ones_like(self.mass))
        mean = (own * seen).sum() / seen.sum().clamp_min(1)
        return torch.where(seen, own, torch.where(seen.any(), mean, torch.ones_like(mean)))

    def deviations(self):
        """(P,) float32: W[p] - mean W over the classes that have been seen; 0 for the others."""
        values, seen = self.values(), self.seen
        mean = (values * seen).sum() / seen.sum().clamp_min(1)
        return torch.where(seen, values - mean, torch.zeros_like(values))

    def as_dict(self):
        """{"AA": 0.93, ...} of the classes that have been seen."""
        return {phone: float(value) for phone, value, seen in zip(PHONES, self.values(), self.seen, strict=True) if seen}


class AudioGate(nn.Module):
    """a'_t = a_t (1 + beta (W[p(t)] - mean W)): audio codes scaled by the phoneme's lip weight (docs/methods.md, eq. (33)).

    beta is learned and begins at 0, where the gate changes nothing.
    """

    def __init__(self):
        super().__init__()
        self.beta = nn.Parameter(torch.zeros(()))
        self.table = PhonemeWeights()

    def forward(self, codes, phonemes):
        """Scale audio codes.

        Args:
            codes: (N, C, 1, 1) float.
            phonemes: (N,) int64, class of each frame (speech.arpabet.PHONES).

        Returns:
            (N, C, 1, 1) of the same dtype.
        """
        factor = 1 + self.beta.float() * self.table.deviations()[phonemes]
        return codes * factor.to(codes.dtype).view(-1, 1, 1, 1)

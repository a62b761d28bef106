"""What learns against DAVS beside it, and what its terms ask of it."""

import torch
from torch import nn

from losses.term import Precise


class _Method(nn.Module):
    """A method of a network as a module, for `functional_call`."""

    def __init__(self, network, name):
        super().__init__()
        self.network, self.name = network, name

    def forward(self, *arguments):
        return getattr(self.network, self.name)(*arguments)


class Opponent(Precise):
    """Base of the adversaries: a network, which learns from what DAVS made, detached, in the same step.

    Args:
        network: nn.Module.

    Attributes:
        method: of the network, which is called; it gives a tensor or a tuple of them.
    """

    method = "forward"

    def __init__(self, network):
        super().__init__()
        self.network = network

    def asked(self, *arguments):
        """The network's answer, float32, as it learns: with its dropout and the statistics of this batch."""
        return self._answer(_Method(self.network, self.method), arguments)

    def fixed(self, *arguments):
        """The network's answer, float32, for the terms: it takes no gradient, leaves nothing out and uses stored statistics.

        The published code leaves dropout and the statistics of the batch on here, too.
        """
        judge = _Method(self.network, self.method)
        frozen = {name: tensor.detach() for name, tensor in judge.named_parameters()}
        training = self.training
        self.eval()
        try:
            return self._answer(lambda *given: torch.func.functional_call(judge, frozen, given), arguments)
        finally:
            self.train(training)

    def _answer(self, call, arguments):
        with self.networks(arguments[0].device):
            found = call(*arguments)
        return tuple(one.float() for one in found) if isinstance(found, tuple) else found.float()

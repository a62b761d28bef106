"""What learns against DAVS beside it, and what its terms ask of it."""

import torch

from losses.term import Precise


class Opponent(Precise):
    """Base of the adversaries: a network, which learns from what DAVS made, detached, in the same step.

    Args:
        network: nn.Module that gives a tensor, or a tuple of them.
    """

    def __init__(self, network):
        super().__init__()
        self.network = network

    def asked(self, *arguments):
        """The network's answer, float32, as it learns: with its dropout and the statistics of this batch."""
        return self._answer(self.network, arguments)

    def fixed(self, *arguments):
        """The network's answer, float32, for the terms: it takes no gradient, leaves nothing out and uses stored statistics.

        The published code leaves dropout and the statistics of the batch on here, too.
        """
        frozen = {name: tensor.detach() for name, tensor in self.network.named_parameters()}
        training = self.training
        self.eval()
        found = self._answer(lambda *given: torch.func.functional_call(self.network, frozen, given), arguments)
        self.train(training)
        return found

    def _answer(self, call, arguments):
        with self.networks(arguments[0].device):
            found = call(*arguments)
        return tuple(one.float() for one in found) if isinstance(found, tuple) else found.float()

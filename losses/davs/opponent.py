"""What learns against DAVS beside it, and what its terms ask of it."""

from losses.term import Precise, fixed


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
        return self._answer(self.network, *arguments)

    def fixed(self, *arguments):
        """The network's answer, float32, for the terms: it takes no gradient, leaves nothing out and uses stored statistics.

        The published code leaves dropout and the statistics of the batch on here, too.
        """
        return self._answer(fixed, self.network, *arguments)

    def _answer(self, call, *arguments):
        with self.networks(arguments[-1].device):
            found = call(*arguments)
        return tuple(one.float() for one in found) if isinstance(found, tuple) else found.float()

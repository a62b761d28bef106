"""Recurrent layers: torch's own kernels, or the same in plain operations where those cannot serve.

Torch's kernels have no float16 under autocast on a CPU, and torch.compile cannot trace them as a part of one graph. Step by
step, a GPU launches thousands of small kernels for the nets of five units, and a training step takes several times as long.
"""

import warnings

import torch
from torch import nn

# cuDNN copies loose weights together at every call, and says so; they are small.
warnings.filterwarnings("ignore", r".*weights are not part of single contiguous chunk of memory", UserWarning)


class Lstm(nn.Module):
    """LSTM in one direction (Hochreiter and Schmidhuber 1997, with a forget gate): (N, T, C) float -> (N, T, H) float.

    Args:
        before: C; hidden: H; backwards: whether time runs from the last step to the first.
    """

    def __init__(self, before, hidden, backwards=False):
        super().__init__()
        self.given, self.kept = nn.Linear(before, 4 * hidden), nn.Linear(hidden, 4 * hidden, bias=False)
        self.hidden, self.backwards = hidden, backwards

    def weights(self):
        """Weights in the order of torch.lstm."""
        return self.given.weight, self.kept.weight, self.given.bias, torch.zeros_like(self.given.bias)

    def forward(self, x):
        given = self.given(x)
        state, cell, found = given.new_zeros(len(x), self.hidden), given.new_zeros(len(x), self.hidden), []
        for step in _steps(x.shape[1], self.backwards):
            enter, forget, new, leave = (given[:, step] + self.kept(state)).chunk(4, 1)
            cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
            state = leave.sigmoid() * cell.tanh()
            found.append(state)
        return torch.stack(found[::-1] if self.backwards else found, 1)


class BothWays(nn.Module):
    """Layers of LSTMs in both directions: (N, T, C) float -> (N, T, 2 H) float.

    Args:
        before: C; hidden: H; layers: number of layers.
    """

    def __init__(self, before, hidden, layers):
        super().__init__()
        sizes = [before, *[2 * hidden] * (layers - 1)]
        self.forwards = nn.ModuleList(Lstm(size, hidden) for size in sizes)
        self.backwards = nn.ModuleList(Lstm(size, hidden, backwards=True) for size in sizes)

    def forward(self, x):
        for one, other in zip(self.forwards, self.backwards, strict=True):
            if _fused(x):
                start = x.new_zeros(2, len(x), one.hidden)
                x = torch.lstm(x, (start, start), (*one.weights(), *other.weights()), True, 1, 0.0, False, True, True)[0]
            else:
                x = torch.cat((one(x), other(x)), 2)
        return x


class Gru(nn.Module):
    """GRU (arXiv 1406.1078) in one direction: (N, T, C) float -> (N, T, H) float.

    Args:
        before: C; hidden: H; backwards: whether time runs from the last step to the first.
    """

    def __init__(self, before, hidden, backwards=False):
        super().__init__()
        self.given, self.kept = nn.Linear(before, 3 * hidden), nn.Linear(hidden, 3 * hidden)
        self.hidden, self.backwards = hidden, backwards

    def forward(self, x):
        return self._run(x.flip(1)).flip(1) if self.backwards else self._run(x)

    def _run(self, x):
        if _fused(x):
            weights = self.given.weight, self.kept.weight, self.given.bias, self.kept.bias
            return torch.gru(x, x.new_zeros(1, len(x), self.hidden), weights, True, 1, 0.0, False, False, True)[0]
        given = self.given(x)
        state, found = given.new_zeros(len(x), self.hidden), []
        for step in _steps(x.shape[1], False):
            (reset, update, new), (own_reset, own_update, own_new) = given[:, step].chunk(3, 1), self.kept(state).chunk(3, 1)
            update = (update + own_update).sigmoid()
            state = update * state + (1 - update) * (new + (reset + own_reset).sigmoid() * own_new).tanh()
            found.append(state)
        return torch.stack(found, 1)


def _fused(x):
    """Whether torch's kernels can serve for this input."""
    if torch.compiler.is_compiling() or type(x) is not torch.Tensor:  # a tensor that stands for one of an absent GPU
        return False
    halved = x.dtype == torch.float16 or (torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.float16)
    return x.is_cuda or not halved


def _steps(count, backwards):
    """Numbers of the steps in the order in which they are taken."""
    return reversed(range(count)) if backwards else range(count)

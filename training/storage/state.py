"""Everything that a run needs to go on as if it had not stopped."""

import ast
import pickle
import random

import numpy as np
import torch

from common.errors import InputError
from common.files import atomic_output


class Average:
    """Exponential moving average of a network's weights and of its batch norms' statistics.

    The statistics, too: those of the last few steps scatter with the items that happened to come last (measured: L1 in
    validation 0.0545 with the last ones, 0.046 with averaged ones, after 400 steps of four clips). Whole numbers are copied.

    Args:
        model: the network that is trained.
        decay: per step; early on it is capped at (1 + step) / (10 + step), so that the average is not held by the first
            weights.
    """

    def __init__(self, model, decay):
        self.decay = decay
        self.values = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model, step):
        """Take in the weights after step number `step`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        state = model.state_dict()
        names = [name for name, tensor in state.items() if tensor.is_floating_point()]
        whole = [name for name, tensor in state.items() if not tensor.is_floating_point()]
        torch._foreach_lerp_([self.values[name] for name in names], [state[name] for name in names], 1 - decay)
        if whole:
            torch._foreach_copy_([self.values[name] for name in whole], [state[name] for name in whole])


def random_states():
    """State of this process's random generators, in types that are read back without running anything."""
    return {
        "python": repr(random.getstate()),
        "numpy": [value.tolist() if isinstance(value, np.ndarray) else value for value in np.random.get_state()],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random(stored):
    """Put back what `random_states` gave."""
    random.setstate(ast.literal_eval(stored["python"]))
    name, keys, *rest = stored["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    torch.set_rng_state(stored["torch"])
    if stored["cuda"] and torch.cuda.is_available() and len(stored["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(stored["cuda"])


def save_state(path, state):
    """Write a dict of tensors and plain values, whole or not at all.

    Raises:
        StorageError: it cannot be written; what was at `path` before is there still.
    """
    try:
        with atomic_output(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:  # torch.save says RuntimeError where the disk is full
        raise StorageError(path, error) from error


def load_state(path):
    """What `save_state` wrote, on the CPU; nothing in the file is run.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, KeyError, RuntimeError, ValueError, EOFError, TypeError, pickle.UnpicklingError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path}: cannot resume from it ({reason}); remove the run folder to start anew") from error


class StorageError(Exception):
    """A checkpoint or snapshot could not be written; `path` holds what was there before.

    It goes from the first process to the others, so its arguments are plain values, from which pickle makes it again.

    Args:
        path: of the file.
        error: the exception that stopped the writing, or the reason in words.
    """

    def __init__(self, path, error):
        reason = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), type(error).__name__)
        super().__init__(str(path), reason)

    def __str__(self):
        path, reason = self.args
        return f"{path}: cannot be written ({reason}); the one before, where there was one, is whole"

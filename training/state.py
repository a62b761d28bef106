"""Everything that a run needs to go on as if it had not stopped."""

import random

import numpy as np
import torch

from common.errors import InputError
from common.files import atomic_output


class Average:
    """Exponential moving average of a network's weights; its buffers are copied.

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
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.values[name].lerp_(tensor, 1 - decay)
            else:
                self.values[name].copy_(tensor)


def save_state(path, **parts):
    """Write state dicts, the step and the random generators, whole or not at all."""
    random_state = {
        "python": repr(random.getstate()),
        "numpy": [value.tolist() if isinstance(value, np.ndarray) else value for value in np.random.get_state()],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    with atomic_output(path) as temporary:
        torch.save({**parts, "random": random_state}, temporary)


def load_state(path):
    """What `save_state` wrote, on the CPU; nothing in the file is run.

    Raises:
        InputError: the file is damaged.
    """
    import ast

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        stored = state.pop("random")
        random.setstate(ast.literal_eval(stored["python"]))
        name, keys, *rest = stored["numpy"]
        np.random.set_state((name, np.array(keys, np.uint32), *rest))
        torch.set_rng_state(stored["torch"])
        if stored["cuda"] and torch.cuda.is_available() and len(stored["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(stored["cuda"])
    except (OSError, KeyError, RuntimeError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot resume from it ({error}); remove the run folder to start anew") from error
    return state

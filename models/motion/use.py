"""A network in the middle of training, as it will be in use."""

from contextlib import contextmanager


@contextmanager
def as_in_use(module):
    """The module as after training: running statistics, no dropout; gradients flow. What trained before trains again."""
    training = [one for one in module.modules() if one.training]
    for one in training:
        one.training = False
    try:
        yield
    finally:
        for one in training:
            one.training = True

"""DAVS: frames of a window, as networks that know no windows take them."""


def each_frame(network, values):
    """Apply a network that knows no windows to (B, T, ...): each of its outputs becomes (B, T, ...), too."""
    made = network(values.flatten(0, 1))
    if isinstance(made, tuple):
        return tuple(one.unflatten(0, values.shape[:2]) for one in made)
    return made.unflatten(0, values.shape[:2])


def span(count, stride):
    """Frames from the first to the last of `count` with a step of `stride`."""
    return (count - 1) * stride + 1

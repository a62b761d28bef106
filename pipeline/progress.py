"""Progress over the frames of a video."""

from common.terminal import counting


def bar(what, total):
    """Context with a common.terminal.Counter of `total` frames (None: not known): a bar on a terminal, else a line a minute."""
    return counting(total, "frame", what, leave=False)

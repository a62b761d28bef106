"""The drawn faces of a shot held still, one after the other: what to do where a frame cannot be registered (ours)."""

import numpy as np

from faces.stabilise import registration, warped

HELD_SECONDS = 0.2  # in which a held transform falls to 1 / e of its size


class Stabiliser:
    """Registers each drawn face to the real one, see `faces.stabilise.registration`.

    Where a frame has no plausible transform, the last one of the shot is taken, and falls off towards none: a face that was
    registered in the frame before would else jump back to where the network has drawn it.

    Args:
        fps: frames a second.

    Attributes:
        refused: number of frames that had no plausible transform.
    """

    def __init__(self, fps):
        self._kept = float(np.exp(-1 / (HELD_SECONDS * float(fps))))
        self._last = None
        self.refused = 0

    def __call__(self, drawn, target, landmarks):
        """The next drawn face (S, S, 3) uint8 RGB, held still; arguments as of `faces.stabilise.stabilised`."""
        matrix = registration(drawn, target, landmarks)
        if matrix is None:
            self.refused += 1
            if self._last is None:
                return drawn
            matrix = np.eye(2, 3) + self._kept * (self._last - np.eye(2, 3))
        self._last = matrix
        return warped(drawn, matrix)

"""Which rows of a drawn face are looked at."""

import numpy as np

PASTE_MARGIN = 3  # rows above the first pasted one that the interpolation of the paste may look at


def first_row(mask):
    """First row of a drawn face that a paste with this mask looks at.

    Args:
        mask: (S, S) float32 with a weight above 0 somewhere, or None: all of the face is looked at.

    Returns:
        int in [0, S).
    """
    return 0 if mask is None else max(0, int(np.flatnonzero(mask.any(axis=1))[0]) - PASTE_MARGIN)

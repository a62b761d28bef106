"""Parts of a large frame in which a small face is looked for, and in which frames it is worth while.

A face finder sees faces down to a fixed share of its picture. Where the whole frame shows none, overlapping squares are
searched, then squares of half the side, and so on; a video without any face is searched so now and then alone (ours).
"""

import numpy as np

FROM = 480  # frames with a longer side than this are searched in squares too when the whole shows no face
LEAST = 96  # strips narrower than this are not searched in squares: there would be very many, and no face with a mouth
FINEST = 640  # pixels: squares of the finest level are not smaller; the finder sees faces of about 45 pixels there
OVERLAP = 0.25  # of the side, from the second level on: larger faces are found a level before
EAGER, EVERY = 3, 12  # frames in a row without a face that are searched to the finest level; then one in so many


def levels(height, width):
    """Squares over a frame, coarse ones first: list of lists of (top, left, rows, columns); [] for small or narrow frames."""
    if max(height, width) <= FROM or min(height, width) < LEAST:
        return []
    side = int(min(max(height, width) * 0.6, min(height, width)))
    found = [_squares(height, width, side, [int(np.ceil(length / side * 1.5)) for length in (height, width)])]
    while side / 2 >= FINEST * 0.75:
        side = min(max(FINEST, side // 2), height, width)
        step = side * (1 - OVERLAP)
        found.append(_squares(height, width, side, [1 + int(np.ceil((length - side) / step)) for length in (height, width)]))
    return found


def _squares(height, width, side, counts):
    """Squares of `side` pixels, spread evenly, so many down and across."""
    extents = zip((height, width), counts, strict=True)
    tops, lefts = (np.unique(np.linspace(0, length - side, max(1, count)).astype(int)) for length, count in extents)
    return [(int(top), int(left), side, side) for top in tops for left in lefts]


class SearchDepth:
    """How deep to search each frame: to the finest level in the first frames without a face, then in one of EVERY."""

    def __init__(self):
        self._misses = 0

    def deep(self):
        """True when the next search is worth all levels."""
        return self._misses < EAGER or self._misses % EVERY == 0

    def update(self, found):
        """What the search came to."""
        self._misses = 0 if found else self._misses + 1

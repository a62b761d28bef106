"""A picture laid over a part of a frame, weighted; what has no weight keeps its bits."""

import numpy as np


def paste(lay, frame):
    """Copy of a frame with what the `lay` of a crop returned blended in.

    Args:
        lay: ((rows, columns) slices, (h, w, 3) uint8, (h, w) float32 weights), or None: nothing lies in the frame.
        frame: (H, W, 3) uint8.
    """
    out = frame.copy()
    if lay is not None:
        place, laid, weight = lay
        out[place] = blend(frame[place], laid, weight)
    return out


def blend(frame, face, weight):
    """(h, w, 3) uint8: `face` over `frame` with the weights (h, w) float32."""
    mixed = frame + (face.astype(np.float32) - frame) * weight[..., None]
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)

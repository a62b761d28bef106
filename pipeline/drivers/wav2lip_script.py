"""What the public Wav2Lip inference script computes, where it differs from our own way (facts read in W2L `inference.py`).

The windows of the audio are in `speech.windows.wav2lip_inference_starts`; the crop by `cv2.resize` of whole pixels is
`faces.crops.BoxCrop`. Here: its smoothing of boxes, which looks ahead.
"""

import numpy as np

from faces.crops import BoxCrop
from faces.tracking.smoothing import segments

BOX_WINDOW = 5


def smooth_boxes(boxes, window=BOX_WINDOW):
    """Mean of each box and those after it, truncated to whole pixels, as the public script does it in place.

    Box i becomes the mean of boxes i ... i + window - 1. The last ones, which have fewer successors, all take the last `window`
    places of the list, in which the earlier ones have been replaced already (of a shorter list: its last `window` - N places,
    for there the public slice counts from the end).

    Args:
        boxes: (N, 4) ints.

    Returns:
        (N, 4) int64.
    """
    boxes = np.array(boxes, np.int64)
    for i in range(len(boxes)):
        following = boxes[i : i + window] if i + window <= len(boxes) else boxes[len(boxes) - window :]
        boxes[i] = following.mean(axis=0)
    return boxes


def smooth_crops(crops):
    """`smooth_boxes` over each run of frames with a face; the public script knows no frames without one.

    Args:
        crops: list of BoxCrop or None.

    Returns:
        list of BoxCrop or None.
    """
    out = list(crops)
    for start, end in segments([crop is not None for crop in crops]):
        for offset, box in enumerate(smooth_boxes([crop.box for crop in crops[start:end]])):
            out[start + offset] = BoxCrop(tuple(int(value) for value in box), crops[start + offset].size)
    return out

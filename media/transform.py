"""Geometry of whole frames before anything else looks at them: shrink, quarter turn, crop; pure functions.

The three steps, their order, and the meaning of -1 are those of Wav2Lip's flags --resize_factor, --rotate and --crop.
"""

import numpy as np

from common.errors import InputError

WHOLE = (0, -1, 0, -1)


def crop_bounds(width, height, crop):
    """Resolve a crop of (top, bottom, left, right) against a frame size.

    Args:
        width, height: pixels of the frame that is cropped.
        crop: four ints; ends are exclusive; -1 for bottom or right means the frame's edge.

    Returns:
        (top, bottom, left, right), all within the frame.

    Raises:
        InputError: not four integers, outside the frame, or nothing left.
    """
    values = tuple(crop)
    if len(values) != 4 or any(isinstance(v, bool) or not isinstance(v, int | np.integer) for v in values):
        raise InputError(f"crop={values}: give four whole numbers: top bottom left right")
    top, bottom, left, right = (int(v) for v in values)
    bottom, right = height if bottom == -1 else bottom, width if right == -1 else right
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise InputError(f"crop={values}: outside the frame of {width}x{height}, or empty (order: top bottom left right)")
    return top, bottom, left, right


def resized_size(width, height, factor):
    """(width, height) after division by `resize_factor`, rounded down; InputError when it is below 1 or leaves nothing."""
    if isinstance(factor, bool) or not isinstance(factor, int | np.integer) or factor < 1:
        raise InputError(f"resize_factor={factor!r}: give a whole number, 1 or more")
    if width // factor < 1 or height // factor < 1:
        raise InputError(f"resize_factor={factor}: leaves nothing of a frame of {width}x{height}")
    return width // int(factor), height // int(factor)


def transformed_size(width, height, *, resize_factor=1, rotate=False, crop=WHOLE):
    """(width, height) of what `transform_frame` gives for a frame of this size."""
    width, height = resized_size(width, height, resize_factor)
    if rotate:
        width, height = height, width
    top, bottom, left, right = crop_bounds(width, height, crop)
    return right - left, bottom - top


def transform_frame(frame, *, resize_factor=1, rotate=False, crop=WHOLE):
    """Shrink, then turn, then crop a frame.

    Args:
        frame: (H, W, 3) uint8.
        resize_factor: both sides are divided by it, rounded down; pixels are averaged over their area.
        rotate: turn by 90 degrees clockwise.
        crop: (top, bottom, left, right) in pixels of the shrunk and turned frame; -1 for bottom or right means its edge.

    Returns:
        (H', W', 3) uint8, contiguous; the same array when there is nothing to do.

    Raises:
        InputError: a factor or crop that does not fit the frame.
    """
    height, width = frame.shape[:2]
    size = resized_size(width, height, resize_factor)
    if size != (width, height):
        import cv2

        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    if rotate:
        frame = np.rot90(frame, -1)
    top, bottom, left, right = crop_bounds(frame.shape[1], frame.shape[0], crop)
    return np.ascontiguousarray(frame[top:bottom, left:right])

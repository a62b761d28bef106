"""Square pictures of faces brought to the size of a prepared corpus."""

import numpy as np


def middle_resized(pictures, middle, size):
    """The middle of square pictures, resized.

    Args:
        pictures: (F, side, side, 3) uint8; middle: pixels of the side that are kept; size: S, pixels of the result.

    Returns:
        (F, S, S, 3) uint8, and the matrix (F, 2, 3) float64 from pixels of a picture to those of its result, pixel centres at
        whole numbers.
    """
    import cv2

    border, scale = (pictures.shape[1] - middle) // 2, size / middle
    shift = (0.5 - border) * scale - 0.5
    matrix = np.tile(np.array([[scale, 0, shift], [0, scale, shift]]), (len(pictures), 1, 1))
    faces = pictures[:, border : border + middle, border : border + middle]
    if size != middle:
        way = cv2.INTER_AREA if size < middle else cv2.INTER_LINEAR
        faces = np.stack([cv2.resize(face, (size, size), interpolation=way) for face in faces])
    return np.ascontiguousarray(faces), matrix

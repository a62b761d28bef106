"""Contact sheets: rows of pictures with a title each, in the pixels that were drawn."""

import cv2
import numpy as np

from common.files import atomic_output

ZOOM_BELOW = 160  # smaller pictures are shown twice as large


def strip(label, pictures):
    """[title, row]: (H, W, 3) uint8 each, of (S, S, 3) uint8 pictures beside one another."""
    row = np.concatenate(pictures, axis=1)
    if len(row) < ZOOM_BELOW:
        row = cv2.resize(row, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    title = np.full((22, row.shape[1], 3), 255, np.uint8)
    cv2.putText(title, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return [title, row]


def write_sheet(rows, path):
    """Write a PNG of rows of `strip`, which are equally wide."""
    with atomic_output(path) as temporary:
        cv2.imwrite(str(temporary), np.concatenate(rows)[..., ::-1])

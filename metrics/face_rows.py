"""Face crops of one video in a row, above those of the real one: a picture of the contact sheet."""

import numpy as np

SHOWN = 8
_QUALITY = 85


def evenly_spaced(pictures, count=SHOWN):
    """`count` of the pictures at even distances, the first and the last among them; fewer when there are not as many."""
    held = list(pictures)
    return [held[at] for at in np.unique(np.linspace(0, len(held) - 1, min(count, len(held))).round().astype(int))]


def draw_face_rows(rows):
    """Lay face crops out in rows and encode them.

    Args:
        rows: list of iterables of (S, S, 3) uint8 RGB crops, one for each video; SHOWN of each are drawn.

    Returns:
        bytes of a JPEG; black where a row has fewer crops.
    """
    import cv2

    picked = [evenly_spaced(row) for row in rows]
    side, columns = picked[0][0].shape[0], max(map(len, picked))
    sheet = np.zeros((side * len(picked), side * columns, 3), np.uint8)
    for at, row in enumerate(picked):
        for column, crop in enumerate(row):
            sheet[at * side : (at + 1) * side, column * side : (column + 1) * side] = crop
    return cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()

"""Faces of a validation in one picture: a row to a kind, a column to a sample."""

import numpy as np

from common.files import atomic_output

GAP, MARGIN = 2, 72  # pixels, between faces and for the names on the left
MOST = 8  # columns


def picture_grid(pictures, *, most=MOST):
    """Faces side by side.

    Args:
        pictures: dict of name -> (N, 3, S, S) array, RGB, 0-1; what lies outside is cut, NaN is black. A row to a name, in
            order; N and S may differ from row to row.
        most: columns at the utmost.

    Returns:
        ((H, W, 3) uint8 RGB on white, tuple of the first pixel row of each name).

    Raises:
        ValueError: nothing to show, or an array of another shape.
    """
    rows = {name: np.asarray(faces)[:most] for name, faces in pictures.items()}
    for name, faces in rows.items():
        if faces.ndim != 4 or faces.shape[1] != 3 or not len(faces):
            raise ValueError(f"{name}: pictures must be (N, 3, S, S), not {faces.shape}")
    if not rows:
        raise ValueError("no pictures to show")
    width = max(len(faces) * (faces.shape[3] + GAP) - GAP for faces in rows.values())
    height = sum(faces.shape[2] + GAP for faces in rows.values()) - GAP
    canvas, top, tops = np.full((height, width, 3), 255, np.uint8), 0, []
    for faces in rows.values():
        size, side = faces.shape[2:]
        finite = np.nan_to_num(faces.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0)
        pixels = (finite.clip(0, 1) * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
        for column, face in enumerate(pixels):
            canvas[top : top + size, column * (side + GAP) : column * (side + GAP) + side] = face
        tops.append(top)
        top += size + GAP
    return canvas, tuple(tops)


def labelled_grid(pictures, *, most=MOST):
    """`picture_grid` with the names on the left.

    Returns:
        (H, W, 3) uint8 RGB; None where Pillow is not installed, which writes the names.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        return None
    grid, tops = picture_grid(pictures, most=most)
    page = Image.new("RGB", (grid.shape[1] + MARGIN, grid.shape[0]), "white")
    page.paste(Image.fromarray(grid), (MARGIN, 0))
    draw = ImageDraw.Draw(page)
    for name, top in zip(pictures, tops, strict=True):
        draw.text((4, top + 4), name, fill="black")
    return np.asarray(page)


def write_picture(path, array):
    """Write (H, W, 3) uint8 RGB as PNG; needs Pillow."""
    from PIL import Image

    with atomic_output(path) as temporary:
        Image.fromarray(array).save(temporary, format="PNG")

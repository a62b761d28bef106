"""Faces of a validation on one page: a row for each kind, a column for each clip, with names, clips and the step."""

import textwrap
from dataclasses import dataclass

import numpy as np

from common.files import atomic_output

GAP, MARGIN, TITLE = 4, 112, 34  # pixels: between faces; for the names on the left; for the line at the top
MOST = 8  # columns
SIDE = 160  # pixels: smaller faces are enlarged by a whole number until their side is at least this
_TEXT, _SMALL = 16, 13  # pixels: letters of names and title, of clips
_LINES = 3  # of a clip's name


@dataclass(frozen=True)
class Faces:
    """What a validation shows.

    Attributes:
        rows: dict of name -> (N, 3, S, S) array, RGB, 0-1; what lies outside is cut, NaN is black. A row for each name, in
            order; N and S may differ from row to row.
        clips: name of the clip (and frame) of each column; () where nothing is known of them.
    """

    rows: dict
    clips: tuple = ()

    def __post_init__(self):
        if not self.rows:
            raise ValueError("no pictures to show")
        for name, faces in self.rows.items():
            if np.ndim(faces) != 4 or np.shape(faces)[1] != 3 or not len(faces):
                raise ValueError(f"{name}: pictures must be (N, 3, S, S), not {np.shape(faces)}")


def picture_grid(rows, *, most=MOST):
    """Faces side by side, small ones enlarged.

    Args:
        rows: as of Faces.
        most: columns at the utmost.

    Returns:
        ((H, W, 3) uint8 RGB on white, list of the first pixel row of each name, list of the first pixel of each column).
    """
    rows = {name: np.asarray(faces)[:most] for name, faces in rows.items()}
    scales = [max(1, -(-SIDE // faces.shape[3])) for faces in rows.values()]
    side = max(scale * faces.shape[3] for scale, faces in zip(scales, rows.values(), strict=True))
    columns = max(map(len, rows.values()))
    heights = [scale * faces.shape[2] for scale, faces in zip(scales, rows.values(), strict=True)]
    canvas = np.full((sum(heights) + GAP * (len(rows) - 1), columns * (side + GAP) - GAP, 3), 255, np.uint8)
    tops = [sum(heights[:at]) + GAP * at for at in range(len(rows))]
    lefts = [at * (side + GAP) for at in range(columns)]
    for faces, scale, top in zip(rows.values(), scales, tops, strict=True):
        finite = np.nan_to_num(faces.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0)
        pixels = (finite.clip(0, 1) * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
        for left, face in zip(lefts, pixels.repeat(scale, 1).repeat(scale, 2), strict=False):
            canvas[top : top + face.shape[0], left : left + face.shape[1]] = face
    return canvas, tops, lefts


def faces_page(faces, step, *, most=MOST):
    """`picture_grid` with the step above it, the names on the left, and the clips below.

    Args:
        faces: Faces.
        step: number of training steps done.
        most: columns at the utmost.

    Returns:
        (H, W, 3) uint8 RGB; None where Pillow is not installed, which writes the text.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        return None
    grid, tops, lefts = picture_grid(faces.rows, most=most)
    font, small = (ImageFont.load_default(size) for size in (_TEXT, _SMALL))
    letters = max(4, int(((lefts + [grid.shape[1] + GAP])[1] - GAP) / small.getlength("0")))
    clips = [_wrapped(clip, letters) for clip in faces.clips[: len(lefts)]]
    foot = (_SMALL + 3) * max((len(lines) for lines in clips), default=0) + GAP * bool(clips)
    title = f"step {step}: frames of validation windows, averaged weights"
    wide = max(MARGIN + grid.shape[1], int(font.getlength(title)) + 16)
    page = Image.new("RGB", (wide, TITLE + grid.shape[0] + foot), "white")
    page.paste(Image.fromarray(grid), (MARGIN, TITLE))
    draw = ImageDraw.Draw(page)
    draw.text((8, 8), title, fill="black", font=font)
    for name, top in zip(faces.rows, tops, strict=True):
        draw.text((8, TITLE + top + 6), name, fill="black", font=font)
    for left, lines in zip(lefts, clips, strict=False):
        draw.multiline_text((MARGIN + left, TITLE + grid.shape[0] + GAP), "\n".join(lines), fill="black", font=small, spacing=1)
    return np.asarray(page)


def _wrapped(text, letters):
    """At most _LINES lines of a clip's name; of a longer one the end is shown, which tells clips apart."""
    text = "".join(one if one.isprintable() else " " for one in text)
    longest = letters * _LINES - 3
    return textwrap.wrap(text if len(text) <= longest else f"...{text[-longest:]}", letters)[:_LINES]


def write_picture(path, array):
    """Write (H, W, 3) uint8 RGB as PNG; needs Pillow."""
    from PIL import Image

    with atomic_output(path) as temporary:
        Image.fromarray(array).save(temporary, format="PNG")

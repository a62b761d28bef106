"""A contact sheet: frames of a video, evenly spaced in time, on one picture.

    python -m media.contact_sheet VIDEO --outfile SHEET.png [--columns 6] [--rows 4] [--crop x1,y1,x2,y2]
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from common import cli
from common.errors import InputError
from common.files import atomic_output, require_file
from common.places import check_output

GAP, LABEL = 4, 16  # pixels between cells, and for the time above each
BACKGROUND, INK = (24, 24, 24), (210, 210, 210)


def pick_frames(path, count, crop=None):
    """Frames of a video at the middles of `count` equal spans of time, in order.

    The video is decoded twice (once to count, because containers lie), and only the picked frames are held.

    Args:
        path: video file.
        count: how many at most; a shorter video gives all its frames.
        crop: (x1, y1, x2, y2) in pixels, end exclusive, or None for whole frames.

    Returns:
        List of (seconds, (h, w, 3) uint8 RGB).

    Raises:
        InputError: not a readable video, or `crop` outside the frame.
    """
    from media import VideoReader

    with VideoReader(require_file(path, "video")) as reader:
        info = reader.info
        x1, y1, x2, y2 = crop or (0, 0, info.width, info.height)
        if not (0 <= x1 < x2 <= info.width and 0 <= y1 < y2 <= info.height):
            raise InputError(f"--crop {x1},{y1},{x2},{y2}: outside the frame, which is {info.width}x{info.height}")
        total = sum(1 for _ in reader)
        count = min(count, total)
        wanted = {(2 * i + 1) * total // (2 * count) for i in range(count)}
        return [(float(i / info.fps), frame[y1:y2, x1:x2].copy()) for i, frame in enumerate(reader) if i in wanted]


def draw_sheet(frames, columns, width=224):
    """Lay frames out in rows, the time in seconds above each.

    Args:
        frames: non-empty list of (seconds, (h, w, 3) uint8 RGB), all of one size.
        columns: cells in a row.
        width: width of a cell in pixels; the height follows the frames' shape.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    import cv2

    source_height, source_width = frames[0][1].shape[:2]
    height = max(1, round(source_height * width / source_width))
    columns = min(columns, len(frames))
    rows = -(-len(frames) // columns)
    sheet = np.full((rows * (height + LABEL + GAP) + GAP, columns * (width + GAP) + GAP, 3), BACKGROUND, np.uint8)
    method = cv2.INTER_AREA if width < source_width else cv2.INTER_CUBIC
    for cell, (seconds, frame) in enumerate(frames):
        top = GAP + cell // columns * (height + LABEL + GAP)
        left = GAP + cell % columns * (width + GAP)
        cv2.putText(sheet, f"{seconds:.2f} s", (left, top + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
        cell_image = cv2.resize(frame, (width, height), interpolation=method)
        sheet[top + LABEL : top + LABEL + height, left : left + width] = cell_image
    return sheet


def contact_sheet(path, outfile, *, columns=6, rows=4, width=224, crop=None):
    """Write a contact sheet of the video `path` as a PNG; returns its (height, width) in pixels. Arguments as above.

    Raises:
        InputError: see `pick_frames`; or `outfile` is not a .png, or the layout is out of range.
    """
    import cv2

    if Path(outfile).suffix.lower() != ".png":
        raise InputError(f"{outfile}: a contact sheet is a .png")
    check_output(outfile, [path])
    if not (1 <= columns <= 50 and 1 <= rows <= 50 and 16 <= width <= 2048):
        raise InputError(f"{columns} columns, {rows} rows, {width} pixels: give 1 to 50 columns and rows, 16 to 2048 pixels")
    sheet = draw_sheet(pick_frames(path, columns * rows, crop), columns, width)
    done, png = cv2.imencode(".png", np.ascontiguousarray(sheet[..., ::-1]))
    if not done:
        raise RuntimeError("OpenCV could not encode the contact sheet")
    with atomic_output(outfile) as temporary:
        temporary.write_bytes(png.tobytes())
    return sheet.shape[:2]


def _crop(text):
    numbers = tuple(int(part) for part in text.split(","))
    if len(numbers) != 4:
        raise ValueError(text)
    return numbers


def main(argv):
    parser = argparse.ArgumentParser(description="Evenly spaced frames of a video on one PNG.")
    parser.add_argument("video")
    parser.add_argument("--outfile", required=True, help="a .png")
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--width", type=int, default=224, help="of one cell, in pixels")
    parser.add_argument("--crop", type=_crop, metavar="x1,y1,x2,y2", help="show this part of the frames, in pixels")
    args = parser.parse_args(argv)
    height, width = contact_sheet(
        args.video, args.outfile, columns=args.columns, rows=args.rows, width=args.width, crop=args.crop
    )
    print(f"{args.outfile}: {width}x{height}")


if __name__ == "__main__":
    sys.exit(cli.run(main))

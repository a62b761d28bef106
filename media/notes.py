"""What is changed in footage before it is used, in one sentence each; and how programs say so."""

import sys

from common.cli import one_line

GREY_LEVEL = 128
ALPHA = f"transparent parts are laid over a grey of {GREY_LEVEL}"
INTERLACED = "interlaced frames are deinterlaced"
DOLBY = "Dolby Vision without a layer that others can show: its colours are wrong; export it as HDR10, HLG or SDR"
_said = set()


def say_notes(info, file=None):
    """Print the notes of a file, one a line, unless this process has said them already.

    Args:
        info: VideoInfo.
        file: text stream; None is stderr.
    """
    for note in info.notes:
        if (info.path, note) not in _said:
            _said.add((info.path, note))
            print(one_line(f"note: {info.path}: {note}"), file=file or sys.stderr, flush=True)


def many_tracks(count, number, width, height):
    """Which of several video tracks is read; `number` counts from 1."""
    return f"it holds {count} video tracks; number {number} ({width}x{height}) is read"

"""What is changed in footage before it is used, in one sentence each; and how programs say so."""

from common.notes import say_note

GREY_LEVEL = 128
ALPHA = f"transparent parts are laid over a grey of {GREY_LEVEL}"
INTERLACED = "interlaced frames are deinterlaced"
DOLBY = "Dolby Vision without a layer that others can show: its colours are wrong; export it as HDR10, HLG or SDR"


def say_notes(info):
    """Print the notes of a VideoInfo, one a line, unless this process has said them already."""
    for note in info.notes:
        say_note(f"{info.path}: {note}")


def many_tracks(count, number, width, height):
    """Which of several video tracks is read; `number` counts from 1."""
    return f"it holds {count} video tracks; number {number} ({width}x{height}) is read"

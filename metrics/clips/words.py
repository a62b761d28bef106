"""The words of a real video, with their times, from the file that lies where its corpus puts it."""

from pathlib import Path

from speech.alignment.given import read_alignment

SUFFIXES = (".align", ".TextGrid")
FOLDERS = (".", "align", "../align")  # seen from the video: beside it, or as GRID unpacks


def words_file(video):
    """Path of the alignment of a video, `NAME.align` or `NAME.TextGrid`; None where there is none."""
    video = Path(video)
    found = (video.parent / folder / (video.stem + suffix) for folder in FOLDERS for suffix in SUFFIXES)
    return next((path for path in found if path.is_file()), None)


def read_words(path, seconds):
    """Words of an alignment file.

    Args:
        path: from `words_file`; seconds: length of the video.

    Returns:
        list of (word, start, end), seconds; pauses are left out.

    Raises:
        InputError: see `speech.alignment.given.read_alignment`.
    """
    return [(word.label, word.start, word.end) for word in read_alignment(path, seconds, part=True).words if word.label]

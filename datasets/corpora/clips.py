"""One clip of a corpus before it is opened, and which files of a folder are clips."""

import os
from dataclasses import dataclass
from pathlib import Path

VIDEO_SUFFIXES = (
    ".mp4", ".mpg", ".mpeg", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".ts", ".mts", ".m2ts", ".mxf", ".vob", ".3gp",
    ".wmv", ".flv",
)  # fmt: skip
AUDIO_SUFFIXES = (".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus")


@dataclass(frozen=True)
class ClipSource:
    """One clip of a corpus, before preparation.

    Attributes:
        id: unique inside the corpus, speaker/clip, with forward slashes; also the name of the prepared file.
        path: the video.
        speaker: who speaks; in LRS2 and plain folders the folder's name stands for it, in LRW, which names nobody, the id.
        transcript: words, or "" where none is given.
        align: path of a file with word or phone times (GRID's .align, LRS2's pretrain text, a TextGrid), or None; seconds of it
            are seconds of the video.
        split: "train", "val" or "test" where the corpus itself says so, else None.
        complete: whether the transcript is all that is said. LRW's is not: its clips hold the words around the one, too, so a
            forced alignment of the one would stretch it over them.
        word: the one word that a clip of LRW is labelled with, in lower case; "" in other corpora.
        fault: why its name alone keeps it from being prepared, to go on from the path; "" where nothing does.
    """

    id: str
    path: Path
    speaker: str
    transcript: str = ""
    align: Path | None = None
    split: str | None = None
    complete: bool = True
    word: str = ""
    fault: str = ""


def videos_in(folder):
    """Videos right in a folder, one for each name without suffix, hidden ones left out.

    Two files whose names differ in the suffix alone are one clip, such as an original .mpg and an .mp4 copy of it; the .mp4 is
    taken, or else the first by name.

    Args:
        folder: path; no videos where there is no such folder.

    Returns:
        list of Path, sorted by name without suffix.
    """
    taken = {}
    for name in sorted(file_names(folder), key=lambda name: (not name.lower().endswith(".mp4"), name)):
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in VIDEO_SUFFIXES and not name.startswith("."):
            taken.setdefault(stem, Path(folder, name))
    return [taken[stem] for stem in sorted(taken)]


def file_names(folder):
    """Names of the files right in a folder, in no order; none where there is no such folder."""
    if not os.path.isdir(folder):
        return []
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_file()]


def folders_in(folder):
    """Folders right in a folder, hidden ones left out, sorted by name; none where there is no such folder."""
    if not os.path.isdir(folder):
        return []
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    return [Path(folder, name) for name in names]

"""What to say of a folder that is not laid out as its corpus."""

import os
import re
from itertools import islice
from pathlib import Path

from datasets.corpora.clips import AUDIO_SUFFIXES, VIDEO_SUFFIXES

_ARCHIVE = re.compile(r".+(\.(zip|tar|tgz|gz|bz2|xz|7z|rar)|[-_]part[a-z]{2})", re.IGNORECASE)
_SHOWN = 6  # entries of a folder that a message names
_LOOKED_AT = 20_000  # files that are looked at below one entry


def describe(root):
    """What lies in a folder, for a message: its first entries with how many videos each holds, archives, sound without picture.

    Args:
        root: Path of a folder.

    Returns:
        str, such as "s1/ (no video), s2/ (12 videos), notes.txt; archives that are not unpacked, such as s1/s1.mpg_vcd.zip".
    """
    entries = sorted(root.iterdir(), key=lambda path: (not path.is_dir(), path.name))
    if not entries:
        return "nothing, it is empty"
    shown, archives, sounds, videos = [], [], [], 0
    for place, entry in enumerate(entries):
        files = list(islice(_files_below(entry), _LOOKED_AT)) if entry.is_dir() else [entry]
        count = sum(_is(file, VIDEO_SUFFIXES) for file in files)
        videos += count
        archives += [file for file in files if _ARCHIVE.fullmatch(file.name)]
        sounds += [file for file in files if _is(file, AUDIO_SUFFIXES)]
        if place < _SHOWN:
            shown.append(f"{entry.name}/ ({_counted(count, len(files) == _LOOKED_AT)})" if entry.is_dir() else entry.name)
    if len(entries) > _SHOWN:
        shown.append(f"{len(entries) - _SHOWN} more")
    text = ", ".join(shown)
    if archives:
        text += f"; archives that are not unpacked, such as {archives[0].relative_to(root).as_posix()}"
    if sounds and not videos:
        text += f"; sound without picture, such as {sounds[0].relative_to(root).as_posix()}"
    return text


def _files_below(folder):
    for place, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in sorted(files))


def _is(path, suffixes):
    return path.suffix.lower() in suffixes


def _counted(count, more):
    if not count:
        return "no video"
    return f"{count}{' or more' if more else ''} video{'' if count == 1 else 's'}"

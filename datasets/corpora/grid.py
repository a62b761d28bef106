"""GRID: `<speaker>/video/*.mpg` with `<speaker>/align/*.align`, and the other trees that its archives unpack to."""

import re
from pathlib import Path

from datasets.corpora.clips import ClipSource, file_names, folders_in, videos_in

LAYOUT = "s1/video/bbaf2n.mpg (or s1/bbaf2n.mpg, video/s1/bbaf2n.mpg) with s1/align/bbaf2n.align or alignments/s1/bbaf2n.align"
WORDS = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    None,  # a letter
    {
        "z": "zero",
        "1": "one",
        "2": "two",
        "3": "three",
        "4": "four",
        "5": "five",
        "6": "six",
        "7": "seven",
        "8": "eight",
        "9": "nine",
    },
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
# (pattern below the root, which part of it is the speaker, whether he must be named s1, s2, ...). Of a clip that lies in
# several of them the first counts, so that the 360x288 videos of the papers come before the 720x576 ones.
_FOLDERS = (
    ("*/video", 0, False),
    ("*/video/mpg_vcd", 0, False),
    ("*", 0, True),
    ("video/*", 1, True),
    ("videos/*", 1, True),
    ("s*.mpg_vcd/*", 1, True),  # unpacked into a folder of the archive's name
    ("*/video/mpg_6000", 0, False),
    ("s*.mpg_6000.part*/*/video/mpg_6000", 1, True),
)
_SPEAKER = re.compile(r"s[0-9]+(_.*)?", re.ASCII)
_SHARED = ("align", "aligns", "alignment", "alignments")  # folders with a folder for each speaker
_SURE = 20  # clips whose names tell speakers apart: a speaker says 1,000 of 64,000 sentences


def list_grid(root):
    """ClipSources of GRID, without order.

    The .mpg original of a clip and an .mp4 copy beside it are one clip, and so are its two resolutions.
    """
    shared = _shared_alignments(root)
    clips = []
    for speaker, paths in _videos(root).items():
        times = _fitting(speaker, set(paths), shared) | _align_files(root / speaker) | _align_files(root / speaker / "align")
        clips += [ClipSource(f"{speaker}/{name}", paths[name], speaker, transcript(name), times.get(name)) for name in paths]
    return clips


def fits_grid(root):
    """Whether a folder holds a video where GRID has them."""
    return any(videos_in(folder) for folder, _ in _video_folders(root))


def transcript(name):
    """Words of a GRID clip from its six-letter name: "bbaf2n" -> "bin blue at f two now"; "" for other names."""
    if len(name) != 6 or not (name[3].isascii() and name[3].isalpha()):
        return ""
    words = [letter if table is None else table.get(letter) for letter, table in zip(name, WORDS, strict=True)]
    return " ".join(words) if all(words) else ""


def _videos(root):
    """{speaker: {clip: Path}}."""
    found = {}
    for folder, speaker in _video_folders(root):
        for path in videos_in(folder):
            found.setdefault(speaker, {}).setdefault(path.stem, path)
    return found


def _video_folders(root):
    """(folder, speaker) in the order of _FOLDERS."""
    for pattern, place, named in _FOLDERS:
        for folder in sorted(root.glob(pattern)):
            parts = folder.relative_to(root).parts
            if not any(part.startswith(".") for part in parts) and (not named or _SPEAKER.fullmatch(parts[place])):
                yield folder, parts[place]


def _align_files(folder):
    """{clip: Path} of the .align files right in a folder."""
    return {name[: -len(".align")]: Path(folder, name) for name in sorted(file_names(folder)) if name.endswith(".align")}


def _shared_alignments(root):
    """{speaker: {clip: Path}} of `alignments/s1/*.align` and the like."""
    found = {}
    for name in _SHARED:
        for folder in folders_in(root / name):
            for place in (folder, folder / "align"):
                found.setdefault(folder.name, {}).update(_align_files(place))
    return found


def _fitting(speaker, names, shared):
    """Those of the shared folders' files that belong to a speaker.

    The archive of all alignments is in circulation with the folders of several speakers exchanged, and a sentence's file from
    another speaker would give wrong times without a word. So his folder counts only when it holds at least half of his clips,
    and where it does not, the folder that holds nine tenths of them, if there are enough of them to tell.
    """
    own = shared.get(speaker, {})
    if 2 * len(names & own.keys()) >= len(names):
        return own
    if len(names) < _SURE:
        return {}
    best = max(sorted(shared), key=lambda other: len(names & shared[other].keys()), default=speaker)
    files = shared.get(best, {})
    return files if len(names & files.keys()) >= 0.9 * len(names) else {}

"""Where the clips of a corpus lie, and what is known of each before it is opened."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError

VIDEO_SUFFIXES = (".mp4", ".mpg", ".mpeg", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".ts")
CORPORA = ("grid", "lrs2", "folder")
LRS2_LISTS = {"train": "train", "val": "val", "test": "test", "pretrain": "train"}
GRID_WORDS = (
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


@dataclass(frozen=True)
class ClipSource:
    """One clip of a corpus, before preparation.

    Attributes:
        id: unique inside the corpus, speaker/clip, with forward slashes; also the name of the prepared file.
        path: the video.
        speaker: who speaks; in LRS2 and plain folders the folder's name stands for it.
        transcript: words, or "" where none is given.
        align: path of a file with word or phone times (GRID's .align, LRS2's pretrain text, a TextGrid), or None; seconds of it
            are seconds of the video.
        split: "train", "val" or "test" where the corpus itself says so, else None.
    """

    id: str
    path: Path
    speaker: str
    transcript: str = ""
    align: Path | None = None
    split: str | None = None


def list_clips(corpus, root):
    """All clips of a corpus, sorted by id.

    Args:
        corpus: "grid" (`s1/video/*.mpg|mp4`, `s1/align/*.align`), "lrs2" (`<video>/<clip>.mp4` with `.txt` beside it, under
            `root` or under `root/main`; file lists `train.txt`, `val.txt`, `test.txt`, `pretrain.txt` are used where they are
            there), or "folder" (any videos below it; a `.txt` beside one is its transcript, a `.TextGrid` or `.align` its
            alignment).
        root: folder.

    Raises:
        InputError: no such folder, an unknown corpus, or no video in it.
    """
    root = Path(root)
    if corpus not in CORPORA:
        raise InputError(f"--corpus {corpus}: unknown; choose one of {', '.join(CORPORA)}")
    if not root.is_dir():
        raise InputError(f"{root}: no such folder (root of the {corpus} corpus)")
    clips = {"grid": _grid, "lrs2": _lrs2, "folder": _folder}[corpus](root)
    if not clips:
        layout = {"grid": "s1/video/*.mpg", "lrs2": "<video>/<clip>.mp4", "folder": "**/*.mp4"}[corpus]
        raise InputError(f"{root}: no video found; the {corpus} corpus is laid out as {layout}")
    return sorted(clips, key=lambda clip: clip.id)


def assign_split(clip_id, speaker, *, unseen_speakers=(), val_share=0.05, test_share=0.05):
    """Split of a clip by a hash of its id: the same on every machine and for every subset of the corpus.

    Returns:
        "unseen" for speakers held out whole, else "test", "val" or "train".
    """
    if speaker in unseen_speakers:
        return "unseen"
    place = int.from_bytes(hashlib.sha256(clip_id.encode()).digest()[:8], "big") / 2**64
    if place < test_share:
        return "test"
    return "val" if place < test_share + val_share else "train"


def grid_transcript(name):
    """Words of a GRID clip from its six-letter name: "bbaf2n" -> "bin blue at f two now"; "" for other names."""
    if len(name) != 6:
        return ""
    words = [letter if table is None else table.get(letter) for letter, table in zip(name, GRID_WORDS, strict=True)]
    return " ".join(words) if all(words) else ""


def _grid(root):
    clips = {}
    for folder in sorted(root.glob("*/video")):
        speaker = folder.parent.name
        for path in _videos(folder, recursive=False):
            align = folder.parent / "align" / f"{path.stem}.align"
            clip = ClipSource(
                f"{speaker}/{path.stem}", path, speaker, grid_transcript(path.stem), align if align.is_file() else None
            )
            clips.setdefault(clip.id, clip)  # the .mpg original and an .mp4 copy of it are one clip
    return list(clips.values())


def _lrs2(root):
    videos = root / "main" if (root / "main").is_dir() else root
    listed = {}
    for name, split in LRS2_LISTS.items():
        path = root / f"{name}.txt"
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                if line.strip():
                    listed[line.split()[0]] = split
    clips = []
    for folder in sorted(entry for entry in videos.iterdir() if entry.is_dir()):
        for path in _videos(folder, recursive=False):
            clip_id = f"{folder.name}/{path.stem}"
            text, align = _lrs_text(path.with_suffix(".txt"))
            clips.append(ClipSource(clip_id, path, folder.name, text.lower(), align, listed.get(clip_id)))
    return clips


def _lrs_text(path):
    """(words of the line `Text:`, the path itself where it has the table of word times, else None); "" without such a line."""
    if not path.is_file():
        return "", None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    words = next((" ".join(line[len("Text:") :].split()) for line in lines if line.startswith("Text:")), "")
    return words, path if any(line.split()[:3] == ["WORD", "START", "END"] for line in lines) else None


def _folder(root):
    clips, taken = [], set()
    for path in _videos(root, recursive=True):
        relative = path.relative_to(root)
        clip_id = relative.with_suffix("").as_posix()
        if clip_id in taken:  # a.mp4 and a.mov in one folder are two clips
            clip_id = relative.as_posix()
        taken.add(clip_id)
        text = path.with_suffix(".txt")
        words, times = _lrs_text(text)
        transcript = words or (" ".join(text.read_text(encoding="utf-8", errors="replace").split()) if text.is_file() else "")
        files = [path.with_suffix(suffix) for suffix in (".TextGrid", ".align")]
        align = next((file for file in files if file.is_file()), times)
        speaker = relative.parent.as_posix() if relative.parent.parts else relative.stem
        clips.append(ClipSource(clip_id, path, speaker, transcript, align))
    return clips


def _videos(folder, recursive):
    paths = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())

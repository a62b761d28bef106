"""LRS2: `main/<video>/<clip>.mp4` and `pretrain/<video>/<clip>.mp4`, a `.txt` beside each, the published lists above them."""

import sys
from pathlib import Path, PurePosixPath

from common.errors import InputError
from datasets.corpora.clips import ClipSource, folders_in, videos_in
from datasets.corpora.texts import read_lrs

LAYOUT = "main/<video>/<clip>.mp4 with <clip>.txt beside it, pretrain/<video>/<clip>.mp4, and train.txt, val.txt, test.txt"
SETS = ("main", "pretrain")
LISTS = ("train", "val", "test")
_ARCHIVE = "mvlrs_v1"  # the folder that the corpus's archive holds


def list_lrs2(root):
    """ClipSources of LRS2, without order.

    A clip of `main` has the id `<video>/<clip>` and the split of the list that names it; one of `pretrain` the id
    `pretrain/<video>/<clip>` and the split "train". A clip of `main` that no list names has none, which a warning tells.

    Raises:
        InputError: a list is malformed, or two of them name the same clip.
    """
    sets = _sets(root)
    clips = []
    for name, folder in sets.items():
        splits = _splits([root, folder.parent] if folder != root else _list_folders(root)) if name == "main" else {}
        found = [clip for video in folders_in(folder) for clip in _clips_of(name, video, splits)]
        _warn_of_unlisted(found, splits, root)
        clips += found
    return clips


def fits_lrs2(root):
    """Whether a folder has LRS2's own folders, with a video where it has them."""
    named = any(name in SETS for name in (root.resolve().name, *(folder.name for folder in _sets(root).values())))
    return named and any(videos_in(video) for folder in _sets(root).values() for video in folders_in(folder))


def read_list(path):
    """Ids of a list: the first field of each line, `<video>/<clip>`; further fields, such as test.txt's NF and MV, are ignored.

    Returns:
        set of str; a leading `main/` and a suffix .mp4 are taken off.

    Raises:
        InputError: the file is no UTF-8 text, or a line's first field is no id.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no UTF-8 text; a list of LRS2 has an id <video>/<clip> a line") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    ids = set()
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        clip_id = fields[0].replace("\\", "/").removeprefix("main/").removesuffix(".mp4")
        parts = clip_id.split("/")
        if len(parts) != 2 or not all(part.strip(".") for part in parts):
            raise InputError(f"{path}: line {number}: {fields[0][:60]!r} is no id <video>/<clip> of LRS2")
        ids.add(clip_id)
    return ids


def _sets(root):
    """{"main" or "pretrain": folder} of what is there; a root without either folder is one of them itself."""
    for base in (root, root / _ARCHIVE):
        found = {name: base / name for name in SETS if (base / name).is_dir()}
        if found:
            return found
    return {"pretrain" if root.resolve().name == "pretrain" else "main": root}


def _list_folders(root):
    """Where the lists of a root lie that is a set itself: in it, or above `main`."""
    return [root, root.resolve().parent] if root.resolve().name == "main" else [root]


def _splits(folders):
    """{id: split} of the published lists; of two lists of one name the first found counts."""
    splits = {}
    for name in LISTS:
        path = next((path for folder in folders if (path := Path(folder, f"{name}.txt")).is_file()), None)
        for clip_id in sorted(read_list(path)) if path else ():
            if splits.setdefault(clip_id, name) != name:
                raise InputError(f"{path}: names {clip_id}, which {splits[clip_id]}.txt has, too; a clip belongs to one split")
    return splits


def _clips_of(name, video, splits):
    for path in videos_in(video):
        clip_id = PurePosixPath(video.name, path.stem).as_posix()
        text, align = read_lrs(path.with_suffix(".txt"))
        if name == "pretrain":
            yield ClipSource(f"pretrain/{clip_id}", path, video.name, text.lower(), align, "train")
        else:
            yield ClipSource(clip_id, path, video.name, text.lower(), align, splits.get(clip_id))


def _warn_of_unlisted(clips, splits, root):
    """Tell of clips without a split where there are lists: a hash of the id will place them."""
    lost = [clip.id for clip in clips if clip.split is None]
    if not splits or not lost:
        return
    absent = [f"{name}.txt" for name in LISTS if name not in splits.values()]
    hint = f"; {', '.join(absent)} gave none, put it beside the others" if absent else ""
    print(f"warning: {root}: {len(lost)} of {len(clips)} clips of main are in no list, such as {min(lost)}; a hash of their id "
          f"decides their split{hint}", file=sys.stderr)  # fmt: skip

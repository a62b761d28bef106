"""Names of the systems that are evaluated: what their rows in the table are called."""

import os
from pathlib import Path

from common.errors import InputError
from datasets.corpora import VIDEO_SUFFIXES
from metrics.clips.pairs import videos_below
from metrics.clips.video_tags import VideoTags, common_tag

_SUFFIXES = (".safetensors", ".pth", ".pt", *VIDEO_SUFFIXES)


def system_names(paths, runs):
    """A name for each system: the name of its training run, or else of its file or folder.

    Where two systems have one name, the file or folder is added to it ("tcsc-last", "tcsc-best"), then the folder above
    ("first-tcsc-best"), then a number.

    Args:
        paths: of the checkpoints, or of the folders (or single videos) that were generated.
        runs: name of the training run of each, or None.

    Returns:
        list of str, no two the same.

    Raises:
        InputError: a path is given twice.
    """
    paths = [Path(os.path.abspath(path)) for path in paths]
    for at, path in enumerate(paths):
        if path in paths[:at]:
            raise InputError(f"{path}: is given twice; give each system once")
    choices = [_choices(path, run) for path, run in zip(paths, runs, strict=True)]
    level = [0] * len(paths)
    while True:
        names = [one[at] for one, at in zip(choices, level, strict=True)]
        again = [at for at, name in enumerate(names) if names.count(name) > 1 and level[at] + 1 < len(choices[at])]
        if not again:
            return _numbered(names)
        for at in again:
            level[at] += 1


def _choices(path, run):
    """Names of one system, from the shortest to the most exact."""
    stem = path.stem if path.suffix.lower() in _SUFFIXES else path.name
    name = run or stem
    own = [] if name == stem else [name]
    return list(dict.fromkeys([name, "-".join([*own, stem]), "-".join([path.parent.name, *own, stem])]))


def _numbered(names):
    found = []
    for name in names:
        count, shown = 1, name
        while shown in found:
            count += 1
            shown = f"{name}-{count}"
        found.append(shown)
    return found


def given_names(names, count):
    """The names of `--names`, checked.

    Args:
        names: list of str.
        count: of the systems.

    Raises:
        InputError: fewer or more than there are systems, an empty one, or one twice.
    """
    if len(names) != count:
        raise InputError(f"--names: {len(names)} name(s) for {count} system(s); give one for each, in their order")
    for at, name in enumerate(names):
        if not name.strip():
            raise InputError("--names: a name is empty; give one for each system")
        if name in names[:at]:
            raise InputError(f"--names {name}: is given twice; give each system another name")
    return list(names)


def folder_tags(path):
    """What the videos of a folder (or a single video) agree on: VideoTags; empty where there is no video."""
    path = Path(path)
    files = videos_below(path).values() if path.is_dir() else [path]
    tags = [VideoTags.read(file) for file in files]
    return VideoTags(run=common_tag(tags, "run"), weights=common_tag(tags, "weights"))

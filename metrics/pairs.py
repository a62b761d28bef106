"""Which generated video belongs to which real one: by name."""

from pathlib import Path

from common.errors import InputError
from common.files import require_file

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".avi", ".mpg", ".mpeg", ".webm")
_SHOWN = 5


def pair_videos(generated, real):
    """Pair two files, or the videos of two folders by name.

    Names are paths below the folder without suffix, so `a/clip.mp4` meets `a/clip.mpg`. Hidden files and files that are not
    videos by their suffix are left out.

    Args:
        generated, real: both files, or both folders.

    Returns:
        list of (name, generated Path, real Path), sorted by name, at least one.

    Raises:
        InputError: one is a file and the other a folder; something is missing or empty; a name appears twice in a folder; the
            two folders do not hold the same names.
    """
    generated, real = Path(generated), Path(real)
    if not generated.is_dir() and not real.is_dir():
        return [(real.stem, require_file(generated, "generated video"), require_file(real, "real video"))]
    for path, what in ((generated, "--generated"), (real, "--real")):
        if not path.exists():
            raise InputError(f"{path}: no such folder ({what})")
        if not path.is_dir():
            raise InputError(f"{path}: is a file, but the other one is a folder; give two files or two folders ({what})")
    made, truth = _by_name(generated), _by_name(real)
    _refuse_lonely(made, truth, generated, real)
    return [(name, made[name], truth[name]) for name in sorted(made)]


def _by_name(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix.lower() not in VIDEO_SUFFIXES or not path.is_file() or any(p.startswith(".") for p in inside.parts):
            continue
        name = inside.with_suffix("").as_posix()
        if name in found:
            raise InputError(f"{path}: has the same name as {found[name]}; keep one of the two in this folder")
        found[name] = path
    if not found:
        raise InputError(f"{folder}: holds no video ({', '.join(VIDEO_SUFFIXES)})")
    return found


def _refuse_lonely(made, truth, generated, real):
    lonely = []
    for ours, theirs, folder in ((made, truth, real), (truth, made, generated)):
        missing = sorted(set(ours) - set(theirs))
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            lonely.append(f"{folder} lacks {', '.join(missing[:_SHOWN])}{more}")
    if lonely:
        raise InputError(f"the folders do not hold the same names ({len(made)} generated, {len(truth)} real): "
                         f"{'; '.join(lonely)}")

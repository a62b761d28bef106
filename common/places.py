"""Where an output lies, and whether two paths are one file: by what they are, not by how they are written."""

import os
import stat
import unicodedata
from contextlib import suppress
from pathlib import Path

from common.errors import InputError

_SHOWN = 60  # characters of a path that a message repeats when the path is too long
_NAME_MAX, _PATH_MAX = 255, 4096  # bytes, where the system does not say
_STREAMS = ("/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")


def written_place(path):
    """Path of the file that an output at `path` makes or replaces: links are followed, and a link that leads to no file yet
    stands for the file that it names.

    Raises:
        InputError: a folder, a device, a pipe, or a link that leads round in a circle.
    """
    shown, place = path, os.path.realpath(path)
    if str(path).startswith(_STREAMS):
        raise InputError(f"{shown}: is a stream, and a result is written whole or not at all; give a file name for the output")
    try:
        mode = os.lstat(place).st_mode
    except (OSError, ValueError):  # nothing is there, or nothing that can be seen
        return Path(place)
    if stat.S_ISLNK(mode):
        raise InputError(f"{shown}: is a link that leads round in a circle; give a file name for the output")
    if stat.S_ISDIR(mode):
        raise InputError(f"{shown}: is a folder; give a file name for the output")
    if not stat.S_ISREG(mode):
        raise InputError(f"{shown}: is a device or a pipe, not a file; give a file name for the output")
    return Path(place)


def place_key(path):
    """A value that is equal for two paths exactly where they are one file, whether it exists already or not.

    Links, hard links, "./" and "..", and upper and lower case on disks that do not tell them apart, make no difference.
    """
    place = Path(os.path.realpath(path))
    tail = []
    while True:
        try:
            found = os.stat(place)
            break
        except (OSError, ValueError):
            tail.insert(0, place.name)
            if place == place.parent:
                return (None, None, *tail)
            place = place.parent
    if tail and ignores_case(place):
        tail = [unicodedata.normalize("NFC", name).casefold() for name in tail]
    return (found.st_dev, found.st_ino, *tail)


def ignores_case(folder):
    """True for a folder whose disk does not tell upper from lower case, as a name that is there shows; nothing is written."""
    for path in _names_of(Path(folder)):
        turned = path.name.swapcase()
        if turned == path.name:
            continue  # a name without letters says nothing
        try:
            return os.path.samestat(os.lstat(path), os.lstat(path.with_name(turned)))
        except (OSError, ValueError):
            return False
    return False


def _names_of(folder):
    """Paths in a folder, then the folder itself."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            yield folder / entry.name
    yield folder


def check_output(path, inputs=(), *, suffixes=None, flag="--outfile", folders=False):
    """Refuse an output that cannot be written or would replace an input, before any work is done for it.

    Args:
        path: the file that is to be written.
        inputs: paths that must stay as they are; None among them is passed over.
        suffixes: endings that are permitted, in lower case; None permits any.
        flag: flag or key that the path came from, for the message.
        folders: a folder may be there.

    Raises:
        InputError: says what is wrong, and what to do.
    """
    path = Path(path)
    if path.name in ("", ".."):
        raise InputError(f"{path}: is a folder; give a file name for the output")
    place = Path(os.path.realpath(path)) if folders and os.path.isdir(path) else written_place(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise InputError(f"{_shown(path)}: the output must end in {' or '.join(suffixes)}")
    refuse_inputs(path, inputs, flag)
    _check_room(place, path, flag)


def check_folder(folder, names=(), inputs=(), *, flag="--out"):
    """Refuse a folder of outputs that cannot be written, or whose files would replace an input, before any work is done.

    Args:
        folder: it is made where it is missing.
        names: of the files that are written there.
        inputs, flag: see `check_output`.
    """
    folder = Path(folder)
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise InputError(f"{flag} {folder}: is a file; give a folder")
    for name in names:
        refuse_inputs(folder / name, inputs, flag)
    _check_room(Path(os.path.realpath(folder)) / "x", folder, flag)
    for name in names:
        written_place(folder / name)


def refuse_inputs(path, inputs, flag="--outfile"):
    """InputError where the output `path` is one of `inputs`."""
    inputs = [source for source in inputs if source is not None]
    if inputs:
        key = place_key(path)
        for source in inputs:
            if place_key(source) == key:
                raise InputError(f"{path}: the output is the same file as the input {source}; choose another {flag}")


def _check_room(place, path, flag):
    """InputError where no file can be made at `place`; `path` is how the user wrote it."""
    missing, folder = [place.name], place.parent
    while not os.path.lexists(folder):
        missing.append(folder.name)
        folder = folder.parent
    if not os.path.isdir(folder):
        raise InputError(f"{_shown(path)}: cannot be written, because {folder} is a file, not a folder; choose another {flag}")
    longest, most = (_limit(folder, name, usual) for name, usual in (("PC_NAME_MAX", _NAME_MAX), ("PC_PATH_MAX", _PATH_MAX)))
    for name in missing:
        if (length := len(os.fsencode(name))) > longest:
            raise InputError(f"{_shown(path)}: a name of {length} bytes, and this disk takes {longest}; give a shorter {flag}")
    if len(os.fsencode(place)) >= most:
        raise InputError(f"{_shown(path)}: a path of {len(os.fsencode(place))} bytes is too long; give a shorter {flag}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{_shown(path)}: you have no permission to write in {folder}; choose another {flag}")


def _limit(folder, name, usual):
    try:
        return os.pathconf(folder, name)
    except (OSError, ValueError, AttributeError):  # AttributeError: Windows
        return usual


def _shown(path):
    text = str(path)
    return text if len(text) <= 4 * _SHOWN else f"{text[:_SHOWN]}...{text[-20:]}"

"""Pipes as input: what comes through one is kept in a temporary file, because a file is read more than once."""

import atexit
import os
import stat
import tempfile
from pathlib import Path

from common.errors import InputError

MOST_BYTES = 2 << 30
_BLOCK = 1 << 20
_spooled = {}


def is_pipe(path):
    """A path is a pipe, a socket or a device (`<(...)`, /dev/stdin, a named pipe), whose bytes come once."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def spool(path, what):
    """Read a pipe to its end, once in the life of the process, so that `readable` has its bytes.

    Args:
        path: a pipe; what is known of it counts for its name, so one name is one content.
        what: what it should be, for messages.

    Raises:
        InputError: a terminal, nothing in it, more than 2 GiB, or no room in the temporary folder.
    """
    name = os.path.abspath(path)
    if name in _spooled:
        return
    try:
        with open(path, "rb", buffering=0) as pipe:
            if pipe.isatty():
                raise InputError(f"{path}: is a terminal; {what} comes from a file or a pipe")
            with tempfile.NamedTemporaryFile(prefix="piped-", delete=False) as kept:
                atexit.register(Path(kept.name).unlink, missing_ok=True)
                size = _copy(pipe, kept, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not size:
        raise InputError(f"{path}: the pipe is empty ({what})")
    _spooled[name] = Path(kept.name)


def _copy(pipe, kept, path):
    size = 0
    while block := pipe.read(_BLOCK):
        size += len(block)
        if size > MOST_BYTES:
            raise InputError(f"{path}: more than {MOST_BYTES >> 30} GiB come through the pipe; write them to a file first")
        kept.write(block)
    return size


def readable(path):
    """Path under which the bytes of a file can be read: itself, or the copy of a pipe that `spool` has read."""
    return _spooled.get(os.path.abspath(path), path) if _spooled else path

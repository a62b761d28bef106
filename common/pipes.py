"""Pipes as input: what comes through one is kept in a temporary file, because a file is read more than once."""

import atexit
import os
import tempfile
from pathlib import Path

from common.errors import InputError

MOST_BYTES = 2 << 30
_BLOCK = 1 << 20
_spooled = {}  # name of a pipe -> (path of its bytes, the file that keeps them there)


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
        with open(path, "rb", buffering=0, opener=_not_controlled) as pipe:
            if pipe.isatty():
                raise InputError(f"{path}: is a terminal; {what} comes from a file or a pipe")
            place, kept = _temporary()
            size = _copy(pipe, kept, path)
            kept.flush()
            if place == Path(kept.name):
                kept.close()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not size:
        raise InputError(f"{path}: the pipe is empty ({what})")
    _spooled[name] = place, kept


def _not_controlled(path, flags):
    """Open a path; a terminal does not become that of a process that leads its session, which would end with it."""
    return os.open(path, flags | getattr(os, "O_NOCTTY", 0))


def _temporary():
    """(path, open file) of a temporary file that goes with the process.

    Where the system shows open files as paths (Linux), its name is removed at once, so that no signal leaves it behind; the
    file stays as long as it is open. Elsewhere the interpreter removes it as it ends.
    """
    kept = tempfile.NamedTemporaryFile(prefix="piped-", delete=False)
    named, shown = Path(kept.name), Path(f"/proc/{os.getpid()}/fd/{kept.fileno()}")
    try:
        if os.path.samefile(named, shown):
            named.unlink()
            return shown, kept
    except OSError:
        pass
    atexit.register(named.unlink, missing_ok=True)
    return named, kept


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
    return _spooled.get(os.path.abspath(path), (path,))[0] if _spooled else path

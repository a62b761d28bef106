"""Files that are whole or not there, and content hashes."""

import hashlib
import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

from common.errors import InputError
from common.pipes import readable, spool
from common.places import written_place

_HASH_BLOCK = 1 << 20
_LONGEST_SUFFIX = 32  # of a temporary name


@contextmanager
def atomic_output(path):
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well, remove it when it does not.

    The folder is made when it is missing. The temporary name is unique, hidden, and has the suffix of the file that is written,
    because writers choose their format by it. An existing file at `path` stays untouched until the new one is whole. A link
    stays a link: the file that it leads to is made or replaced, and the suffix is that file's, not the link's. Any exception,
    KeyboardInterrupt included, leaves neither a new file nor a stray temporary one.

    Raises:
        InputError: the folder cannot be made or written, the name is too long, or `path` is a folder, a device or a pipe.
    """
    path, place = Path(path), written_place(path)
    suffix = place.suffix if len(place.suffix) <= _LONGEST_SUFFIX else ""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".partial-", suffix=suffix, dir=place.parent)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot write here ({error.strerror}); choose another output folder") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        try:
            os.replace(temporary, place)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another output") from error
    finally:
        temporary.unlink(missing_ok=True)


def content_hash(path):
    """SHA-256 of a file's bytes, as 64 hexadecimal digits; read in blocks, so memory does not grow with the file."""
    digest = hashlib.sha256()
    with open(readable(path), "rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def text_hash(text):
    """SHA-256 of a text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def text_share(text):
    """A number in [0, 1) by a hash of a text: the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def require_file(path, what, *, pipes=False):
    """Return `path` as a Path when it is a file with something in it; else raise InputError that says what was asked for.

    Args:
        path: what the user gave.
        what: what it should be, for the message: "face video", "audio".
        pipes: a pipe will do: it is read to its end, and `common.pipes.readable` gives the path of its bytes.
    """
    path = Path(path)
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file ({what})") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or "no such name is possible"
        raise InputError(f"{path}: cannot be read ({reason}; {what})") from error
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path}: is a folder; {what} must be a file")
    if not stat.S_ISREG(found.st_mode):
        if not pipes:
            raise InputError(f"{path}: is a pipe or a device; {what} must be a file")
        spool(path, what)
        return path
    if found.st_size == 0:
        raise InputError(f"{path}: the file is empty ({what})")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: cannot be read (no permission; {what})")
    return path

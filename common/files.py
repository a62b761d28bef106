"""Files that are whole or not there, and content hashes."""

import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from common.errors import InputError
from common.pipes import is_pipe, readable, spool

_HASH_BLOCK = 1 << 20


@contextmanager
def atomic_output(path):
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well, remove it when it does not.

    The folder is made when it is missing. The temporary name is unique, hidden, and keeps the suffix, because writers choose
    their format by it. An existing file at `path` stays untouched until the new one is whole. Any exception, KeyboardInterrupt
    included, leaves neither a new file nor a stray temporary one.

    Raises:
        InputError: the folder cannot be made or written, or `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file name for the output")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".partial-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot write here ({error.strerror}); choose another output folder") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def content_hash(path):
    """SHA-256 of a file's bytes, as 64 hexadecimal digits; read in blocks, so memory does not grow with the file."""
    digest = hashlib.sha256()
    with open(readable(path), "rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


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
        if path.is_dir():
            raise InputError(f"{path}: is a folder; {what} must be a file")
        if not path.exists():
            raise InputError(f"{path}: no such file ({what})")
        if is_pipe(path):
            if not pipes:
                raise InputError(f"{path}: is a pipe or a device; {what} must be a file")
            spool(path, what)
            return path
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty ({what})")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: cannot be read (no permission)")
    return path

"""One program to a folder: who writes there holds a lock, and a second one is told who that is.

The lock is the operating system's, on a file in the folder, and not the file itself: it ends with the process that
holds it, however that ends. What the file says (process, machine, since when) is for the message alone.

On a network folder the lock is as good as the network file system. NFS since version 4, and version 3 with its lock service,
pass it on to other machines. Some mounts (`nolock`, Lustre's `localflock`) keep it to the machine; others know no locks at all,
and the holder says so.
"""

import datetime
import errno
import json
import os
import socket
import weakref
from pathlib import Path

from common.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    fcntl = None

_BUSY = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_ABSENT = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_PLACE = 1 << 20  # the byte that is locked on Windows, where a locked byte cannot be read: far behind the text
_held = weakref.WeakSet()


class FolderLock:
    """Holds a folder while the block lasts.

        with FolderLock("prepared/mine", "prepare.lock"):
            ...

    Args:
        folder: it is made where it is missing.
        name: of the file in it that is locked.
        report: takes one line of text: that the file system knows no locks.
        cure: what else a second program may do, for its message: "choose another --out".

    Raises:
        InputError: on entering: another process holds it, and the message says which, where and since when; or the folder
            cannot be written.
    """

    def __init__(self, folder, name, report=print, *, cure="choose another folder"):
        self.folder, self.path, self._report, self._cure, self._file = Path(folder), Path(folder) / name, report, cure, None

    def __enter__(self):
        path = self.path
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "a+", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); {self._cure}") from error
        try:
            _take(self._file)
        except OSError as error:
            if error.errno in _BUSY:
                self._close()
                told = _told_by(path)
                raise InputError(f"{self.folder}: is in use by {told}; wait for it, stop it, or {self._cure}") from error
            if error.errno not in _ABSENT:
                self._close()
                raise InputError(f"{path}: cannot be locked ({error.strerror}); {self._cure}") from error
            self._report(f"{path}: this file system knows no locks ({error.strerror}): let no second program write here")
        _held.add(self)
        self._write(json.dumps(_whoami()) + "\n")
        return self

    def __exit__(self, *_):
        if not self._file.closed:  # as it is in a child that was forked meanwhile
            self._write("")
            self._close()  # the lock ends with the file

    def _write(self, text):
        """Put `text` in place of what the file says; the message of a second program is all that needs it."""
        try:
            self._file.truncate(0)
            self._file.write(text)
            self._file.flush()
        except OSError:  # a full disk
            pass

    def _close(self):
        _held.discard(self)
        try:
            self._file.close()
        except OSError:  # what could not be written before cannot be written now
            pass


def _take(file):
    """Lock a file or raise OSError at once."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    file.seek(_PLACE)
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)


def _whoami():
    since = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
    return {"process": os.getpid(), "machine": socket.gethostname(), "since": since}


def _told_by(path):
    """Who holds the lock, in words."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return f"process {told['process']} on {told['machine']} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just been taken, or the disk was full
        return "another process"


def _leave_to_the_parent():
    """Close the locks in a forked child, such as a worker of the loader: they would last until it ends, too."""
    for lock in list(_held):
        lock._close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)

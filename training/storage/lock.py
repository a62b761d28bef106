"""One run to a folder: who writes there holds a lock, and a second one is told who that is.

The lock is the operating system's, on the file `run.lock` in the folder, and not the file itself: it ends with the process that
holds it, however that ends. What the file says (process, machine, since when) is for the message alone.

On a network folder the lock is as good as the network file system. NFS since version 4, and version 3 with its lock service,
pass it on to other machines. Some mounts (`nolock`, Lustre's `localflock`) keep it to the machine; others know no locks at all,
and a run says so.
"""

import datetime
import errno
import json
import os
import socket
import weakref
from contextlib import contextmanager
from pathlib import Path

from common.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    fcntl = None

NAME = "run.lock"
_BUSY = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_ABSENT = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_PLACE = 1 << 20  # the byte that is locked on Windows, where a locked byte cannot be read: far behind the text
_held = weakref.WeakSet()


class RunLock:
    """Holds the folder of a run while the block lasts.

        with RunLock("runs/sto"):
            ...

    Args:
        folder: of the run; it is made where it is missing.
        report: takes one line of text: that the file system knows no locks.

    Raises:
        InputError: on entering: another process holds it, and the message says which, where and since when; or the folder
            cannot be written.
    """

    def __init__(self, folder, report=print):
        self.folder, self._report, self._file = Path(folder), report, None

    def __enter__(self):
        path = self.folder / NAME
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "a+", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another train.runs") from error
        try:
            _take(self._file)
        except OSError as error:
            if error.errno in _BUSY:
                self._close()
                cure = "wait for it, stop it, or choose another name"
                raise InputError(f"{self.folder}: is in use by {_told_by(path)}; {cure}") from error
            if error.errno not in _ABSENT:
                self._close()
                raise InputError(f"{path}: cannot be locked ({error.strerror}); choose another train.runs") from error
            self._report(f"{path}: this file system knows no locks ({error.strerror}): start no second run of this name")
        _held.add(self)
        self._write(json.dumps(_whoami()) + "\n")
        return self

    def __exit__(self, *_):
        if not self._file.closed:  # as it is in a child that was forked meanwhile
            self._write("")
            self._close()  # the lock ends with the file

    def _write(self, text):
        """Put `text` in place of what the file says; the message of a second run is all that needs it."""
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


@contextmanager
def hold_run(run, report=print):
    """Holds the folder of a run in the name of all its processes: the first one takes the lock.

    Args:
        run: training.run.Run.
        report: takes one line of text.

    Raises:
        InputError: in every process: see `RunLock`.
    """
    lock, refused = RunLock(run.folder, report), None
    if run.engine.first:
        try:
            lock.__enter__()
        except InputError as error:
            refused = error
    refused = run.engine.broadcast(refused)
    if refused is not None:
        raise refused
    try:
        yield
    finally:
        if run.engine.first:
            lock.__exit__()


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
    """A forked child, such as a worker of the loader, shares its parent's open files, and would keep the lock after its end."""
    for lock in list(_held):
        lock._close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)

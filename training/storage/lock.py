"""One run to a folder: who trains there holds a lock, and a second one is told who that is."""

from contextlib import contextmanager

from common.errors import InputError
from common.folder_lock import FolderLock

NAME = "run.lock"


class RunLock(FolderLock):
    """Holds the folder of a run while the block lasts, see `common.folder_lock.FolderLock`.

    Args:
        folder: of the run; it is made where it is missing.
        report: takes one line of text: that the file system knows no locks.
    """

    def __init__(self, folder, report=print):
        super().__init__(folder, NAME, report, cure="choose another name, or another train.runs")


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

"""A pool of processes: one job at a time each; what one of them does to itself, the others do not notice."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from multiprocessing import connection, resource_tracker

from datasets.workers.pool import DEAD, DONE, READY, attempt

GRACE_SECONDS = 5  # for a process to end by itself before it is killed
_THREADS = ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


class Processes:
    """See `datasets.workers.pool.Pool`. The processes end with this one, however that ends; Ctrl-C reaches this one alone.

    Args:
        task: datasets.workers.pool.Task.
        threads: that the libraries in one process may use (OpenMP, BLAS, OpenCV), where the environment does not say.
    """

    tries = 1

    def __init__(self, task, threads=1):
        self._task, self._threads = task, threads
        self._workers, self._leaving = [], []
        self._context = multiprocessing.get_context("spawn")

    def add_worker(self):
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._task.work, self._task.start, self._task.arguments)
        process = self._context.Process(target=_serve, args=arguments, daemon=True)
        with _environment(self._threads), _uninterrupted():
            process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))

    def assign(self, worker, job):
        try:
            worker.connection.send(job)
        except OSError:
            return  # it has just died: `wait` hears of it

    def wait(self, timeout):
        by_connection = {worker.connection: worker for worker in self._workers}
        return [by_connection[one].hear() for one in connection.wait(list(by_connection), timeout)]

    def release(self, worker, *, now=False):
        self._workers.remove(worker)
        if now:
            worker.end()
        else:
            self.assign(worker, None)
            self._leaving.append(worker)

    def close(self):
        for worker in self._workers:
            worker.process.terminate()
        until = time.monotonic() + GRACE_SECONDS
        for worker in self._workers + self._leaving:
            worker.process.join(max(0.0, until - time.monotonic()))
            worker.end()


class _Worker:
    """A process and our end of its pipe."""

    def __init__(self, process, pipe):
        self.process, self.connection = process, pipe

    def hear(self):
        """The event that waits in the pipe."""
        try:
            return self, *self.connection.recv()
        except (EOFError, OSError):
            self.process.join(GRACE_SECONDS)
            return self, DEAD, _ending(self.process.exitcode)

    def end(self):
        """Close the pipe, and kill the process when it still runs."""
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self.connection.close()


def _ending(code):
    """How a process ended, to go on from its name."""
    if code is None:
        return "stopped answering"
    if code == -signal.SIGKILL:
        return f"was killed (signal {-code}), as a system out of memory does"
    return f"crashed (signal {-code})" if code < 0 else f"crashed (exit code {code})"


@contextmanager
def _environment(threads):
    """Number of threads of a process that is started in the block: libraries read it as they are loaded."""
    added = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, str(threads)))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextmanager
def _uninterrupted():
    """A process that is started in the block does not see Ctrl-C, not even while it still loads Python."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it would unblock the signal when the first process is started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe, work, start, arguments):
    """Life of one process: make ready, then answer jobs until None comes or nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that half-written files are removed
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    answer = attempt(READY, start, *arguments) if start else (READY, None)
    while True:
        try:
            pipe.send(answer)
            job = pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        if job is None:
            return
        answer = attempt(DONE, work, job)


def _leave_with_parent():
    connection.wait([multiprocessing.parent_process().sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)

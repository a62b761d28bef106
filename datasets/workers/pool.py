"""Jobs given to workers, one at a time each, so that a worker that dies takes one job with it and no more.

A worker is a process (`datasets.workers.processes`) or a Ray actor (`datasets.workers.cluster`); a pool starts, feeds and
releases workers. What is here decides which worker does which job, and what becomes of a job whose worker died, ran out of
time, or failed.
"""

import errno
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from common.errors import InputError

READY, DONE, REFUSED, FAILED, STOPPED, DEAD = "ready", "done", "refused", "failed", "stopped", "dead"
MOST_BAD_STARTS = 3  # workers that die before their first job, one after the other
_SYSTEM_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True)
class Task:
    """What is done with each job.

    Attributes:
        work: module-level function of one job; an InputError that it raises ends the run.
        lost: function of (job, reason) -> what stands for the result of a job that brought none. The reason goes on from a
            subject: "crashed (signal 11)", "took longer than 600 s", "failed (ValueError: ...)".
        start: module-level function that each worker calls first, with `arguments`; None where nothing is to be made ready.
        limit: function of a job -> seconds after which it is given up, 0 for no limit; None for no limit at all.
        trusted: the jobs read only files of ours, so that one worker alone may do them in the process that asks.
    """

    work: Callable
    lost: Callable
    start: Callable | None = None
    arguments: tuple = ()
    limit: Callable | None = None
    trusted: bool = False


class Pool(Protocol):
    """Where workers come from.

    Attributes:
        tries: how often a job is begun before the death of its worker counts against it: 1 where the job alone can be to blame.
    """

    tries: int

    def add_worker(self):
        """Start one worker more; once it has made itself ready, `wait` says so."""

    def assign(self, worker, job):
        """Let a worker that waits do a job."""

    def wait(self, timeout):
        """Events as a list of (worker, kind, what), when there is one, or empty after `timeout` seconds; None waits for ever.

        Kinds: READY; DONE, the result; REFUSED, why nothing can go on; FAILED, (summary, stack trace); STOPPED, an error of the
        system, such as a full disk; DEAD, how the worker ended.
        """

    def release(self, worker, *, now=False):
        """Let a worker that waits go; `now` ends it whatever it does."""

    def close(self):
        """End all workers, whatever they do."""


@dataclass
class _Assignment:
    job: object
    tries: int  # left, this one included
    seconds: float  # 0: no limit
    until: float


def attempt(kind, work, *arguments):
    """(kind, result) of a call inside a worker; or the kind and the words for what went wrong, see `Pool.wait`."""
    try:
        return kind, work(*arguments)
    except InputError as error:
        return REFUSED, str(error)
    except Exception as error:  # told to the one who asked, who decides; the worker goes on
        if isinstance(error, OSError) and error.errno in _SYSTEM_ERRORS:
            return STOPPED, str(error)
        summary = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        return FAILED, (summary, traceback.format_exc())


def run_jobs(task, jobs, pool, count, time_limit=None):
    """Yield a result for each job, as they come, not in order.

    Args:
        task: Task; jobs: list; pool: Pool, closed at the end; count: workers at the same time.
        time_limit: seconds for each job, 0 for no limit; None takes the task's own.

    Raises:
        InputError: a job or a start raised it, the disk is full, or workers cannot start.
    """
    waiting, assigned, bad_starts, left = deque((job, pool.tries) for job in jobs), {}, 0, len(jobs)
    with closing(pool):
        for _ in range(min(count, left)):
            pool.add_worker()
        while left:
            events = pool.wait(_patience(assigned))
            for worker, kind, what in events + _late(assigned, {worker for worker, _, _ in events}):
                mine = assigned.pop(worker, None)
                if kind in (REFUSED, STOPPED) or (kind == FAILED and mine is None):
                    raise InputError(_why_stopped(kind, what))
                if kind == DEAD:
                    pool.release(worker, now=True)
                    bad_starts = bad_starts + 1 if mine is None else 0
                    if bad_starts >= MOST_BAD_STARTS:
                        raise InputError(f"workers cannot start: the last one {what}; fewer --workers take less memory")
                    if mine and mine.tries > 1:
                        waiting.append((mine.job, mine.tries - 1))
                        mine = None
                    if mine is None or waiting:
                        pool.add_worker()
                else:
                    bad_starts = 0
                    _feed(task, pool, worker, waiting, assigned, time_limit)
                if mine:
                    left -= 1
                    yield what if kind == DONE else _lost(task, mine.job, kind, what)


def _feed(task, pool, worker, waiting, assigned, time_limit):
    """Give a worker that waits its next job, or let it go."""
    if not waiting:
        pool.release(worker)
        return
    job, tries = waiting.popleft()
    seconds = time_limit if time_limit is not None else task.limit(job) if task.limit else 0
    assigned[worker] = _Assignment(job, tries, seconds, time.monotonic() + seconds if seconds else float("inf"))
    pool.assign(worker, job)


def _patience(assigned):
    """Seconds until the first assignment runs out; None when none does."""
    first = min((one.until for one in assigned.values()), default=float("inf"))
    return None if first == float("inf") else max(0.0, first - time.monotonic())


def _late(assigned, heard):
    """Events for workers that took too long and have not been `heard` just now; another try would not be faster."""
    late = [worker for worker, one in assigned.items() if one.until <= time.monotonic() and worker not in heard]
    for worker in late:
        assigned[worker].tries = 1
    return [(worker, DEAD, f"took longer than {assigned[worker].seconds:g} s") for worker in late]


def _lost(task, job, kind, what):
    if kind == FAILED:
        summary, trace = what
        print(trace, file=sys.stderr)
        what = f"failed ({summary})"
    return task.lost(job, what)


def _why_stopped(kind, what):
    if kind == FAILED:
        return f"workers cannot start: {what[0]}\n{what[1]}"
    return f"{what}; mend it, and the same command continues" if kind == STOPPED else what

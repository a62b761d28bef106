"""Jobs given to hands, one at a time each, so that a hand that dies takes one job with it and no more.

A hand is a process (`datasets.processes`) or a Ray actor (`datasets.cluster`); a crew hires, feeds and dismisses hands. What is
here decides who does what next and what becomes of a job whose hand died, ran out of time, or failed.
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
MOST_BAD_STARTS = 3  # hands that die before their first job, one after the other
_SYSTEM_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True)
class Task:
    """What is done with each job.

    Attributes:
        work: module-level function of one job; an InputError that it raises ends the run.
        lost: function of (job, reason) -> what stands for the result of a job that brought none. The reason goes on from a
            subject: "crashed (signal 11)", "took longer than 600 s", "failed (ValueError: ...)".
        start: module-level function that each hand calls first, with `arguments`; None where nothing is to be made ready.
        limit: function of a job -> seconds after which it is given up, 0 for no limit; None for no limit at all.
        trusted: the jobs read only files of ours, so that one worker alone may do them in the process that asks.
    """

    work: Callable
    lost: Callable
    start: Callable | None = None
    arguments: tuple = ()
    limit: Callable | None = None
    trusted: bool = False


class Crew(Protocol):
    """Where hands come from.

    Attributes:
        tries: how often a job is begun before the death of its hand counts against it: 1 where the job alone can be to blame.
    """

    tries: int

    def hire(self):
        """Start one hand more; once it has made itself ready, `wait` says so."""

    def give(self, hand, job):
        """Let a hand that waits do a job."""

    def wait(self, timeout):
        """Events as a list of (hand, kind, what), when there is one, or empty after `timeout` seconds; None waits for ever.

        Kinds: READY; DONE, the result; REFUSED, why nothing can go on; FAILED, (summary, stack trace); STOPPED, an error of the
        system, such as a full disk; DEAD, how the hand ended.
        """

    def dismiss(self, hand, *, now=False):
        """Let a hand that waits go; `now` ends it whatever it does."""

    def close(self):
        """End all hands, whatever they do."""


@dataclass
class _Turn:
    job: object
    tries: int  # left, this one included
    seconds: float  # 0: no limit
    until: float


def attempt(kind, work, *arguments):
    """(kind, result) of a call inside a hand; or the kind and the words for what went wrong, see `Crew.wait`."""
    try:
        return kind, work(*arguments)
    except InputError as error:
        return REFUSED, str(error)
    except Exception as error:  # told to the one who asked, who decides; the hand goes on
        if isinstance(error, OSError) and error.errno in _SYSTEM_ERRORS:
            return STOPPED, str(error)
        summary = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        return FAILED, (summary, traceback.format_exc())


def run_jobs(task, jobs, crew, count, time_limit=None):
    """Yield a result for each job, as they come, not in order.

    Args:
        task: Task; jobs: list; crew: Crew, closed at the end; count: hands at the same time.
        time_limit: seconds for each job, 0 for no limit; None takes the task's own.

    Raises:
        InputError: a job or a start raised it, the disk is full, or hands cannot start.
    """
    waiting, turns, bad_starts, left = deque((job, crew.tries) for job in jobs), {}, 0, len(jobs)
    with closing(crew):
        for _ in range(min(count, left)):
            crew.hire()
        while left:
            events = crew.wait(_patience(turns))
            for hand, kind, what in events + _late(turns, {hand for hand, _, _ in events}):
                turn = turns.pop(hand, None)
                if kind in (REFUSED, STOPPED) or (kind == FAILED and turn is None):
                    raise InputError(_why_stopped(kind, what))
                if kind == DEAD:
                    crew.dismiss(hand, now=True)
                    bad_starts = bad_starts + 1 if turn is None else 0
                    if bad_starts >= MOST_BAD_STARTS:
                        raise InputError(f"workers cannot start: the last one {what}; fewer --workers take less memory")
                    if turn and turn.tries > 1:
                        waiting.append((turn.job, turn.tries - 1))
                        turn = None
                    if turn is None or waiting:
                        crew.hire()
                else:
                    bad_starts = 0
                    _feed(task, crew, hand, waiting, turns, time_limit)
                if turn:
                    left -= 1
                    yield what if kind == DONE else _lost(task, turn.job, kind, what)


def _feed(task, crew, hand, waiting, turns, time_limit):
    """Give a hand that waits its next job, or let it go."""
    if not waiting:
        crew.dismiss(hand)
        return
    job, tries = waiting.popleft()
    seconds = time_limit if time_limit is not None else task.limit(job) if task.limit else 0
    turns[hand] = _Turn(job, tries, seconds, time.monotonic() + seconds if seconds else float("inf"))
    crew.give(hand, job)


def _patience(turns):
    """Seconds until the first turn ends; None when none does."""
    first = min((turn.until for turn in turns.values()), default=float("inf"))
    return None if first == float("inf") else max(0.0, first - time.monotonic())


def _late(turns, heard):
    """Events for hands that took too long and have not been `heard` just now; another try would not be faster."""
    late = [hand for hand, turn in turns.items() if turn.until <= time.monotonic() and hand not in heard]
    for hand in late:
        turns[hand].tries = 1
    return [(hand, DEAD, f"took longer than {turns[hand].seconds:g} s") for hand in late]


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

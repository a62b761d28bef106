"""One process, run to its end and measured: wall time, CPU time, peak memory."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from common.errors import InputError

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in one unit of ru_maxrss


@dataclass(frozen=True)
class Finished:
    """What a process took.

    Attributes:
        seconds: wall time.
        cpu_seconds: user and system time, of its own children too; says more than wall time on a machine that is busy.
        peak_mb: largest resident set in megabytes; never less than that of the process that started it.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure_process(command, *, folder=None, environment=None, what="the command"):
    """Run `command`, a list of words, in `folder`.

    Args:
        command: list; its words are turned to str.
        folder: where it runs; None: here.
        environment: dict; None: ours.
        what: its name in messages.

    Returns:
        Finished.

    Raises:
        InputError: it left with another code than 0; its last lines on stderr are told.
    """
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        words = [str(word) for word in command]
        child = subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.terminate()
            raise
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()[-3:]
            raise InputError(f"{what} failed (exit code {child.returncode}): {' | '.join(last)}")
    return Finished(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * UNIT / 1e6)


def own_peak_mb():
    """Largest resident set of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 1e6

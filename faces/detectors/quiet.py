"""Keeps the log of C++ libraries, which write straight to file descriptor 2, off the user's terminal."""

import contextlib
import os
import sys
import threading

_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def silent_stderr():
    """Send file descriptor 2 to the null device while the block runs, and put it back whatever happens.

    It holds for the whole process, so what another thread writes to stderr meanwhile is lost as well: keep the block short.
    Blocks of several threads wait for each other. Without a usable descriptor 2 the block just runs.
    """
    with _ONE_AT_A_TIME, contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()
            kept = os.dup(2)
            stack.callback(os.close, kept)
            null = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, null)
            stack.callback(os.dup2, kept, 2)
            os.dup2(null, 2)
        yield

"""Progress on whatever a script writes to: a bar on a terminal, a line a minute in a log file."""

import datetime
import os
import sys
import time
from contextlib import contextmanager

SECONDS = 60  # between lines where there is no terminal


def bar_size(stream):
    """Keyword arguments of tqdm for its size on `stream`: as wide as the terminal, or 100 columns where that tells no size.

    Some containers have terminals of 0 columns, on which tqdm would show nothing.
    """
    try:
        known = all(os.get_terminal_size(stream.fileno()))
    except (OSError, ValueError):
        known = False
    return {"dynamic_ncols": True} if known else {"ncols": 100, "nrows": 24}


@contextmanager
def counting(total, unit, what="", *, clock=time.monotonic):
    """Yield a Counter of `total` things, which shows a bar on standard error where that is a terminal, else lines.

    Args:
        total: int; nothing is shown where it is 0.
        unit: what is counted: "clip".
        what: what is done, before the count; or "".
        clock: function without arguments -> seconds.
    """
    counter = Counter(total, unit, what, clock)
    try:
        yield counter
    finally:
        counter.close()


class Counter:
    """See `counting`."""

    def __init__(self, total, unit, what, clock):
        self._total, self._unit, self._what, self._clock = total, unit, what, clock
        self._done, self._begun, self._bar = 0, clock(), None
        self._last = self._begun
        if total and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=unit, desc=what or None, file=sys.stderr, **bar_size(sys.stderr))

    def update(self):
        """One more is done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()
            return
        now = self._clock()
        if now - self._last >= SECONDS:
            self._last, each = now, (now - self._begun) / self._done
            left = datetime.timedelta(seconds=round(each * (self._total - self._done)))
            what = f"{self._what}: " if self._what else ""
            print(f"{what}{self._done} of {self._total} {self._unit}s, {each:.2g} s each, left {left}", flush=True)

    def note(self, text):
        """One line on standard error, above the bar where there is one."""
        if self._bar is not None:
            self._bar.clear()
        print(text, file=sys.stderr, flush=True)
        if self._bar is not None:
            self._bar.refresh()

    def close(self):
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

"""Progress on standard error, so that results alone go to standard output: a bar on a terminal, a line a minute elsewhere.

The lines that train.py writes of its steps are the log of the run, not its progress: they go to standard output.
"""

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


def span(seconds):
    """A length of time to read: "42 s", "7.5 min", "29.00 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.2f} h"


@contextmanager
def counting(total, unit, what="", *, leave=True, clock=time.monotonic):
    """Yield a Counter of `total` things, which shows a bar on standard error where that is a terminal, else lines there.

    Args:
        total: int; nothing is shown where it is 0. None: not known.
        unit: what is counted, in the singular: "clip"; an "s" makes the plural.
        what: what is done, before the count; or "".
        leave: False takes the bar away at the end.
        clock: function without arguments -> seconds.
    """
    counter = Counter(total, unit, what, leave, clock)
    try:
        yield counter
    finally:
        counter.close()


class Counter:
    """See `counting`."""

    def __init__(self, total, unit, what, leave, clock):
        self._total, self._unit, self._what, self._clock = total, unit, what, clock
        self._done, self._begun, self._bar = 0, clock(), None
        self._last = self._begun
        if total != 0 and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=unit, desc=what or None, file=sys.stderr, leave=leave, mininterval=0.2,
                             **bar_size(sys.stderr))  # fmt: skip

    def update(self):
        """One more is done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()
            return
        now = self._clock()
        if now - self._last >= SECONDS and self._total != 0:
            self._last, each = now, (now - self._begun) / self._done
            of = left = ""
            if self._total is not None:
                of = f" of {self._total}"
                left = f", left {datetime.timedelta(seconds=round(each * max(0, self._total - self._done)))}"
            what = f"{self._what}: " if self._what else ""
            unit = self._unit if (self._total or self._done) == 1 else f"{self._unit}s"
            self.note(f"{what}{self._done}{of} {unit}, {each:.2g} s each{left}")

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

"""How far a run is, for whoever watches: a bar on a terminal, plain lines anywhere else."""

import datetime
import os
import sys

from tqdm import tqdm


class Progress:
    """A bar on standard error where that is a terminal; else one line of text for each row of the log.

    Args:
        report: takes one line of text.
        start: step that the run goes on from.
        steps: of the whole run, int, or None where it is not known.
        bar: False keeps to plain lines on a terminal, too.
    """

    def __init__(self, report, *, start=0, steps=None, bar=True):
        self._report, self._steps, self._share, self._bar = report, steps, 0.0, None
        if bar and sys.stderr.isatty():
            self._bar = tqdm(initial=start, total=steps, unit="step", mininterval=0.5, file=sys.stderr, **_size())

    def step(self, step, total):
        """Move the bar.

        Args:
            step: that is done.
            total: loss, float, or None.
        """
        if self._bar is not None:
            loss = "" if total is None else f"total {total:.4g}, "
            self._bar.set_postfix_str(f"{loss}waiting for data {self._share:.0%}", refresh=False)
            self._bar.update(step - self._bar.n)

    def row(self, step, values, share):
        """Say a row of the log, where there is no bar.

        Args:
            step: int.
            values: dict of name -> float; with "step_time", the time that is left is told, too.
            share: of the time that goes into waiting for data, for the bar from now on.
        """
        self._share = share
        if self._bar is None:
            left = self._steps is not None and values.get("step_time", 0.0) * (self._steps - step)
            self._report(line(step, values) + (f"  left {datetime.timedelta(seconds=round(left))}" if left else ""))

    def note(self, text):
        """One line for the user, above the bar where there is one."""
        if self._bar is None:
            self._report(text)
            return
        self._bar.clear()
        self._report(text)
        self._bar.refresh()

    def close(self):
        """Leave the bar as it stands; notes are plain lines from now on."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _size():
    """Size of the bar: as wide as the terminal, or 100 where that tells no size (some containers): tqdm would show nothing."""
    try:
        known = all(os.get_terminal_size(sys.stderr.fileno()))
    except OSError:
        known = False
    return {"dynamic_ncols": True} if known else {"ncols": 100, "nrows": 24}


def line(step, values):
    """A row of the log in one line."""
    return f"step {step}  " + "  ".join(f"{name} {_number(value)}" for name, value in values.items())


def _number(value):
    """Four digits; a count as it is."""
    whole = float(value).is_integer() and 1000 <= abs(value) < 1e9
    return str(int(value)) if whole else f"{value:.4g}"

"""How far a run is, for whoever watches: a bar on a terminal, a line a minute anywhere else."""

import datetime
import sys
import time

from tqdm import tqdm

from common.terminal import bar_size

_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"


class Progress:
    """A bar on standard error where that is a terminal; lines of text where it is not, or where standard output is not.

    Args:
        report: takes one line of text.
        start: step that the run goes on from.
        steps: of the whole run, int, or None where it is not known.
        bar: False keeps to plain lines on a terminal, too.
        every: seconds between lines; the first step and the last have one in any case. 0: each row of the log has one.
        seconds: after which the run ends (`train.minutes`), from now; None: no limit.
        clock: function without arguments -> seconds.
    """

    def __init__(self, report, *, start=0, steps=None, bar=True, every=60, seconds=None, clock=time.monotonic):
        self._report, self._start, self._steps, self._every, self._clock = report, start, steps, every, clock
        self._end = None if seconds is None else clock() + seconds
        self._share, self._last, self._bar = 0.0, None, None  # of the time that is waiting; when a line was told
        self._took, self._count = 0.0, 0  # since the last line
        if bar and sys.stderr.isatty():
            self._bar = tqdm(initial=start, total=steps, unit="step", mininterval=0.5, file=sys.stderr, bar_format=_FORMAT,
                             **bar_size(sys.stderr))  # fmt: skip
        self._lines = self._bar is None or not sys.stdout.isatty()

    def step(self, step, values, took):
        """Take in one training step.

        Args:
            step: that is done.
            values: dict of name -> float.
            took: its seconds.
        """
        self._took, self._count = self._took + took, self._count + 1
        if self._bar is not None:
            total, left = values.get("total"), self.left(step)
            parts = [left, "" if total is None else f"total {total:.4g}", f"waiting for data {self._share:.0%}"]
            self._bar.set_postfix_str(", ".join(part for part in parts if part), refresh=False)
            self._bar.update(step - self._bar.n)
        now = self._clock()
        due = step == self._steps or self._last is None or now - self._last >= self._every
        if self._lines and self._every and due:
            self._tell(step, {**values, "step_time": self._took / self._count})

    def row(self, step, values, share):
        """Take in a row of the log: one line, where each row has one.

        Args:
            step: int.
            values: dict of name -> float.
            share: of the time that goes into waiting for data, from now on.
        """
        self._share = share
        if self._lines and not self._every:
            self._tell(step, values)

    def left(self, step):
        """The time that is left after a step, in words: until the last step, or until the time limit where that comes first."""
        if not self._count or self._steps is None or step >= self._steps:
            return ""
        seconds = (self._steps - step) * self._took / self._count
        limit = None if self._end is None else max(0.0, self._end - self._clock())
        if limit is not None and limit < seconds:
            return f"left {datetime.timedelta(seconds=round(limit))} of train.minutes"
        return f"left {datetime.timedelta(seconds=round(seconds))}"

    def _tell(self, step, values):
        left = self.left(step)
        self.note(line(step, values, self._steps) + (f"  {left}" if left else ""))
        self._last, self._took, self._count = self._clock(), 0.0, 0

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


def line(step, values, steps=None):
    """A row of the log in one line; `steps` of the whole run, or None."""
    of = "" if steps is None else f" of {steps}"
    return f"step {step}{of}  " + "  ".join(f"{name} {_number(value)}" for name, value in values.items())


def _number(value):
    """Four digits; a count as it is."""
    whole = float(value).is_integer() and 1000 <= abs(value) < 1e9
    return str(int(value)) if whole else f"{value:.4g}"

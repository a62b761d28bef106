"""What a run says of itself: rows in its folder, a bar or lines on the terminal, curves, faces, and warnings."""

import sys
import time
from contextlib import ExitStack

import torch
import yaml

from common.files import atomic_output
from training.changes import describe_changes
from training.logging.curve import draw_curves
from training.logging.picture_grid import faces_page, write_picture
from training.logging.progress import Progress, line
from training.logging.rows import Rows
from training.logging.trackers import open_trackers, require_trackers
from training.logging.warnings import WAITING_ROWS, ChanceWarning, WaitWarning, two_way_loss

_NO_PILLOW = "Pillow is not installed: the faces of validation are not drawn"


class Log:
    """`config.yaml`, `log.jsonl`, `faces.png` and `curve.png` of a run, its trackers, and what the terminal shows.

    A run that is killed and resumed writes the same `log.jsonl` as an unbroken one, in all but `training.logging.rows.TIMES`;
    for that, rows must be logged before the state of their step is stored, not after.

    Args:
        folder: of the run, a Path; made here.
        config: resolved.
        report: takes one line of text.
        start: step that the run goes on from; later rows of a run that was killed are removed.
        steps: of the whole run, or None.
        progress: False shows plain lines on a terminal, too.
        seconds: after which this start ends, or None.

    Raises:
        InputError: a tracker that the config asks for cannot be used, or the folder cannot be written.
    """

    def __init__(self, folder, config, report, *, start=0, steps=None, progress=True, seconds=None):
        train = config["train"]
        require_trackers(config)
        with atomic_output(folder / "config.yaml") as path:
            path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        self._folder, self._every, self._last = folder, train["log_every"], steps
        self._curve = train.get("curve", True)
        self._rows = Rows(folder / "log.jsonl", start)
        earlier = next((row["minutes"] for row in reversed(self._rows.kept) if row.get("minutes") is not None), 0.0)
        self._begun = time.monotonic() - 60 * earlier
        self._chance, self._wait = ChanceWarning(), WaitWarning(self._every * WAITING_ROWS)
        self._two_way = two_way_loss(config)
        self._waited, self._took, self._count = 0.0, 0.0, 0  # since the last row
        self._no_pillow = False
        if self._rows.damaged:
            report(f"{folder / 'log.jsonl'}: {self._rows.damaged} lines that are no rows are cut off")
        self._trackers = open_trackers(folder, config, report, start=start)
        self._progress = Progress(report, start=start, steps=steps, bar=progress and train.get("progress", True),
                                  every=train.get("print_every", 60), seconds=seconds)  # fmt: skip
        self._open = True

    def step(self, step, values, *, waited, took):
        """Take in one training step; every `train.log_every` steps, and at the last of the run, it becomes a row.

        A row holds the values of its step, and "step_time" and "data_time" (seconds, means since the last row), "data_share"
        (of that time, 0-1), "memory_mb" (most so far, see `peak_memory`), "minutes" (of the run, over all starts).

        Args:
            step: number of steps done.
            values: dict of name -> float; any names but those that a row adds, see `training.logging.rows.RESERVED`.
            waited: seconds that the step waited for its data.
            took: seconds of the whole step, waiting included.
        """
        self._chance.step(values.get(self._two_way))
        self._wait.step(waited, took)
        self._waited, self._took, self._count = self._waited + waited, self._took + took, self._count + 1
        self._progress.step(step, values, took)
        if step % self._every and step != self._last:
            return
        times = {
            **{"step_time": self._took / self._count, "data_time": self._waited / self._count},
            **{"data_share": self._waited / self._took if self._took else 0.0},
            **{"memory_mb": peak_memory(), "minutes": (time.monotonic() - self._begun) / 60},
        }
        self._waited, self._took, self._count = 0.0, 0.0, 0
        self._write(step, {**values, **times})
        warnings = [text for text in (self._chance.row(), self._wait.row()) if text]
        self._progress.row(step, {**values, **times}, self._wait.share)
        for text in warnings:
            self.note(f"step {step}: {text}")

    def changes(self, step, changes):
        """Note what differs from the stored run that goes on after `step`: dict of setting -> [old, new].

        A start that was killed before it stored anything has noted it before; then it is noted once.
        """
        if not changes:
            return
        if not any(row["step"] == step and row.get("changed") == changes for row in self._rows.kept):
            self._write(step, {"changed": changes})
        self.note(f"changed since step {step}: {describe_changes(changes)}")

    def validation(self, step, metrics, opened, pictures=None):
        """Take in one validation.

        Args:
            step: number of steps done.
            metrics: dict of "val/l1", "unseen/sync/accuracy", ... -> float; may be empty.
            opened: names of the losses that it switched on.
            pictures: training.logging.picture_grid.Faces for `faces.png`, or None.
        """
        if metrics or opened:
            self._write(step, {**metrics, **({"opened": list(opened)} if opened else {})})
        if metrics:
            self.note(line(step, metrics))
        for name in opened:
            self.note(f"step {step}: loss {name} is switched on")
        if pictures:
            self._show(step, pictures)

    def note(self, text):
        """One line for the user."""
        self._progress.note(text)

    def close(self):
        """End the bar, draw `curve.png` if the config wants it, close the trackers; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        with ExitStack() as stack:
            for tracker in self._trackers:
                stack.callback(tracker.close)
            self._progress.close()
            if self._curve and (complaint := draw_curves([self._folder], self._folder / "curve.png")):
                self.note(complaint)

    def _write(self, step, values):
        self._rows.append(step, values)
        for tracker in self._trackers:
            tracker.scalars(step, values)

    def _show(self, step, pictures):
        page = faces_page(pictures, step)
        if page is None:
            if not self._no_pillow:
                self.note(_NO_PILLOW)
            self._no_pillow = True
            return
        write_picture(self._folder / "faces.png", page)
        for tracker in self._trackers:
            tracker.picture(step, "faces", page)


def peak_memory():
    """Most memory so far in MiB, float: what tensors took of a GPU where this process uses one, else what the process took; NaN
    where the system does not tell (Windows)."""
    if torch.cuda.is_initialized():
        return max(torch.cuda.max_memory_allocated(index) for index in range(torch.cuda.device_count())) / 2**20
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:
        return float("nan")
    return getrusage(RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

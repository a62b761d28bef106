"""Many jobs with one model in memory: what is known of each, and a run in which one that fails does not stop the rest."""

import logging
from dataclasses import dataclass, field

from common.errors import InputError
from common.system_errors import explain
from pipeline.options import STILL

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One job as the user wrote it.

    Attributes:
        line: its place: the number of the line in a jobs file, or of the pair in a folder, from 1.
        face, audio, outfile, drive, pose: paths; None where there is none. `pose` may be the word "still".
        label: what messages call it, such as "jobs.csv line 3".
    """

    line: int
    face: str
    audio: str | None
    outfile: str
    drive: str | None = None
    pose: str | None = None
    label: str = ""

    @property
    def inputs(self):
        """The paths that are read: list of str."""
        return [path for path in (self.face, self.audio, self.drive, self.pose) if path and path != STILL]


@dataclass(frozen=True, order=True)
class Failed:
    """A job that cannot be done, or was not: its place, what messages call it, and why."""

    line: int
    label: str
    message: str


@dataclass(frozen=True)
class JobList:
    """The jobs that the user asks for.

    Attributes:
        source: where they come from, for messages.
        rows: list of Row.
        bad: list of Failed, of lines that cannot be used.
        notes: lines on what was left out.
        keep: paths that no job may replace, beside the inputs.
    """

    source: str
    rows: list
    bad: list
    notes: list = field(default_factory=list)
    keep: tuple = ()

    def __len__(self):
        """Jobs that were asked for."""
        return len(self.rows) + len(self.bad)


def failure(row, error):
    """Failed of a Row, by the exception that ended it: what the user can mend, else a fault of the program, which is logged."""
    message = explain(error) if isinstance(error, OSError) else str(error) if isinstance(error, InputError) else None
    if message is None:
        log.error("%s failed through a fault of this program", row.label, exc_info=error)
        message = f"fault of this program: {type(error).__name__}: {error}"
    return Failed(row.line, row.label, message)


def run_rows(ready, run_one, say):
    """Run every job; what fails is kept for the report.

    Args:
        ready: list of (Row, what `run_one` takes).
        run_one: does one job; raises InputError, or an error of the system, for what the user can mend.
        say: called with what `run_one` returned. A job is done by then, whatever becomes of the message.

    Returns:
        list of Failed.

    Raises:
        KeyboardInterrupt: its message says how many jobs are done.
    """
    failed = []
    for done, (row, job) in enumerate(ready):
        try:
            result = run_one(job)
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(f"{done - len(failed)} jobs are done and their results kept, the one in work left "
                                    "nothing; rows that are not done can be run again") from stop  # fmt: skip
        except Exception as error:  # a fault of ours in one row must not cost the user the others
            failed.append(failure(row, error))
        else:
            say(result)
    return failed

"""The frame around every command-line script: exit codes, and no stack trace for what a user can mend."""

import sys
from contextlib import contextmanager
from pathlib import Path

from common.errors import InputError
from common.streams import lossy_streams
from common.system_errors import explain

NOTHING_KEPT = "nothing was written under the final name; the same command begins again"
_ROOT = Path(__file__).resolve().parents[1]
EXIT_OK, EXIT_FAILED_JOB, EXIT_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130


def run(main, argv=None):
    """Call `main(argv)` and turn its end into an exit code.

    Messages never decide how a script ends: what cannot be printed (a closed pipe, a full disk, an encoding that lacks a
    letter) is lost or shown escaped, see `common.streams`.

    Args:
        main: takes the list of arguments, returns None or an exit code.
        argv: list of str without the program's name; None takes `sys.argv[1:]`.

    Returns:
        0 or main's own code; 2 after an InputError, and after an error of the system that a user can mend (a full disk, no
        permission; see `common.system_errors`): one line goes to stderr; 130 after Ctrl-C, with the text of the
        KeyboardInterrupt, where it has one. Any other exception is a fault of ours and keeps its stack trace.
    """
    with lossy_streams():
        try:
            return main(sys.argv[1:] if argv is None else argv) or EXIT_OK
        except InputError as error:
            print(f"error: {one_line(error)}", file=sys.stderr)
            return EXIT_INPUT
        except OSError as error:
            if (message := explain(error)) is None:
                raise
            print(f"error: {one_line(message)}", file=sys.stderr)
            return EXIT_INPUT
        except KeyboardInterrupt as stop:
            print(f"interrupted: {one_line(stop) or NOTHING_KEPT}", file=sys.stderr)
            return EXIT_INTERRUPTED


@contextmanager
def when_interrupted(kept):
    """Ctrl-C inside the block ends a script with words on what is kept, and how to go on.

    Args:
        kept: those words, or a function without arguments that gives them.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(str(stop) or (kept() if callable(kept) else kept)) from None


def one_line(message):
    """Text of a message with line breaks and other control characters escaped: a file may be named so."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(message))


def _leave_import(kind, error, trace, usual=sys.excepthook):
    """Ctrl-C while a script of ours still loads its packages: a line in place of a stack trace."""
    if issubclass(kind, KeyboardInterrupt):
        print(f"interrupted: {NOTHING_KEPT}", file=sys.stderr)
    else:
        usual(kind, error, trace)


if _ROOT in Path(getattr(sys.modules["__main__"], "__file__", None) or "/").resolve().parents:  # not where others import us
    sys.excepthook = _leave_import

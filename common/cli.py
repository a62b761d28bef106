"""The frame around every command-line script: exit codes, and no stack trace for what a user can mend."""

import sys

from common.errors import InputError
from common.streams import lossy_streams
from common.system_errors import told

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
            if (message := told(error)) is None:
                raise
            print(f"error: {one_line(message)}", file=sys.stderr)
            return EXIT_INPUT
        except KeyboardInterrupt as stop:
            print(f"interrupted: {one_line(stop) or 'nothing was written under the final name'}", file=sys.stderr)
            return EXIT_INTERRUPTED


def one_line(message):
    """Text of a message with line breaks and other control characters escaped: a file may be named so."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(message))

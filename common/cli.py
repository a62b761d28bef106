"""The frame around every command-line script: exit codes, and no stack trace for a user's mistake."""

import sys

from common.errors import InputError

EXIT_OK, EXIT_FAILED_JOB, EXIT_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130


def run(main, argv=None):
    """Call `main(argv)` and turn its end into an exit code.

    Args:
        main: takes the list of arguments, returns None or an exit code.
        argv: list of str without the program's name; None takes `sys.argv[1:]`.

    Returns:
        0 or main's own code; 2 after an InputError (its message goes to stderr as one line); 130 after Ctrl-C. Any other
        exception is a fault of ours and keeps its stack trace.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal's encoding lacks is shown escaped; it ends no run
            stream.reconfigure(errors="backslashreplace")
    try:
        return main(sys.argv[1:] if argv is None else argv) or EXIT_OK
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_INPUT
    except KeyboardInterrupt:
        print("interrupted: nothing was written under the final name", file=sys.stderr)
        return EXIT_INTERRUPTED

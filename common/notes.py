"""What a program says beside its result: things that the user may want to know, and has nothing to mend about."""

import sys

from common.cli import one_line

_said = set()


def say_note(note):
    """Print "note: ..." on stderr, in one line, unless this process has said the same before."""
    if note not in _said:
        _said.add(note)
        print(one_line(f"note: {note}"), file=sys.stderr, flush=True)

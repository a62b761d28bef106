"""Files that a former run left in a folder of outputs, and that this run does not write again."""

import re
from contextlib import suppress
from pathlib import Path


class FormerFiles:
    """What a folder holds when a run begins.

    Args:
        folder: of the outputs; it may be missing.
        pattern: regular expression of the whole names of the files that such runs write; others are left alone.

    Attributes:
        names: of the files that are there, sorted.
    """

    def __init__(self, folder, pattern):
        found = []
        with suppress(OSError, ValueError):  # nothing is there, or nothing that can be: who checks the folder says so
            found = sorted(Path(folder).iterdir())
        self._seen = {path: _state(path) for path in found if re.fullmatch(pattern, path.name) and path.is_file()}
        self.names = [path.name for path in self._seen]

    def remove_stale(self):
        """Remove those that nobody has written since; returns their names."""
        stale = [path for path, state in self._seen.items() if path.is_file() and _state(path) == state]
        for path in stale:
            path.unlink()
        return [path.name for path in stale]


def _state(path):
    found = path.stat()  # of the file that a link leads to, for that is what is written
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns

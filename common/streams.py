"""Standard output and standard error that end no work: a message that cannot be shown is lost, and what was done stays done."""

import errno
import os
import sys
from contextlib import contextmanager, suppress


class LossyStream:
    """A text stream that loses what it cannot write, in place of raising.

    Args:
        stream: the stream behind it. A character that its encoding lacks is shown escaped.

    Attributes:
        failure: OSError of the first write that failed, or None.
    """

    def __init__(self, stream):
        self._stream, self.failure = stream, None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        """Write, or lose, a text; returns its length."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def writelines(self, lines):
        """Write, or lose, several texts."""
        for line in lines:
            self.write(line)

    def flush(self):
        """Write, or lose, what waits."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error):
        """From here on all goes to the null device, what waits in the stream as well, so that its end is quiet too."""
        self.failure = self.failure or error
        with suppress(OSError, ValueError):  # a stream without a file behind it
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)


@contextmanager
def lossy_streams():
    """Standard output and error are LossyStreams while the block runs.

    A stream that was closed before the program began is the null device, so that no file which the program opens takes its
    number. At the end one line on standard error says that messages were lost, unless their reader had closed the pipe.
    """
    _fill_closed()
    kept = sys.stdout, sys.stderr
    out, errors = (LossyStream(stream or open(os.devnull, "w", encoding="utf-8")) for stream in kept)  # noqa: SIM115
    sys.stdout, sys.stderr = out, errors
    try:
        yield
    finally:
        out.flush()
        if out.failure is not None and out.failure.errno != errno.EPIPE:
            print(f"warning: messages on standard output were lost ({out.failure.strerror})", file=errors)
        errors.flush()
        sys.stdout, sys.stderr = kept


def _fill_closed():
    """Open the null device under each number of a standard stream that is closed."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number is this one

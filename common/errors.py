"""One exception for everything that a user can mend."""


class InputError(Exception):
    """A mistake in what the user gave: a file, a flag, a config key.

    The message names the file or key that is wrong and says what to do about it. Scripts print it as one line, without a
    stack trace, and leave with exit code 2 (see `common.cli.run`).
    """

"""Errors of the operating system: which of them the user can mend, and what to say of them."""

import errno
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_TEMPORARY = "No usable temporary directory"  # the words of `tempfile`
_CURES = {
    errno.ENOSPC: "make room on the disk, or choose another place",
    errno.EDQUOT: "the quota is used up; make room, or choose another place",
    errno.EFBIG: "the disk, or a limit of the shell (ulimit -f), allows no file so large; choose another place",
    errno.EROFS: "choose a place that can be written",
    errno.EACCES: "permit it, or choose another place",
    errno.EPERM: "permit it, or choose another place",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "a link leads round in a circle; give the file itself",
    errno.EMFILE: "raise the limit of the shell (ulimit -n)",
    errno.ENFILE: "the machine has too many files open; close other programs",
    errno.ENOMEM: "close other programs, or take a machine with more memory",
    errno.EIO: "the disk or the network failed; try again, or choose another place",
    errno.ESTALE: "the network disk has changed; try again",
    errno.EBUSY: "another program uses it; try again",
    errno.ETXTBSY: "another program runs it; choose another place",
    errno.ENXIO: "it is a device or a pipe; give a file",
}
_OF_A_PATH = {
    errno.ENOENT: "was it moved or removed meanwhile?",
    errno.ENOTDIR: "a part of the path is a file; give another one",
    errno.EISDIR: "give a file",
    errno.EEXIST: "choose another name",
    errno.ENOTEMPTY: "choose another name",
}


def explain(error):
    """One line on an OSError that a user can mend; None for one that is a fault of the program.

    It is the user's to mend when the disk, a permission, a limit or a path is the reason. A wrong use of the system (a closed
    file, an invalid argument, an error without a number) is a fault of the program, and so is a file of the program itself
    that is missing.

    Args:
        error: OSError.
    """
    if _TEMPORARY in str(error):
        return "there is no folder for temporary files that can be written; set TMPDIR to one"
    names = [str(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes | Path)]
    if error.errno in _CURES:
        cure = _CURES[error.errno]
    elif error.errno in _OF_A_PATH and names and not _is_ours(names[0]):
        cure = _OF_A_PATH[error.errno]
    else:
        return None
    return f"{' -> '.join(names) or 'the system'}: {error.strerror or 'failed'}; {cure}"


def _is_ours(name):
    """True for a file inside one of the program's own packages."""
    path = Path(name).resolve()
    return path.is_relative_to(_ROOT) and (_ROOT / path.relative_to(_ROOT).parts[0] / "__init__.py").is_file()

"""Unknown names are refused, with the nearest known one."""

import difflib

from common.errors import InputError


def refuse_unknown(names, known, what):
    """Raise InputError for the first of `names` that is not in `known`, and name the nearest one that is.

    Args:
        names, known: iterables of str.
        what: what a name stands for, for the message: "field", "loss", "key".
    """
    known = list(known)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(known))}"
            raise InputError(f"unknown {what} {name!r}{hint}")

"""Which sentences of a prepared corpus are measured where a few have to do."""

import numpy as np


def spread(rows, most):
    """At most about `most` of some ClipRows, taken from the people of whom there are many; evenly spread over each of them.

    Each person keeps one sentence at least. None takes all.
    """
    people = {}
    for row in rows:
        people.setdefault(row.speaker, []).append(row)
    cap = max(map(len, people.values()), default=0)
    while most is not None and cap > 1 and sum(min(cap, len(own)) for own in people.values()) > most:
        cap -= 1
    return [own[at] for own in people.values() for at in np.linspace(0, len(own) - 1, min(cap, len(own))).round().astype(int)]


def other_of(rows, number):
    """Another sentence than rows[number]: the next one of its person, or the next one of anybody; None where there is none."""
    row = rows[number]
    turned = [*rows[number + 1 :], *rows[:number]]
    return next((one for one in turned if one.speaker == row.speaker), turned[0] if turned else None)

"""Fields for the judge of lip sync: the mouth's landmarks in the canonical frame, and where they rest."""

import numpy as np

from common.errors import InputError
from datasets.fields.lips import in_step, mirrored
from datasets.fields.registry import register
from faces.mouth import canonical_mouth, resting_mouth

MARGIN = 16  # frames, at most


def _check(options):
    if type(options["margin"]) is not int or not 0 <= options["margin"] <= MARGIN:
        raise InputError(f"margin: {options['margin']!r}: must be a whole number of frames between 0 and {MARGIN}")
    if type(options["in_step"]) is not bool:
        raise InputError(f"in_step: {options['in_step']!r}: must be true or false")


@register(
    "sync_lips", "(T + 2 M, 20, 2)", "float32", "eye distances",
    "mouth landmarks in the canonical frame, from M frames before the window to M after it (the clip's ends are held); "
    "where the clip's measured AV offset says that they are heard, or, with in_step false, where they are seen",
    options={"margin": 0, "in_step": True}, check=_check, voices=True,
)  # fmt: skip
def sync_lips(window):
    landmarks = window.clip["landmarks"]
    if window.options["in_step"]:
        landmarks = in_step(landmarks, window.row)
    return mirrored(canonical_mouth(window.points(landmarks, window.options["margin"])), window)


@register("amplitude", "()", "float32", "above 0", "spread of the person's mouth opening over the mean one", voices=True)
def amplitude(window):
    _, person = window.data.kept.lips(window.number)
    return np.float32(person.amplitude)


@register(
    "sync_rest", "(20, 2)", "float32", "eye distances", "median over the clip of these points less their mean", voices=True
)  # fmt: skip
def sync_rest(window):
    return mirrored(resting_mouth(canonical_mouth(window.clip["landmarks"])), window)

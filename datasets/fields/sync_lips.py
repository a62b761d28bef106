"""Fields for the judge of lip sync: the mouth's landmarks in the canonical frame, and where they rest."""

import numpy as np

from common.errors import InputError
from datasets.fields.registry import register
from faces.landmarks import MIRROR, MOUTH
from faces.mouth import canonical_mouth, resting_mouth

MARGIN = 16  # frames, at most
_MIRROR = np.array(MIRROR)[MOUTH] - MOUTH.start


def _mirrored(window, points):
    """Points as the picture's change has them: mirrored or not; the rest of it does not show in the canonical frame."""
    return points[..., _MIRROR, :] * np.float32([-1, 1]) if window.look.flip else points


def _check(options):
    if type(options["margin"]) is not int or not 0 <= options["margin"] <= MARGIN:
        raise InputError(f"margin: {options['margin']!r}: must be a whole number of frames between 0 and {MARGIN}")


@register(
    "sync_lips", "(T + 2 M, 20, 2)", "float32", "eye distances",
    "mouth landmarks in the canonical frame, from M frames before the window to M after it; the clip's ends are held beyond it",
    options={"margin": 0}, check=_check, voices=True,
)  # fmt: skip
def sync_lips(window):
    return _mirrored(window, canonical_mouth(window.points(window.clip["landmarks"], window.options["margin"])))


@register(
    "sync_rest", "(20, 2)", "float32", "eye distances", "median over the clip of these points less their mean", voices=True
)  # fmt: skip
def sync_rest(window):
    return _mirrored(window, resting_mouth(canonical_mouth(window.clip["landmarks"])))

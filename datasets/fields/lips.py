"""Fields of lips without a head: movements, and whose they are (faces.lip_space)."""

import numpy as np

from datasets.fields.registry import register
from faces.landmarks import MIRROR, MOUTH
from faces.lip_space import Person, movements

LEAST = 0.75  # frames; a measured offset below it may be none
_MIRROR = np.array(MIRROR[MOUTH]) - MOUTH.start


def in_step(values, row):
    """(N, ...) a row for each frame of the picture -> the same at the times of the sound, by the clip's measured AV offset.

    Args:
        row: datasets.prepared.ClipRow; an offset that is not sure, or below LEAST, changes nothing.
    """
    offset = 0.0 if row.av_offset is None else row.av_offset - row.av_corrected
    if not row.av_is_sure or abs(offset) < LEAST:
        return values
    places = np.clip(np.arange(len(values)) - offset, 0, len(values) - 1)
    low = np.minimum(places.astype(np.int64), len(values) - 2)
    share = (places - low).reshape(-1, *[1] * (values.ndim - 1))
    return values[low] * (1 - share) + values[low + 1] * share


def lips_of(clip):
    """Arrays of a clip -> (N, 20, 2) float32 movements, and the Person whose they are."""
    landmarks = np.asarray(clip["landmarks"], np.float64)
    person = Person.of(landmarks)
    return movements(landmarks, person).astype(np.float32), person


def mirrored(points, window):
    """Mouth points (..., 20, 2) in a frame whose x is 0 on the face's middle line, mirrored where the picture is."""
    return points[..., _MIRROR, :] * np.float32([-1, 1]) if window.look.flip else points


@register(
    "lips", "(T, 20, 2)", "float32", "eye distances", "movements of the mouth, head-free, over the person's amplitude "
    "(faces.lip_space), where the clip's measured AV offset says that they are heard", voices=True,
)  # fmt: skip
def lips(window):
    moved, _ = window.data.kept.lips(window.number)
    return np.ascontiguousarray(mirrored(window.points(in_step(moved, window.row)), window), np.float32)


@register("rest", "(20, 2)", "float32", "eye distances", "the person's mouth at rest (faces.lip_space)", voices=True)
def rest(window):
    _, person = window.data.kept.lips(window.number)
    return np.ascontiguousarray(mirrored(person.rest, window), np.float32)

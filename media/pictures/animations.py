"""Animated WebP and AVIF as frames with times."""

from fractions import Fraction

from media.pictures.kinds import FAULTS, damaged
from media.pictures.profiles import tagged_mapping
from media.pictures.stills import still_to_rgb
from media.rates import snap_rate

_MEASURED = 50  # frames that are decoded to find the rate
_SHORTEST, _USUAL = Fraction(1, 90), Fraction(1, 10)  # seconds; a shorter frame is shown for the usual time, as browsers do


def animation_frames(image, path):
    """Yield (start, duration, (H, W, 3) uint8 RGB, notes) of each frame of an open animation; times in seconds as Fraction.

    Raises:
        InputError: the file is cut short or damaged.
    """
    mapping, start = None, Fraction(0)
    for number in range(image.n_frames):
        _decode(image, number, path)
        mapping = mapping or tagged_mapping(image, path)
        duration = _duration(image)
        rgb, notes = still_to_rgb(image, path, mapping)
        yield start, duration, rgb, notes
        start += duration


def measure_animation(image, path):
    """(fps, seconds) of an open animation: the rate of its shortest frame, and its length; None where it is long."""
    durations = []
    for number in range(min(image.n_frames, _MEASURED)):
        _decode(image, number, path)
        durations.append(_duration(image))
    return snap_rate(1 / min(durations)), sum(durations) if image.n_frames <= _MEASURED else None


def _decode(image, number, path):
    """Bring an open animation to a frame and decode it; InputError where that fails."""
    try:
        image.seek(number)
        image.load()
    except FAULTS as error:
        raise damaged(path, error) from error


def _duration(image):
    """Seconds (Fraction) for which the frame at hand is shown."""
    seconds = Fraction(image.info.get("duration") or 0).limit_denominator(1000) / 1000
    return seconds if seconds >= _SHORTEST else _USUAL

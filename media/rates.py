"""Frame rates as exact fractions: parsing, snapping to the standard ones, and choosing one for a stream."""

from fractions import Fraction
from itertools import pairwise
from statistics import median

from common.errors import InputError

MAX_FPS = 240
STANDARD_RATES = tuple(
    sorted(
        [Fraction(n) for n in (5, 6, 8, 10, 12, 15, 16, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 144, 200, 240)]
        + [Fraction(n * 1000, 1001) for n in (15, 24, 30, 48, 60, 120, 240)]
    )
)


def as_rate(value, name="fps"):
    """A frame rate as Fraction in (0, 240].

    Args:
        value: Fraction, int, float or str ("25", "29.97", "30000/1001"). A float or decimal string within 0.0005 of a standard
            rate becomes that rate, so that 29.97 is 30000/1001.
        name: the flag or key, for the message.

    Raises:
        InputError: not a number, not above 0, or above 240.
    """
    try:
        rate = Fraction(value)
        exact = isinstance(value, int | Fraction) or (isinstance(value, str) and "/" in value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise InputError(f"{name}={value!r} is not a frame rate; give a number such as 25 or 30000/1001") from error
    if not 0 < rate <= MAX_FPS:
        raise InputError(f"{name}={value} is out of range; give a frame rate above 0 and at most {MAX_FPS}")
    if exact:
        return rate
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    if abs(nearest - rate) <= Fraction(5, 10000):
        return nearest
    return max(rate.limit_denominator(100000), Fraction(1, 100000))


def snap_rate(rate, tolerance=Fraction(4, 1000)):
    """The standard rate within `tolerance` (relative) of `rate`, else `rate` with a denominator of at most 1001."""
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    if abs(nearest - rate) <= tolerance * nearest:
        return nearest
    return rate.limit_denominator(1001) or rate


def measured_rate(times):
    """Frame rate by presentation times (Fractions, seconds, any order); None for fewer than two different ones.

    It is the mean of the distances within a quarter of their median: pauses do not count, and rounding (Matroska's 33, 33,
    34 ms) averages out.
    """
    times = sorted(set(times))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if not gaps:
        return None
    middle = median(gaps)
    usual = [gap for gap in gaps if abs(gap - middle) <= middle / 4] or [middle]
    return snap_rate(len(usual) / sum(usual))


def agreeing_rate(average, guessed):
    """The container's rate when both of its claims are sane and within 5 % of each other, else None: then measure.

    Args:
        average: frames over duration, Fraction or None.
        guessed: the rate that ffmpeg infers from header and time stamps, Fraction or None.
    """
    if not average or not guessed or not 0 < guessed <= MAX_FPS or not 0 < average <= MAX_FPS:
        return None
    return guessed if abs(guessed - average) <= average / 20 else None

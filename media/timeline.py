"""From presentation times to a constant-rate timeline; pure functions over any payload."""

from fractions import Fraction
from math import ceil, floor

EARLY = Fraction(1, 4)
JUMP_BACK_SECONDS = 1
JUMP_AHEAD_SECONDS = 600


def steady_times(frames, default_duration):
    """Mend presentation times so that they never decrease.

    Args:
        frames: iterable of (time, duration, payload): seconds as Fraction; time and duration may be None.
        default_duration: Fraction, seconds, for frames that state none, or less than half of it (encoders with a fine clock
            state one tick of it).

    Yields:
        (start, duration, payload), start never decreasing. A frame without a time follows its predecessor. A step back of up
        to one second gets the predecessor's time (it replaces it on screen); a longer step back, or a gap of more than ten
        minutes, is a break in the time stamps (a spliced stream): what follows it is moved to the predecessor's end.
    """
    shift, start, end = Fraction(0), None, None
    for time, duration, payload in frames:
        if duration is None or 2 * duration < default_duration:
            duration = default_duration
        if start is None:
            start = Fraction(0) if time is None else time
        elif time is None:
            start = end
        else:
            moved = time + shift
            if moved < start - JUMP_BACK_SECONDS or moved > end + JUMP_AHEAD_SECONDS:
                shift += end - moved
                moved = end
            start = max(start, moved)
        end = start + duration
        yield start, duration, payload


def on_timeline(frames, fps):
    """Payloads at a constant rate: output i is the last frame that starts by (i + 1/4) / fps.

    The quarter frame of grace absorbs time stamps that a container rounds (to 1 ms in Matroska) and the jitter of phones, so
    that a stream that has the wanted rate already passes one to one. The first frame is held from time 0 when it starts
    later; the last is held for its duration. The number of outputs is the end of the last frame times `fps`, rounded, and at
    least one for a stream with a frame.

    Args:
        frames: iterable of (start, duration, payload); seconds as Fraction, start never decreasing.
        fps: Fraction, frames a second of the timeline.

    Yields:
        payload, once per output frame; holds one frame at a time.
    """
    index, end, shown, empty = 0, Fraction(0), None, True
    for start, duration, payload in frames:
        if not empty:
            first = ceil(start * fps - EARLY)
            while index < first:
                yield shown
                index += 1
        shown, empty, end = payload, False, start + duration
    if empty:
        return
    total = max(1, floor(end * fps + Fraction(1, 2)))
    while index < total:
        yield shown
        index += 1

"""Which frame of the source is shown at which frame of the result."""

LOOP_MODES = ("pingpong", "loop", "hold")


def loop_index(t, n, mode="pingpong"):
    """Frame of the source that is shown at frame `t` of the result.

    Args:
        t: int >= 0.
        n: int >= 1, number of source frames.
        mode: "pingpong" runs forward, then back, each end shown once a turn (0 1 2 3 2 1 0 1 ...); "loop" starts again from the
            first frame; "hold" stays on the last.

    Returns:
        int in [0, n).
    """
    if t < n:
        return t
    if mode == "hold":
        return n - 1
    if mode == "loop":
        return t % n
    if mode != "pingpong":
        raise ValueError(f"loop mode {mode!r}")
    period = max(1, 2 * n - 2)
    at = t % period
    return at if at < n else period - at


def loop_runs(total, n, mode="pingpong", *, first=0):
    """The same as `loop_index` for t = first ... total - 1, as runs that a reader can follow.

    Yields:
        (start, stop, step) as `range` takes them, step 1 or -1; held frames come as runs of one frame.
    """
    t = first
    while t < total:
        start = loop_index(t, n, mode)
        forward = mode != "pingpong" or n == 1 or (t % (2 * n - 2)) < n - 1
        if mode == "hold" and t >= n:
            length = 1
        elif forward:
            length = min(n - start, total - t)
        else:
            length = min(start, total - t)
        yield (start, start + length, 1) if forward else (start, start - length, -1)
        t += length


def ranges(numbers):
    """Ascending whole numbers as text: [3, 4, 5, 9] -> "3-5, 9"."""
    parts, start, last = [], None, None
    for number in [*numbers, None]:
        if start is not None and number != last + 1:
            parts.append(str(start) if start == last else f"{start}-{last}")
            start = None
        if start is None:
            start = number
        last = number
    return ", ".join(parts)

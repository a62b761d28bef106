"""Frame rates and the mapping from presentation times to a constant-rate timeline."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.errors import InputError
from media.container import zero_seconds
from media.rates import MAX_FPS, agreeing_rate, as_rate, measured_rate, snap_rate
from media.timeline import EARLY, on_timeline, steady_times

RATES = st.sampled_from(
    [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(12), Fraction(60), Fraction(7, 3)]
)
GAPS = st.lists(st.integers(1, 900), min_size=0, max_size=30)
settings = hypothesis_settings(deadline=None, max_examples=80)


def stamped(gaps, start=0):
    """[(start, duration, k)] in milliseconds turned to seconds; the last frame lasts 40 ms."""
    times = [start]
    for gap in gaps:
        times.append(times[-1] + gap)
    durations = [b - a for a, b in pairwise(times)] + [40]
    return [(Fraction(t, 1000), Fraction(d, 1000), k) for k, (t, d) in enumerate(zip(times, durations, strict=True))]


@settings
@given(GAPS, RATES)
def test_each_output_is_the_last_frame_begun_by_then(gaps, fps):
    frames = stamped(gaps)
    shown = list(on_timeline(frames, fps))
    for index, payload in enumerate(shown):
        begun = [k for start, _, k in frames if start <= (index + EARLY) / fps]
        assert payload == max(begun)


@settings
@given(GAPS, RATES)
def test_length_is_the_duration_to_half_a_frame(gaps, fps):
    frames = stamped(gaps)
    end = frames[-1][0] + frames[-1][1]
    count = len(list(on_timeline(frames, fps)))
    assert count >= 1
    assert abs(count - end * fps) <= max(Fraction(3, 4), 1 - end * fps)


@settings
@given(GAPS, RATES)
def test_order_is_kept(gaps, fps):
    shown = list(on_timeline(stamped(gaps), fps))
    assert shown == sorted(shown)


@settings
@given(st.integers(1, 120), RATES, st.sampled_from([1000, 90000, 600, 12800]), st.lists(st.integers(-200, 200), max_size=120))
def test_a_constant_rate_passes_one_to_one_whatever_the_clock_and_jitter(count, fps, clock, jitter):
    """Rounded time stamps, and jitter of a fifth of a frame, neither drop nor repeat a frame."""
    frames = []
    for k in range(count):
        moved = Fraction(jitter[k], 1000) if 0 < k < len(jitter) else 0
        time = (k + moved) / fps
        frames.append((Fraction(round(time * clock), clock), 1 / fps, k))
    assert list(on_timeline(frames, fps)) == list(range(count))


@settings
@given(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40), st.integers(0, 5000)), max_size=40))
def test_mended_times_never_decrease_and_never_leap(times):
    frames = [(None if t is None else Fraction(t, 1000), None, k) for k, t in enumerate(times)]
    mended = list(steady_times(frames, Fraction(1, 25)))
    assert [k for _, _, k in mended] == list(range(len(times)))
    for (start, duration, _), (later, _, _) in pairwise(mended):
        assert start <= later <= start + duration + 600


def test_a_stream_that_starts_late_holds_its_first_frame():
    assert list(on_timeline(stamped([40, 40], start=100), Fraction(25))) == [0, 0, 0, 0, 1, 2]


def test_splice_continues_after_the_break():
    frames = [(Fraction(k, 25), None, k) for k in range(3)] + [(Fraction(-50 + k, 25), None, 3 + k) for k in range(3)]
    assert list(on_timeline(steady_times(frames, Fraction(1, 25)), Fraction(25))) == [0, 1, 2, 3, 4, 5]


def test_one_tick_duration_of_the_last_frame_is_not_believed():
    frames = [(Fraction(k, 25), Fraction(1, 600), k) for k in range(50)]
    assert len(list(on_timeline(steady_times(frames, Fraction(1, 25)), Fraction(25)))) == 50


def test_no_frame_gives_nothing():
    assert list(on_timeline([], Fraction(25))) == []


@pytest.mark.parametrize(
    ("given_rate", "rate"),
    [
        (25, Fraction(25)),
        ("25", Fraction(25)),
        ("30000/1001", Fraction(30000, 1001)),
        (29.97, Fraction(30000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        (23.976023976, Fraction(24000, 1001)),
        (12.5, Fraction(25, 2)),
        (Fraction(2997, 100), Fraction(2997, 100)),
        (0.5, Fraction(1, 2)),
    ],
)
def test_rates_are_exact(given_rate, rate):
    assert as_rate(given_rate) == rate


@pytest.mark.parametrize("wrong", [0, -25, 1000, float("nan"), float("inf"), "abc", "1/0", None, "", 240.1])
def test_rates_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="fps"):
        as_rate(wrong)


@settings
@given(st.floats(min_value=1e-4, max_value=MAX_FPS))
def test_any_float_rate_is_kept_to_the_sixth_digit(rate):
    assert abs(float(as_rate(rate)) - rate) <= 0.0005


def test_rate_is_measured_where_the_header_is_wrong():
    assert agreeing_rate(Fraction(25), Fraction(1000)) is None
    assert agreeing_rate(None, Fraction(25)) is None
    assert agreeing_rate(Fraction(1000), Fraction(1000)) is None
    assert agreeing_rate(Fraction(2987, 100), Fraction(30)) == 30
    rounded = [Fraction(round(k * 1001 / 30), 1000) for k in range(100)]
    assert measured_rate(rounded[::-1]) == Fraction(30000, 1001)
    assert measured_rate([Fraction(0)]) is None
    assert snap_rate(Fraction(2503, 100)) == 25


def test_zero_is_shared_by_picture_and_sound():
    assert zero_seconds(Fraction(2), None) == 2
    assert zero_seconds(Fraction(2), Fraction(3)) == 2
    assert zero_seconds(Fraction(2), Fraction(197, 100)) == 2
    assert zero_seconds(Fraction(2), Fraction(1)) == 1

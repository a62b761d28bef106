from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.playback.timeline import LOOP_MODES, loop_index, loop_runs, ranges

SMALL = settings(deadline=None, max_examples=200)


def test_the_three_modes_by_hand():
    assert [loop_index(t, 4, "pingpong") for t in range(10)] == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert [loop_index(t, 4, "loop") for t in range(10)] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert [loop_index(t, 4, "hold") for t in range(7)] == [0, 1, 2, 3, 3, 3, 3]
    assert [loop_index(t, 1, mode) for mode in LOOP_MODES for t in range(3)] == [0] * 9
    assert [loop_index(t, 2, "pingpong") for t in range(5)] == [0, 1, 0, 1, 0]


@SMALL
@given(st.integers(1, 60), st.integers(0, 400), st.sampled_from(LOOP_MODES))
def test_every_frame_is_inside_and_starts_in_order(n, t, mode):
    index = loop_index(t, n, mode)
    assert 0 <= index < n
    if t < n:
        assert index == t


@SMALL
@given(st.integers(2, 60), st.integers(0, 400))
def test_pingpong_never_jumps(n, t):
    assert abs(loop_index(t + 1, n, "pingpong") - loop_index(t, n, "pingpong")) == 1


@SMALL
@given(st.integers(0, 300), st.integers(1, 40), st.sampled_from(LOOP_MODES), st.integers(0, 50))
def test_runs_say_the_same(total, n, mode, first):
    shown = [index for run in loop_runs(total, n, mode, first=first) for index in range(*run)]
    assert shown == [loop_index(t, n, mode) for t in range(first, total)]


@SMALL
@given(st.sets(st.integers(0, 60)))
def test_ranges_can_be_read_back(numbers):
    back = set()
    for part in ranges(sorted(numbers)).split(", "):
        if part:
            start, _, end = part.partition("-")
            back |= set(range(int(start), int(end or start) + 1))
    assert back == numbers


def test_ranges_by_hand():
    assert ranges([3, 4, 5, 9]) == "3-5, 9"
    assert ranges([]) == ""

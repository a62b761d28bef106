"""Bootstrap intervals over videos: exact cases, how they move with the values, how often they hold the truth."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.formulas.bootstrap import interval, paired_difference

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=40)
FEW_RESAMPLES = 300


def test_too_few_values_have_no_interval():
    assert interval([]) == (None, None) and interval([3.0]) == (None, None)
    assert interval([3.0, 5.0]) == (3.0, 5.0)
    assert interval([0.1] * 7) == (pytest.approx(0.1, abs=1e-15),) * 2


def test_values_that_are_no_numbers_are_refused():
    for wrong in ([1.0, float("nan")], [1.0, float("inf")], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="finite"):
            interval(wrong)
    with pytest.raises(ValueError, match="level 95"):
        interval([1.0, 2.0], level=95)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_interval_lies_around_the_mean_and_within_the_values(values):
    low, high = interval(values, resamples=FEW_RESAMPLES)
    rounding = 1e-9
    assert min(values) - rounding <= low <= np.mean(values) + rounding
    assert np.mean(values) - rounding <= high <= max(values) + rounding
    assert interval(values, resamples=FEW_RESAMPLES) == (low, high)


@settings(max_examples=60, deadline=None)
@given(VALUES, st.floats(-1000, 1000), st.floats(0.1, 10))
def test_interval_follows_shift_and_scale(values, shift, scale):
    low, high = interval(values, resamples=FEW_RESAMPLES)
    moved = interval(scale * np.array(values) + shift, resamples=FEW_RESAMPLES)
    assert moved == pytest.approx((scale * low + shift, scale * high + shift), abs=1e-8)


def test_a_wider_level_and_another_seed_give_another_interval():
    values = np.random.default_rng(5).normal(size=30)
    low, high = interval(values)
    wide = interval(values, level=0.99)
    assert wide[0] < low < high < wide[1]
    assert interval(values, seed=1) != (low, high)


def test_interval_has_the_width_of_the_standard_error():
    values = np.random.default_rng(1).normal(7, 2, 400)
    low, high = interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(400), rel=0.06)


def test_about_95_of_100_intervals_hold_the_true_mean():
    draws = np.random.default_rng(2).normal(3, 1, (300, 40))
    held = [low <= 3 <= high for low, high in (interval(values, resamples=500, seed=seed) for seed, values in enumerate(draws))]
    assert 0.90 <= np.mean(held) <= 0.98


def test_memory_does_not_grow_with_videos():
    values = np.random.default_rng(3).normal(size=15_000)
    interval(values, resamples=4)
    tracemalloc.start()
    low, high = interval(values, resamples=500)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6 and low < values.mean() < high  # all 500 draws at once would take 120 MB


def test_paired_difference_takes_the_common_names_only():
    first = {"a": 1.0, "b": 2.0, "c": None, "only": 50.0}
    second = {"b": 5.0, "a": 2.0, "c": 3.0, "other": -50.0}
    found = paired_difference(first, second)
    assert found["difference"] == 2.0 and found["videos"] == 2 and (found["low"], found["high"]) == (1.0, 3.0)
    assert found == paired_difference(dict(reversed(first.items())), second)
    one = paired_difference({"a": 1.0}, {"a": 3.5})
    assert one == {"difference": 2.5, "low": None, "high": None, "videos": 1, "p": None}
    none = paired_difference({"a": 1.0}, {"b": 1.0})
    assert none == {"difference": None, "low": None, "high": None, "videos": 0, "p": None}


def test_p_is_small_where_the_interval_excludes_zero():
    random = np.random.default_rng(4)
    first = {str(i): value for i, value in enumerate(random.normal(size=50))}
    same = {name: value + change for (name, value), change in zip(first.items(), random.normal(0, 0.1, 50), strict=True)}
    near = paired_difference(first, same)
    assert near["low"] < 0 < near["high"] and near["p"] > 0.05
    far = paired_difference(first, {name: value + 0.2 for name, value in same.items()})
    assert 0 < far["low"] and far["p"] == pytest.approx(2 / 2001)
    assert far["difference"] == pytest.approx(near["difference"] + 0.2)
    back = paired_difference(same, first)
    assert back["difference"] == -near["difference"]
    assert (back["low"], back["high"]) == (pytest.approx(-near["high"]), pytest.approx(-near["low"]))
    assert paired_difference(first, first)["p"] == 1


def test_p_is_even_where_nothing_differs():
    random = np.random.default_rng(6)
    small = 0
    for seed in range(200):
        changes = dict(enumerate(random.normal(size=40)))
        found = paired_difference(dict.fromkeys(changes, 0.0), changes, resamples=400, seed=seed)
        small += found["p"] < 0.05
    assert 2 <= small <= 22

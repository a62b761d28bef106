"""Correlation and partial correlation against regressions, and how clips are put together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.formulas.correlation import over_clips, partial_correlation, pearson, zscore


def lstsq_residual(values, given):
    design = np.column_stack([np.ones(len(values)), given])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(seeds, st.integers(3, 200), st.floats(-3, 3), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_pearson_equals_numpy_and_ignores_scale(seed, n, slope, scale, shift):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = slope * x + rng.normal(size=n)
    assert pearson(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)
    assert pearson(x, scale * y + shift) == pytest.approx(pearson(x, y), abs=1e-6)
    assert pearson(x, -y) == pytest.approx(-pearson(x, y), abs=1e-9)


@settings(deadline=None)
@given(seeds, st.integers(8, 200), st.integers(1, 3))
def test_partial_correlation_equals_regression(seed, n, columns):
    rng = np.random.default_rng(seed)
    given = rng.normal(size=(n, columns))
    g = given @ rng.normal(size=columns) + rng.normal(size=n)
    b = given @ rng.normal(size=columns) + 0.5 * g + rng.normal(size=n)
    expected = np.corrcoef(lstsq_residual(g, given), lstsq_residual(b, given))[0, 1]
    assert partial_correlation(g, b, given) == pytest.approx(expected, abs=1e-9)


def test_partial_correlation_by_the_textbook_formula():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 300))
    g = 0.7 * a + 0.4 * b + 0.3 * rng.normal(size=300)
    gb, ga, ba = pearson(g, b), pearson(g, a), pearson(b, a)
    assert partial_correlation(g, b, a) == pytest.approx((gb - ga * ba) / np.sqrt((1 - ga**2) * (1 - ba**2)), abs=1e-9)


def test_shared_timing_is_not_a_leak():
    """g follows a; b shares the rhythm of a: plain correlation is high, the partial one is near zero."""
    rng = np.random.default_rng(2)
    rhythm = np.sin(np.arange(2000) / 7)
    a = rhythm + 0.4 * rng.normal(size=2000)
    b = rhythm + 0.4 * rng.normal(size=2000)
    g = a + 0.05 * rng.normal(size=2000)
    assert pearson(g, b) > 0.6 and abs(partial_correlation(g, b, a)) < 0.06
    assert partial_correlation(g + 0.3 * b, b, a) > 0.8


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6])
def test_constant_series_have_no_correlation(constant):
    x, still = np.random.default_rng(0).normal(size=50), np.full(50, constant)
    assert np.isnan(pearson(x, still)) and np.isnan(pearson(still, x))
    assert np.isnan(partial_correlation(x, still, x)) and np.isnan(partial_correlation(still, x, x**2))
    assert partial_correlation(x, x**2, still) == pytest.approx(pearson(x, x**2), abs=1e-9)
    assert np.isnan(partial_correlation(2 * x + 3, x**2, x))


def test_unknown_places_are_left_out_and_short_series_are_undefined():
    x = np.array([1.0, 2, np.nan, 4, 5, 0])
    y = np.array([2.0, 4, 7, np.nan, 10, 0])
    assert pearson(x, y) == pytest.approx(1)
    assert np.isnan(pearson([1.0, 2], [3.0, 5])) and np.isnan(partial_correlation([1.0, 2, 0], [0.0, 1, 1], [1.0, 0, 5]))
    with pytest.raises(ValueError, match="length"):
        pearson(np.zeros(4), np.zeros(5))


def test_pooling_scores_within_clips_first():
    """Two clips with different means and sizes: each correlates perfectly, and so must both together."""
    x = np.random.default_rng(4).normal(size=40)
    result = over_clips([(x, 2 * x + 100), (0.01 * x - 5, 7 * x), (x, np.zeros(40))])
    assert result.clips == 2 and np.isnan(result.per_clip[2])
    assert result.pooled == pytest.approx(1) and result.mean == pytest.approx(1) and result.median == pytest.approx(1)


def test_pooled_partial_correlation_equals_it_on_concatenated_scores():
    rng = np.random.default_rng(5)
    clips = []
    for n in (50, 75, 20):
        a, b = rng.normal(size=(2, n)) * rng.uniform(0.1, 10)
        clips.append((a + 0.5 * b + rng.normal(size=n), b + rng.uniform(-9, 9), a))
    g, b, a = (np.concatenate([(clip[i] - clip[i].mean()) / clip[i].std() for clip in clips]) for i in range(3))
    result = over_clips(clips, partial_correlation)
    assert result.pooled == pytest.approx(np.corrcoef(lstsq_residual(g, a), lstsq_residual(b, a))[0, 1], abs=1e-9)
    assert result.per_clip[1] == pytest.approx(partial_correlation(*clips[1])) and result.clips == 3
    assert result.median == pytest.approx(np.median(result.per_clip))


def test_no_usable_clip():
    result = over_clips([(np.zeros(10), np.arange(10.0))])
    assert result.clips == 0 and np.isnan(result.pooled) and np.isnan(result.median)
    assert over_clips([]).clips == 0


def test_zscore_leaves_unknown_places_out_of_all_series():
    x, y = zscore((np.array([1.0, 2, 3, np.nan]), np.array([5.0, np.nan, 9, 1])))
    np.testing.assert_allclose(x, [-1, 1])
    np.testing.assert_allclose(y, [-1, 1])

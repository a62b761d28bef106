import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faces.landmarks import (
    CANONICAL_STABLE,
    INNER_LIP_BOTTOM,
    INNER_LIP_TOP,
    MESH_TO_68,
    MIRROR,
    MOUTH,
    STABLE,
    apply_affine,
    fit_similarity,
    interocular,
)
from faces.mouth import mouth_opening
from faces.tracking.smoothing import segments, smooth_series
from tests.faces_kit import plain_face

coordinate = st.floats(-1000, 1000)


def similarity(scale, roll, x, y):
    a, b = scale * np.cos(roll), scale * np.sin(roll)
    return np.array([[a, -b, x], [b, a, y]])


@settings(deadline=None)
@given(st.floats(0.05, 20), st.floats(-np.pi, np.pi), coordinate, coordinate, st.integers(0, 2**32 - 1))
def test_an_exact_similarity_is_found_again(scale, roll, x, y, seed):
    source = np.random.default_rng(seed).normal(size=(7, 2)) * 30
    wanted = similarity(scale, roll, x, y)
    np.testing.assert_allclose(fit_similarity(source, apply_affine(wanted, source)), wanted, rtol=1e-7, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_no_other_similarity_fits_better(seed):
    rng = np.random.default_rng(seed)
    source, target = rng.normal(size=(2, 9, 2))
    found = fit_similarity(source, target)
    best = ((apply_affine(found, source) - target) ** 2).sum()
    a, b = found[0, 0], found[1, 0]
    for _ in range(20):
        da, db, dx, dy = rng.normal(size=4) * 0.05
        other = found + np.array([[da, -db, dx], [db, da, dy]])
        assert ((apply_affine(other, source) - target) ** 2).sum() >= best - 1e-12
    assert (found[1, 1], found[0, 1]) == (a, -b)


def test_a_mirrored_face_is_not_fitted_by_a_reflection():
    source = plain_face().astype(float)
    found = fit_similarity(source, source * (-1, 1))
    assert np.linalg.det(found[:, :2]) >= 0


def test_a_stack_of_faces_is_fitted_one_by_one():
    source = np.stack([plain_face(eyes=30), plain_face(x=90, roll=20)])
    target = np.stack([plain_face(y=60), plain_face(eyes=55)])
    both = fit_similarity(source, target)
    for i in range(2):
        np.testing.assert_allclose(both[i], fit_similarity(source[i], target[i]))
    assert np.isfinite(fit_similarity(np.ones((4, 2)), source[0, :4])).all()  # points on one spot


def test_mirroring_twice_changes_nothing_and_swaps_sides():
    mirror = np.array(MIRROR)
    np.testing.assert_array_equal(mirror[mirror], np.arange(68))
    face = plain_face(x=0)
    swapped = (face * (-1, 1))[mirror]
    np.testing.assert_allclose(swapped[list(range(17)) + [36, 39, 42, 45]], face[list(range(17)) + [36, 39, 42, 45]], atol=1e-3)
    assert mirror[INNER_LIP_TOP] == INNER_LIP_TOP and mirror[INNER_LIP_BOTTOM] == INNER_LIP_BOTTOM
    assert sorted(mirror[MOUTH]) == list(range(48, 68))


def test_the_tables_fit_together():
    assert len(MESH_TO_68) == len(set(MESH_TO_68)) == 68 and max(MESH_TO_68) < 478
    assert CANONICAL_STABLE.shape == (len(STABLE), 2)
    np.testing.assert_allclose(CANONICAL_STABLE[[7, 8]] * (-1, 1), CANONICAL_STABLE[[10, 9]], atol=1e-9)  # symmetric
    eyes = CANONICAL_STABLE[[7, 8, 9, 10]].reshape(2, 2, 2).mean(1)  # roughly one apart, by definition of the unit
    assert np.linalg.norm(eyes[1] - eyes[0]) == pytest.approx(1, abs=0.05)
    assert not set(STABLE) & set(range(17)) and not set(STABLE) & set(range(48, 68))  # neither jaw nor mouth


@settings(deadline=None, max_examples=30)
@given(st.floats(0.1, 10), st.floats(-180, 180), coordinate, coordinate)
def test_mouth_opening_is_a_property_of_the_face_not_of_the_picture(scale, roll, x, y):
    face = plain_face().astype(float)
    moved = apply_affine(similarity(scale, np.deg2rad(roll), x, y), face)
    assert mouth_opening(moved) == pytest.approx(mouth_opening(face), rel=1e-9)


def test_mouth_opening_measures_the_gap_of_the_inner_lips():
    face = plain_face(eyes=50)
    face[INNER_LIP_TOP], face[INNER_LIP_BOTTOM] = (100, 200), (100, 200)
    assert mouth_opening(face) == 0
    face[INNER_LIP_BOTTOM] = (100, 221)
    assert mouth_opening(face) == pytest.approx(21 / interocular(face))
    both = np.stack([face, np.full((68, 2), np.nan, np.float32)])
    assert np.isnan(mouth_opening(both)).tolist() == [False, True]


# ---- smoothing


def test_a_linear_series_passes_unchanged_ends_included():
    ramp = np.arange(40)[:, None] * np.array([2.0, -0.5]) + 7
    np.testing.assert_allclose(smooth_series(ramp, 1.5), ramp, atol=1e-9)


@pytest.mark.parametrize("period", [10, 25, 60])
def test_a_swinging_series_neither_leads_nor_lags(period):
    at = np.arange(300)
    wave = np.exp(2j * np.pi * at / period)
    smooth = smooth_series(np.stack([wave.real, wave.imag], 1), 1.5)
    inside = slice(20, -20)
    turn = (smooth[inside, 0] + 1j * smooth[inside, 1]) / wave[inside]
    assert np.abs(np.angle(turn)).max() < 1e-9
    assert 0.6 < np.abs(turn).min() <= np.abs(turn).max() <= 1


def test_an_impulse_spreads_to_both_sides_alike():
    impulse = np.zeros(41)
    impulse[20] = 1
    smooth = smooth_series(impulse, 2.0)
    np.testing.assert_allclose(smooth, smooth[::-1], atol=1e-12)
    assert smooth.argmax() == 20 and smooth.sum() == pytest.approx(1)


@settings(deadline=None, max_examples=60)
@given(arrays(float, st.tuples(st.integers(0, 30), st.just(2)), elements=st.floats(-1e4, 1e4)), st.floats(0, 6))
def test_smoothing_stays_finite_and_commutes_with_reversal(series, sigma):
    smooth = smooth_series(series, sigma)
    assert smooth.shape == series.shape and np.isfinite(smooth).all()
    np.testing.assert_allclose(smooth_series(series[::-1], sigma)[::-1], smooth, atol=1e-6)


def test_noise_shrinks():
    noise = np.random.default_rng(0).normal(size=500)
    assert smooth_series(noise, 1.5).std() < 0.55
    assert (smooth_series(noise, 0.02) == noise).all()  # very low frame rates: nothing within reach


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40))
def test_segments_are_the_runs_of_true(flags):
    rebuilt = [False] * len(flags)
    found = segments(np.array(flags, bool))
    for start, end in found:
        assert start < end
        rebuilt[start:end] = [True] * (end - start)
    assert rebuilt == flags
    assert all(a[1] < b[0] for a, b in zip(found, found[1:], strict=False))

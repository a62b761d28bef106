"""Mouth landmark distance: values by hand, and what alignment must not see."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces.landmarks import MOUTH, OUTER_EYE_CORNERS, STABLE
from metrics.formulas.landmarks import align_stable, mouth_distances

IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])


def face(seed, frames=4):
    """(frames, 68, 2): random points around (200, 150), outer eye corners 100 px apart."""
    landmarks = np.random.default_rng(seed).normal(size=(frames, 68, 2)) * 30 + (200, 150)
    landmarks[:, OUTER_EYE_CORNERS[0]], landmarks[:, OUTER_EYE_CORNERS[1]] = (150, 120), (250, 120)
    return landmarks


def similarity(angle, scale, shift):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    return lambda points: points @ turn.T + np.asarray(shift)


similarities = st.builds(similarity, st.floats(-3, 3), st.floats(0.2, 5), st.tuples(st.floats(-300, 300), st.floats(-300, 300)))


def test_distances_by_hand():
    real = face(1, frames=2)
    generated = real.copy()
    generated[:, MOUTH] += (3, 4)
    generated[1, MOUTH.start:MOUTH.start + 10] -= (3, 4)
    matrices = np.stack([IDENTITY, 0.5 * IDENTITY])
    distances = mouth_distances(generated, real, matrices)
    np.testing.assert_allclose(distances.raw, [5, 0.5 * 2.5])
    np.testing.assert_allclose(distances.aligned, [5, 0.5 * 2.5])
    np.testing.assert_allclose(distances.normalised, [5 / 100, 2.5 / 100])


@settings(deadline=None)
@given(st.integers(0, 1000), similarities)
def test_equal_faces_have_no_distance_and_alignment_undoes_a_similarity(seed, move):
    real = face(seed)
    same = mouth_distances(real, real, np.broadcast_to(IDENTITY, (4, 2, 3)))
    assert np.abs(same.raw).max() == 0 and np.abs(same.aligned).max() < 1e-9
    moved = mouth_distances(move(real), real, np.broadcast_to(IDENTITY, (4, 2, 3)))
    np.testing.assert_allclose(moved.aligned, 0, atol=1e-6)
    np.testing.assert_allclose(align_stable(move(real), real), real, atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 1000), similarities)
def test_aligned_distance_is_blind_to_the_pose_of_the_generated_head(seed, move):
    real, generated = face(seed), face(seed + 5000)
    generated[:, list(STABLE)] = real[:, list(STABLE)] + np.random.default_rng(seed).normal(size=(4, len(STABLE), 2))
    matrices = np.broadcast_to(IDENTITY, (4, 2, 3))
    before, after = mouth_distances(generated, real, matrices), mouth_distances(move(generated), real, matrices)
    np.testing.assert_allclose(after.aligned, before.aligned, rtol=1e-6)
    np.testing.assert_allclose(after.normalised, before.normalised, rtol=1e-6)


def test_normalised_does_not_depend_on_the_crop_and_nan_passes_through():
    real, generated = face(3), face(4)
    generated[2] = np.nan
    small = mouth_distances(generated, real, np.broadcast_to(IDENTITY, (4, 2, 3)))
    large = mouth_distances(generated, real, np.broadcast_to(3 * IDENTITY, (4, 2, 3)))
    np.testing.assert_allclose(small.normalised, large.normalised)
    np.testing.assert_allclose(3 * small.raw, large.raw)
    assert np.isnan(small.raw[2]) and np.isfinite(small.raw[[0, 1, 3]]).all()


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="68"):
        mouth_distances(np.zeros((2, 67, 2)), np.zeros((2, 67, 2)), np.broadcast_to(IDENTITY, (2, 2, 3)))

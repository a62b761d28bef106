"""Windows and turned frames: a leaning face stands upright in them, and what is seen there leads back into the frame."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces.crops import inverse
from faces.detectors.views import LEAN, TURNS, Window, between, compose, roll_of, turned_views
from faces.landmarks import apply_affine
from tests.faces_kit import plain_face, smooth_picture


@settings(deadline=None, max_examples=40)
@given(st.floats(-180, 180), st.floats(20, 300), st.floats(20, 200), st.floats(16, 400))
def test_a_face_stands_upright_in_its_window(roll, x, y, side):
    face = plain_face(x, y, 30, roll)
    window = Window.around((x, y), side, roll_of(face))
    seen = apply_affine(window.matrix(96), face.astype(float))
    lean = between(roll_of(seen), 0)
    assert lean < 0.1 or (abs(roll) <= LEAN + 0.1 and lean <= LEAN + 0.1)
    np.testing.assert_allclose(apply_affine(inverse(window.matrix(96)), seen), face, atol=1e-3)
    np.testing.assert_allclose(apply_affine(window.matrix(96), window.middle[None] - 0.5), [[47.5, 47.5]], atol=1e-6)


@pytest.mark.parametrize("angle", [0, 37, 90, -140])
@pytest.mark.parametrize("side", [80, 190, 420])
def test_a_window_shows_what_its_matrix_says(angle, side):
    frame = smooth_picture(640, 480, 2)
    window = Window.around((310.4, 241.7), side, angle)
    view = window.cut(frame, 96)
    assert view.shape == (96, 96, 3)
    grid = np.stack(np.meshgrid(np.arange(12, 84, 7), np.arange(12, 84, 7)), -1).reshape(-1, 2)
    place = np.rint(apply_affine(inverse(window.matrix(96)), grid.astype(float))).astype(int)
    away = frame[place[:, 1], place[:, 0]].astype(int) - view[grid[:, 1], grid[:, 0]]
    assert np.abs(away).max() <= 8 and np.abs(away).mean() < 2


def test_outside_the_frame_a_window_is_black():
    white = np.full((100, 100, 3), 255, np.uint8)
    for angle in (0, 45):
        for side in (90, 400):
            assert Window.around((0, 0), side, angle).cut(white, 96)[:20, :20].max() == 0


@pytest.mark.parametrize("shape", [(480, 640), (720, 1280), (90, 60)])
def test_turned_frames_hold_all_of_the_frame_and_lead_back(shape):
    height, width = shape
    frame = smooth_picture(width, height, 2)
    corners = np.array([(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)], float)
    angles = []
    for angle, view, to_frame in turned_views(frame):
        angles.append(angle)
        inside = apply_affine(inverse(to_frame), corners)
        assert inside.min() > -2 and inside.max() < len(view) + 1 and view.shape[0] == view.shape[1] <= 642
        middle = np.array([[len(view) // 2, len(view) // 2 + 3]])
        at = np.rint(apply_affine(to_frame, middle.astype(float))[0]).astype(int)
        assert np.abs(view[middle[0, 1], middle[0, 0]].astype(int) - frame[at[1], at[0]]).max() <= 8
        leaning = apply_affine(to_frame, plain_face(len(view) / 2, len(view) / 2, 10).astype(float))  # upright in the view
        assert between(roll_of(leaning), angle) < 1
    assert tuple(angles) == TURNS


def test_matrices_are_applied_one_after_the_other():
    first, second = np.array([[2.0, 1, 3], [-1, 2, 5]]), np.array([[0.0, -1, 7], [1, 0, -2]])
    points = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(apply_affine(compose(second, first), points), apply_affine(second, apply_affine(first, points)))


@pytest.mark.parametrize(("one", "other", "apart"), [(10, 20, 10), (170, -170, 20), (-90, 90, 180), (0, 0, 0), (350, -10, 0)])
def test_angles_apart(one, other, apart):
    assert between(one, other) == pytest.approx(apart)

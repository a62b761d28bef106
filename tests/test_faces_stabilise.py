import numpy as np
import pytest

from faces.landmarks import STABLE, apply_affine
from faces.stabilise import registration, stabilised, warped
from faces.stabiliser import Stabiliser
from tests.drawn_face_kit import a_crop, drawn_as, moved

MOVES = [(1.04, 3, (0.02, -0.03)), (0.95, -4, (-0.04, 0.01)), (1.0, 0, (0.004, 0.003)), (1.02, 0, (0, 0))]


@pytest.mark.parametrize("size", [96, 256])
@pytest.mark.parametrize(("scale", "roll", "shift"), MOVES)
def test_a_softer_face_of_other_colours_with_another_mouth_is_registered_below_a_pixel(size, scale, roll, shift):
    matrix, target, landmarks = a_crop(size)
    move = moved(size, scale, roll, shift)
    drawn = drawn_as(matrix, move, size, blur=size / 120, noise=2, mouth=landmarks[48:60].mean(0))
    found = registration(drawn, target, landmarks)
    wanted = apply_affine(move, landmarks[list(STABLE)])
    assert np.abs(apply_affine(found, landmarks[list(STABLE)]) - wanted).max() < 0.0025 * size
    assert found[0, 0] == pytest.approx(found[1, 1]) and found[0, 1] == pytest.approx(-found[1, 0])
    again = registration(stabilised(drawn, target, landmarks), target, landmarks)
    assert np.abs(apply_affine(again, landmarks[list(STABLE)]) - landmarks[list(STABLE)]).max() < 0.0025 * size


def test_the_mouth_does_not_move_the_face_and_weights_may_be_given():
    matrix, target, landmarks = a_crop(96)
    open_mouth = drawn_as(matrix, np.eye(2, 3), 96, mouth=landmarks[48:60].mean(0))
    found = registration(open_mouth, target, landmarks)
    np.testing.assert_allclose(apply_affine(found, landmarks[list(STABLE)]), landmarks[list(STABLE)], atol=0.1)
    weights = np.zeros((96, 96), np.float32)
    weights[20:64, 22:74] = 1
    move = moved(96, 1.03, 2, (0.02, 0.01))
    by_weights = registration(drawn_as(matrix, move, 96, blur=0.7), target, weights)
    np.testing.assert_allclose(apply_affine(by_weights, landmarks[[36, 45, 33]]), apply_affine(move, landmarks[[36, 45, 33]]),
                               atol=0.25)  # fmt: skip


def test_an_implausible_registration_leaves_the_face_as_it_is():
    matrix, target, landmarks = a_crop(96)
    noise = np.random.default_rng(0).integers(0, 256, target.shape).astype(np.uint8)
    far = drawn_as(matrix, moved(96, 1.3, 0, (0, 0)), 96)
    plain = np.full_like(target, 120)
    for drawn in (noise, far, plain):
        assert registration(drawn, target, landmarks) is None
        assert stabilised(drawn, target, landmarks) is drawn
    assert registration(target, target, np.zeros((96, 96))) is None
    assert registration(target, target, landmarks + 400) is None
    assert registration(target, target, np.full((68, 2), np.nan)) is None


def test_a_frame_that_cannot_be_registered_moves_as_those_before_and_less_and_less():
    matrix, target, landmarks = a_crop(96)
    noise = np.random.default_rng(0).integers(0, 256, target.shape).astype(np.uint8)
    drawn = drawn_as(matrix, moved(96, 1.05, 2, (0.03, 0.02)), 96, blur=0.8)
    hold = Stabiliser(25)
    assert hold(noise, target, landmarks) is noise, "nothing was registered before it"
    found = registration(drawn, target, landmarks)
    np.testing.assert_array_equal(hold(drawn, target, landmarks), warped(drawn, found))
    for frames in (1, 2):
        left = np.eye(2, 3) + np.exp(-frames / 5) * (found - np.eye(2, 3))
        held = hold(noise, target, landmarks)
        np.testing.assert_array_equal(held, warped(noise, left))
        assert not np.array_equal(held, noise)
    assert hold.refused == 3
    again = hold(drawn, target, landmarks)
    np.testing.assert_array_equal(again, warped(drawn, found))

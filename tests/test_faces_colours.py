import cv2
import numpy as np
import pytest

from faces.colours import MOST_CONTRAST, colour_levels, matched, skin_weights
from faces.crops import paste_mask
from faces.laying import blend
from faces.outline import whole_face_mask
from tests.drawn_face_kit import a_crop, drawn_as


def border(landmarks, size):
    """(S, S) bool: where the paste of a whole face fades."""
    mask = whole_face_mask(landmarks, size)
    return (mask > 0.02) & (mask < 0.6)


@pytest.mark.parametrize("size", [96, 256])
def test_gain_offset_and_a_slope_of_light_are_taken_back_where_the_paste_fades(size):
    matrix, target, landmarks = a_crop(size)
    slope = np.linspace(0.85, 1.15, size)[None, :, None]
    drawn = drawn_as(matrix, np.eye(2, 3), size, blur=size / 160).astype(np.float64) * slope
    drawn = np.clip(np.rint(0.8 * drawn * (1.1, 1.0, 0.85) + 20), 0, 255).astype(np.uint8)
    made = matched(drawn, target, landmarks)
    there = border(landmarks, size)
    coarse = [cv2.GaussianBlur(each.astype(np.float32), (0, 0), size / 40) for each in (target, drawn, made)]
    before, after = (np.abs(each - coarse[0])[there].mean() for each in coarse[1:])
    assert before > 12 and after < 2.5
    pasted = blend(target, made, paste_mask(size, "face", "davs") * whole_face_mask(landmarks, size))
    assert np.abs(pasted.astype(int) - target)[there].mean() < 3


def test_a_mouth_that_is_drawn_otherwise_keeps_its_own_colours_and_changes_no_others():
    matrix, target, landmarks = a_crop(128)
    middle = landmarks[48:60].mean(0)
    shut, open_mouth = (drawn_as(matrix, np.eye(2, 3), 128, mouth=mouth) for mouth in (None, middle))
    weights = skin_weights(landmarks, 128)
    x, y = np.rint(middle).astype(int)
    eye_x, eye_y = np.rint(landmarks[36:42].mean(0)).astype(int)
    assert weights[y, x] == 0 and weights[eye_y, eye_x] == 0
    levels, open_levels = (colour_levels(drawn, target, weights) for drawn in (shut, open_mouth))
    np.testing.assert_allclose(levels, open_levels, rtol=0.04, atol=2)
    made = matched(open_mouth, target, landmarks)[y, x].astype(int)
    assert made.max() < 90  # still the dark inside of a mouth


def test_levels_are_exact_robust_and_limited():
    _, target, landmarks = a_crop(96)
    weights = skin_weights(landmarks, 96)
    dimmed = np.clip(np.rint(target * 0.8 + 10), 0, 255).astype(np.uint8)
    gain, offset = colour_levels(dimmed, target, weights)
    np.testing.assert_allclose(gain * 90 + offset, 100, atol=2.5)
    spoilt = dimmed.copy()
    spoilt[30:44, 28:40] = (0, 255, 0)  # a thing on one cheek
    gain, offset = colour_levels(spoilt, target, weights)
    np.testing.assert_allclose(gain * 90 + offset, 100, atol=8)
    flat = np.full_like(target, 100)
    flat[..., 0] += (np.arange(96) % 2).astype(np.uint8)
    assert (colour_levels(flat, target, weights)[0] <= MOST_CONTRAST).all()
    assert colour_levels(target, target, np.zeros((96, 96), np.float32)) is None
    black = np.zeros_like(target)
    assert matched(black, target, landmarks) is black


def test_where_no_landmarks_are_known_the_whole_crop_counts():
    _, target, _ = a_crop(96)
    dimmed = np.clip(np.rint(target * 0.8 + 10), 0, 255).astype(np.uint8)
    made = matched(dimmed, target, np.full((68, 2), np.nan))
    assert np.abs(made.astype(int) - target).mean() < 4 < np.abs(dimmed.astype(int) - target).mean()

"""The crop of DAVS against its published recipe, written out slowly here, and against numbers that the published code gave."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces.crops import CropSpec, plan_crops
from faces.landmarks import apply_affine
from faces.three_points import control_points, three_point_poses
from tests.faces_kit import plain_face, portrait, track_of

# What the published code gives for these points on the portrait: its matrix, and means of 32 x 32 pixels of its middle 256.
POINTS = ((201.0, 112.5), (245.5, 108.0), (205.0, 143.0), (244.0, 140.5))  # eyes, mouth corners
MATRIX = [[2.05386067e00, -1.48036956e-01, -2.61504708e02], [1.48036956e-01, 2.05386067e00, -3.17812753e01]]
BLOCKS = [
    [[121.6, 103.8, 70.4], [141.3, 116.7, 80.4], [164.6, 142.8, 101.5], [134.7, 115.9, 74.1]],
    [[76.6, 54.3, 15.6], [189.7, 161.3, 137.9], [232.8, 204.2, 183.4], [91.9, 67.0, 39.4]],
    [[207.2, 197.9, 195.3], [225.1, 188.2, 166.9], [193.3, 154.0, 128.7], [168.8, 138.9, 110.5]],
    [[17.3, 14.8, 16.5], [222.3, 192.6, 164.3], [200.1, 159.5, 139.0], [194.5, 180.3, 169.4]],
]
TEMPLATE = np.array([[70, 112], [110, 112], [90, 150]], np.float64) * 2


def face_with(right, left, mouth_right, mouth_left):
    """(68, 2) landmarks with these eye centres and mouth corners."""
    points = np.full((68, 2), 100.0)
    turn = np.arange(6) * np.pi / 3
    for first, middle in ((36, right), (42, left)):
        points[first : first + 6] = np.stack([4 * np.cos(turn), 2 * np.sin(turn)], 1) + middle
    points[48], points[54] = mouth_right, mouth_left
    return points


def published_matrix(three):
    """(2, 3) frame -> canvas of 356 x 436: means off, over the standard deviation, rotation by SVD, scales put back."""
    face, template = three - three.mean(0), TEMPLATE - TEMPLATE.mean(0)
    ratio = template.std() / face.std()
    u, _, vt = np.linalg.svd((face / face.std()).T @ (template / template.std()))
    linear = ratio * (u @ vt).T
    return np.concatenate([linear, (TEMPLATE.mean(0) - linear @ three.mean(0))[:, None]], 1)


def published_crop(frame, matrix, outside=127):
    """(256, 256, 3) uint8: the canvas, 268 of it about its middle and 20 further down, resized to 260, the middle 256."""
    how = {"borderMode": cv2.BORDER_REPLICATE} if outside is None else {"borderValue": (outside,) * 3}
    canvas = cv2.warpAffine(frame, matrix, (356, 436), **how)
    left, top = 356 // 2 - 134, 436 // 2 - 134 + 20
    return cv2.resize(canvas[top : top + 268, left : left + 268], (260, 260))[2:258, 2:258]


def our_crop(landmarks, size=256, width=512, height=512):
    (crop,) = plan_crops(track_of([landmarks], width, height), CropSpec("davs", size), smooth=False)
    return crop


def test_matrix_and_pixels_are_those_of_the_published_code():
    landmarks = face_with(*POINTS)
    assert np.abs(published_matrix(control_points(landmarks)) - MATRIX).max() < 1e-6
    crop = our_crop(landmarks).extract(portrait()).astype(np.float64)
    blocks = crop.reshape(8, 32, 8, 32, 3).mean((1, 3))[::2, ::2]
    np.testing.assert_allclose(blocks, BLOCKS, atol=0.4)
    slow = published_crop(portrait(), published_matrix(control_points(landmarks)), None)
    assert np.abs(crop - slow).mean() < 1.5 and np.percentile(np.abs(crop - slow), 99) < 12


@settings(deadline=None, max_examples=40)
@given(st.floats(60, 400), st.floats(60, 400), st.floats(10, 120), st.floats(-180, 180), st.integers(0, 99))
def test_the_fit_is_the_published_one_for_any_face(x, y, eyes, roll, seed):
    landmarks = plain_face(x, y, eyes, roll) + np.random.default_rng(seed).normal(0, 0.03 * eyes, (68, 2))
    a, b, x, y = three_point_poses(landmarks[None])[0]
    to_canvas = published_matrix(control_points(landmarks))
    template = np.array([(-0.5, 0.0), (0.5, 0.0), (0.0, 0.95)])  # in eye distances of the template
    back = template @ np.array([[a, b], [-b, a]]) + (x, y)
    np.testing.assert_allclose(apply_affine(to_canvas, back), TEMPLATE, atol=1e-6 * eyes)


@pytest.mark.parametrize("size", [64, 96, 128, 192, 256])
def test_a_dot_lies_where_the_matrix_says_in_the_published_crop_and_in_ours(size):
    landmarks = face_with(*POINTS)
    dot = np.array([223.3, 128.7])
    y, x = np.mgrid[:512, :512]
    frame = np.rint(200 * np.exp(-((x - dot[0]) ** 2 + (y - dot[1]) ** 2) / (2 * 5.0**2)))
    frame = np.repeat(frame[..., None], 3, 2).astype(np.uint8)
    slow, crop = published_crop(frame, published_matrix(control_points(landmarks))), our_crop(landmarks, size)
    places = [centre_of(slow), centre_of(crop.extract(frame)), apply_affine(crop.matrix, dot[None])[0]]
    at = [(place + 0.5) / side for place, side in zip(places, (256, size, size), strict=True)]
    assert np.abs(at[1] - at[0]).max() * size < 0.05 and np.abs(at[2] - at[0]).max() * size < 0.05


def centre_of(picture):
    """(2,) x, y of the centre of mass of a picture's light."""
    light = picture[..., 0].astype(np.float64)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    return np.array([(x * light).sum(), (y * light).sum()]) / light.sum()


def test_a_small_crop_is_the_large_one_shrunk():
    landmarks = face_with(*POINTS)
    large, small = (our_crop(landmarks, size).extract(portrait()) for size in (256, 64))
    shrunk = cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - small).mean() < 2.5


def test_the_border_is_repeated_outside_the_frame_where_the_published_code_has_grey():
    landmarks = face_with((30, 20), (74, 24), (30, 56), (70, 58))
    frame = portrait()
    slow = published_crop(frame, published_matrix(control_points(landmarks)))
    ours = our_crop(landmarks).extract(frame)
    assert (slow[0, 0] == 127).all() and np.abs(ours[0, 0].astype(int) - frame[0, 0]).max() <= 1
    inside = (slow != 127).any(-1)
    assert np.abs(ours.astype(int) - slow)[cv2.erode(inside.astype(np.uint8), np.ones((5, 5))) > 0].mean() < 2

"""The au112 crop: eyes and nose lie on the mean face, nothing of mouth or brows moves it, and every size shows the same."""

import cv2
import numpy as np
import pytest

from common.errors import InputError
from faces.crops import CropSpec, paste_mask, plan_crops
from faces.eyes_nose import EYES_NOSE, SIDE, START, TEMPLATE, eyes_nose_poses
from faces.landmarks import CANONICAL_STABLE, MIRROR, STABLE, apply_affine
from tests.faces_kit import plain_face, portrait, track_of


def crops(faces, size=112, smooth=True, kind="au112"):
    return plan_crops(track_of(faces, 640, 480), CropSpec(kind, size), smooth=smooth)


def mean_face(x=200.0, y=150.0, eyes=60.0):
    face = plain_face(x, y, eyes)
    face[EYES_NOSE] = TEMPLATE * eyes + (x, y)
    return face


def test_the_template_is_a_symmetric_face_like_the_canonical_one():
    mirrored = TEMPLATE[[point - EYES_NOSE.start for point in MIRROR[EYES_NOSE]]] * (-1, 1)
    np.testing.assert_allclose(mirrored, TEMPLATE, atol=1e-9)
    places = [point - EYES_NOSE.start for point in STABLE]
    np.testing.assert_allclose(TEMPLATE[places], CANONICAL_STABLE, atol=0.005)


@pytest.mark.parametrize("size", [96, 112, 128])
def test_a_face_lies_at_the_same_place_in_every_size(size):
    (crop,) = crops([mean_face()], size)
    placed = (apply_affine(crop.matrix, mean_face()[EYES_NOSE].astype(np.float64)) + 0.5) / size * SIDE + START
    np.testing.assert_allclose(placed, TEMPLATE, atol=1e-3)
    base_of_nose = apply_affine(crop.matrix, mean_face()[[33]])[0, 1] / size
    assert 0.48 < base_of_nose < 0.52, "the lower half has mouth and chin"


def test_a_small_crop_is_the_large_one_shrunk():
    face = plain_face(223, 112, 44)
    large, small = (crops([face], size)[0].extract(portrait()) for size in (256, 64))
    assert np.abs(cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA).astype(int) - small).mean() < 2.5


def test_mouth_jaw_and_brows_move_nothing():
    faces = [plain_face() for _ in range(30)]
    moved = [face.copy() for face in faces]
    for number, face in enumerate(moved):
        face[:17, 1] += number % 7
        face[17:27, 1] -= number % 5
        face[48:, 1] += number % 9
    for smooth in (True, False):
        for one, other in zip(crops(faces, smooth=smooth), crops(moved, smooth=smooth), strict=True):
            np.testing.assert_array_equal(one.matrix, other.matrix)


def test_a_blink_and_noise_shake_the_raw_crop_and_not_the_smoothed_one():
    noise = np.random.default_rng(3).normal(0, 0.4, (75, 68, 2))
    faces = [plain_face() + one.astype(np.float32) for one in noise]
    for face in faces[30:34]:
        face[[37, 38, 43, 44], 1] += 4
    steps = []
    for smooth in (False, True):
        scale = np.array([np.hypot(*crop.matrix[:, 0]) for crop in crops(faces, smooth=smooth)])
        steps.append(np.diff(scale / scale.mean()).std())
    assert steps[1] < steps[0] / 20


def test_a_head_that_comes_nearer_is_followed_and_frames_without_a_face_have_no_crop():
    eyes = 40 + 20 * np.clip((np.arange(100) / 25 - 1.5) / 0.8, 0, 1)
    faces = [mean_face(300 + 2 * at, 200, one) for at, one in enumerate(eyes)]
    plan = crops([*faces[:50], None, *faces[51:]])
    assert plan[50] is None
    for face, crop in zip(faces, plan, strict=True):
        if crop is not None:
            placed = (apply_affine(crop.matrix, face[EYES_NOSE].astype(np.float64)) + 0.5) / 112 * SIDE + START
            np.testing.assert_allclose(placed.mean(0), TEMPLATE.mean(0), atol=0.1)
            assert np.ptp(placed[:, 0]) == pytest.approx(np.ptp(TEMPLATE[:, 0]), rel=0.06)
    assert np.isnan(eyes_nose_poses(np.full((1, 68, 2), np.nan))).all()


def test_its_paste_ends_below_the_chin_and_unknown_kinds_are_refused():
    mask = paste_mask(112, "face", "au112")
    assert mask[-1].max() < 0.05 and mask[int(112 * 0.92), 56] > 0.9
    with pytest.raises(InputError, match="au128 or pcavs"):
        CropSpec("au111")

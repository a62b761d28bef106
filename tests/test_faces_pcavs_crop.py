"""The crop pcavs against the published recipe, written out slowly here: averages of the shot, and the mouth's bias."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from faces.crops import CropSpec, plan_crops
from faces.landmarks import apply_affine
from faces.shot_alignment import mean_points
from prepare import main
from tests.faces_kit import plain_face, smooth_picture, track_of

TARGET = np.array([(87, 59), (137, 59), (112, 120)], np.float64)


def published(landmarks):
    """(N, 2, 3) matrices frame -> 224 pixels of one video: Umeyama's fit of the averages, and the recursion of the bias."""
    points = np.stack([np.stack([one[36:42].mean(0), one[42:48].mean(0), one[60:68].mean(0)]) for one in landmarks])
    source, target = points.mean(0) - points.mean((0, 1)), TARGET - TARGET.mean(0)
    u, d, vt = np.linalg.svd(target.T @ source / 3)
    flip = np.diag([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    linear = np.trace(np.diag(d) @ flip) / source.var(0).sum() * (u @ flip @ vt)
    shift, last, matrices = TARGET.mean(0) - linear @ points.mean((0, 1)), None, []
    for one in points:
        bias = TARGET[2] - (linear @ one[2] + shift)
        last = bias if last is None else last * 0.2 + bias * 0.8
        matrices.append(np.concatenate([linear, (shift + last)[:, None]], 1))
    return np.stack(matrices)


def loaded(crop):
    """Matrix frame -> 224 pixels of the published alignment, of a crop whose loader cut and resized it."""
    back = crop.matrix.copy()
    back[:, 2] += 0.5
    back *= 192 / crop.size
    back[:, 2] += (15.5, -0.5)
    return back


def talking_head(seed, x, y, eyes, roll, count=12):
    """List of landmarks of a head that moves, rolls, comes nearer and talks."""
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(0, 1, (count, 4)), 0)
    faces = [plain_face(x + 3 * a, y + 3 * b, eyes * (1 + 0.03 * c), roll + 4 * d) for a, b, c, d in path]
    for face in faces:
        face[60:68, 1] += rng.uniform(0, 0.2 * eyes) * np.array([0, 0, 0, 0, 0, 1, 1, 1])
    return faces


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 99), st.floats(60, 400), st.floats(60, 300), st.floats(15, 120), st.floats(-80, 80),
       st.sampled_from([112, 224, 64]))  # fmt: skip
def test_the_crop_is_the_published_one_and_its_loaders_cut(seed, x, y, eyes, roll, size):
    faces = talking_head(seed, x, y, eyes, roll)
    for smooth in (True, False):
        crops = plan_crops(track_of(faces, 640, 480), CropSpec("pcavs", size), smooth=smooth)
        np.testing.assert_allclose([loaded(crop) for crop in crops], published(faces), atol=2e-3)


@settings(deadline=None, max_examples=8)
@given(st.floats(60, 400), st.floats(60, 300), st.floats(15, 120), st.floats(-80, 80))
def test_a_head_that_holds_still_lies_on_the_template(x, y, eyes, roll):
    face = plain_face(x, y, eyes, roll)
    (crop,) = plan_crops(track_of([face]), CropSpec("pcavs", 224))
    placed = apply_affine(loaded(crop), mean_points(face))
    np.testing.assert_allclose(placed[2], TARGET[2], atol=1e-3)  # the mouth exactly, the eyes as the face's proportions allow
    np.testing.assert_allclose(placed[:2], TARGET[:2], atol=3)


def test_roll_and_size_stay_visible_in_the_crop():
    faces = [plain_face(160, 110, eyes, roll) for eyes, roll in ((40, 0), (40, 20), (52, 0), (40, -20))]
    crops = plan_crops(track_of(faces), CropSpec("pcavs", 112))
    placed = [mean_points(apply_affine(crop.matrix, face)) for crop, face in zip(crops, faces, strict=True)]
    eyes = [left - right for right, left, _ in placed]
    turns, sizes = np.rad2deg([np.arctan2(y, x) for x, y in eyes]), np.array([np.hypot(x, y) for x, y in eyes])
    np.testing.assert_allclose(turns - turns[0], (0, 20, 0, -20), atol=0.01)
    np.testing.assert_allclose(sizes / sizes[0], (1, 1, 1.3, 1), atol=1e-3)


def test_each_shot_has_averages_of_its_own_and_a_gap_begins_the_recursion_anew():
    here, there = talking_head(0, 100, 90, 30, 0), talking_head(1, 300, 200, 60, 10)
    track = track_of([*here, *there[:5], None, *there[5:]], 640, 480)
    track.shots = np.array([0] * 12 + [1] * 13)
    crops = plan_crops(track, CropSpec("pcavs", 224))
    assert crops[17] is None
    np.testing.assert_allclose([loaded(crop) for crop in crops[:12]], published(here), atol=2e-3)
    second = [loaded(crop) for crop in (*crops[12:17], *crops[18:])]
    expected = published(there)
    np.testing.assert_allclose(second[:5], expected[:5], atol=2e-3)
    np.testing.assert_allclose([one[:, :2] for one in second], expected[:, :, :2], atol=1e-5)
    np.testing.assert_allclose(apply_affine(second[5], mean_points(there[5]))[2], TARGET[2], atol=1e-3)


def test_pixels_are_those_that_the_published_loader_gives():
    faces, frame = talking_head(2, 320, 200, 70, 8, 3), smooth_picture(640, 480, 5)
    crops = plan_crops(track_of(faces, 640, 480), CropSpec("pcavs", 224))
    for crop, matrix in zip(crops, published(faces), strict=True):
        aligned = cv2.warpAffine(frame, matrix, (224, 224), borderMode=cv2.BORDER_REPLICATE)
        slow = cv2.resize(aligned[:192, 16:208], (224, 224))
        assert np.abs(crop.extract(frame).astype(int) - slow).max() <= 4


def test_raw_crops_are_refused_beside_it(tmp_path):
    with pytest.raises(InputError, match="--raw_crops has no effect with --crop pcavs"):
        main(["--corpus", "folder", "--root", str(tmp_path), "--out", str(tmp_path / "out"), "--crop", "pcavs", "--raw_crops"])

"""The crop of DAVS against its published recipe, written out slowly here, and against numbers that the published code gave."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.clip_files import clip_path, open_clip
from datasets.corpora import ClipSource
from datasets.preparing.clips import prepare_clip
from datasets.preparing.settings import PrepareSettings
from faces.crops import CropSpec, plan_crops
from faces.landmarks import apply_affine
from faces.three_points import control_points, three_point_poses
from tests.evaluate_kit import DrawnFaces, talking, use_drawn_faces, write
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


def zooms(faces, fps=25, smooth=True):
    """(N,) scales of the crops of consecutive faces, mean 1."""
    plan = plan_crops(track_of(faces, 640, 480), CropSpec("davs", 96), fps=fps, smooth=smooth)
    scale = np.array([np.hypot(*crop.matrix[:, 0]) for crop in plan])
    return scale / scale.mean()


@pytest.mark.parametrize("fps", [25, 50])
def test_a_mouth_that_opens_zooms_the_published_crop_and_not_the_smoothed_one(fps):
    time = np.arange(4 * fps) / fps
    opening = np.maximum(np.sin(2 * np.pi * 3 * time), 0)
    faces = [plain_face() for _ in time]
    for face, wide in zip(faces, opening, strict=True):
        face[48:68, 1] += 6 * wide  # the corners go down with the jaw
    published, smooth = zooms(faces, fps, smooth=False), zooms(faces, fps)
    assert np.ptp(published) > 0.04 and np.ptp(smooth) < 0.003
    still = zooms([plain_face() for _ in time], fps)
    np.testing.assert_allclose(still, 1, atol=1e-6)


def test_noise_of_landmarks_does_not_make_the_smoothed_crop_tremble():
    noise = np.random.default_rng(3).normal(0, 0.4, (75, 68, 2))
    faces = [plain_face() + one.astype(np.float32) for one in noise]
    published, smooth = (np.diff(zooms(faces, smooth=smooth)).std() for smooth in (False, True))
    assert smooth < published / 30


def test_a_head_that_comes_nearer_moves_and_rolls_is_followed():
    time = np.arange(100) / 25
    nearer = 40 + 20 * np.clip((time - 1.5) / 0.8, 0, 1)  # half as large again in 0.8 s
    faces = [plain_face(300 + 60 * np.sin(2 * t), 200 + 10 * np.sin(3 * t), eyes, 8 * np.sin(4 * t))
             for t, eyes in zip(time, nearer, strict=True)]  # fmt: skip
    plan, published = (plan_crops(track_of(faces, 640, 480), CropSpec("davs", 96), smooth=smooth) for smooth in (True, False))
    for face, crop, exact in zip(faces, plan, published, strict=True):
        apart = [np.linalg.norm(np.diff(control_points(apply_affine(one.matrix, face))[:2], axis=0)) for one in (crop, exact)]
        assert apart[0] / apart[1] == pytest.approx(1, abs=0.07)
        places = [control_points(apply_affine(one.matrix, face)).mean(0) for one in (crop, exact)]
        np.testing.assert_allclose(*places, atol=0.03 * 96)


def test_shots_and_runs_are_smoothed_apart_and_one_frame_is_the_published_crop():
    here, there = plain_face(), plain_face(400, 200, 70)
    plan = plan_crops(track_of([here] * 10 + [None] + [there] * 10, 640, 480), CropSpec("davs", 96))
    assert plan[10] is None
    for numbers, face in ((range(10), here), (range(11, 21), there)):
        for number in numbers:
            np.testing.assert_allclose(plan[number].matrix, our_crop(face, 96, 640, 480).matrix, atol=1e-6)


@pytest.mark.parametrize("kind", ["davs", "aligned"])
def test_prepare_lays_crops_over_time_or_each_by_itself(kind, tmp_path, monkeypatch):
    use_drawn_faces(monkeypatch)
    clip = write(tmp_path / "a.mp4", talking([4] * 20), sound=True)
    steps = {}
    for raw in (False, True):
        settings = PrepareSettings(kind, 48, av_offset="off", min_face=10, raw_crops=raw)
        row = prepare_clip(ClipSource("a", clip, "x"), settings, DrawnFaces(), "train", tmp_path / str(raw))
        assert not row.error
        matrices = open_clip(clip_path(tmp_path / str(raw), "a"))["matrix"]
        steps[raw] = np.abs(np.diff(matrices[:, 0, 2])).mean()
    assert steps[False] < 0.5 * steps[True]

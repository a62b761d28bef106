import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from faces.crops import CORNERS, AlignedCrop, BoxCrop, CropSpec, fixed_box, paste_mask, plan_crops
from faces.landmarks import CANONICAL_STABLE, MOUTH, STABLE, apply_affine, fit_similarity
from faces.tracking.smoothing import smooth_poses, smooth_series
from tests.faces_kit import plain_face, smooth_picture, track_of

KINDS = ("aligned", "box")


def crop_of(landmarks, kind="aligned", size=96, width=320, height=240, **spec):
    (crop,) = plan_crops(track_of([landmarks], width, height), CropSpec(kind, size, **spec), smooth=False)
    return crop


def around(scale, roll, size=96, x=160, y=120):
    """A crop of `scale` crop pixels for a frame pixel, turned by `roll` degrees, its middle at (x, y)."""
    a, b = scale * np.cos(np.deg2rad(roll)), scale * np.sin(np.deg2rad(roll))
    linear = np.array([[a, b], [-b, a]])
    return AlignedCrop(np.concatenate([linear, ((size - 1) / 2 - linear @ (x, y))[:, None]], 1), size)


@pytest.mark.parametrize("roll", [-40, -13, 0, 40])
@pytest.mark.parametrize("scale", [0.3, 0.55, 1, 1.7, 4])
def test_a_crop_laid_back_gives_the_frame_again(scale, roll):
    frame = smooth_picture(640, 480, waves=4)
    crop = around(scale, roll, x=320, y=240)
    back = crop.paste(frame, crop.extract(frame), paste_mask(96, "hard"))
    away = np.abs(back.astype(int) - frame)
    assert away.max() <= (3 if scale >= 0.55 else 8) and away.mean() < 0.4
    assert back is not frame and (frame == smooth_picture(640, 480, waves=4)).all()  # the frame itself is left alone


@pytest.mark.parametrize("zoom", [2.4, 3.9])
def test_a_fine_crop_is_laid_back_without_aliasing(zoom):
    crop = around(zoom, 0, size=192)
    stripes = np.zeros((192, 192, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than a pixel of the frame
    frame = np.full((240, 320, 3), 128, np.uint8)
    back = crop.paste(frame, stripes, paste_mask(192, "hard"))
    half = int(192 / zoom / 2) - 3
    assert back[120 - half : 120 + half, 160 - half : 160 + half].std() < 32  # over 60 when single stripes are picked


def test_a_coarse_crop_is_taken_without_aliasing():
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[:, ::2] = 255
    assert around(0.22, 0, x=320, y=240).extract(frame).std() < 24


@pytest.mark.parametrize("kind", KINDS)
def test_the_matrix_says_where_pixels_come_from(kind):
    width, height = 320, 240
    ramp = np.zeros((height, width, 3), np.float32)
    ramp[..., 0], ramp[..., 1] = np.arange(width) * 0.7, np.arange(height)[:, None]
    crop = crop_of(plain_face(roll=0 if kind == "box" else 17), kind)
    taken = crop.extract(np.rint(ramp).astype(np.uint8))
    inverse = np.linalg.inv(np.vstack([crop.matrix, [0, 0, 1]]))[:2]
    grid = np.stack(np.meshgrid(np.arange(20, 76), np.arange(20, 76)), -1).reshape(-1, 2).astype(float)
    place = apply_affine(inverse, grid)
    seen = taken[20:76, 20:76].reshape(-1, 3)
    np.testing.assert_allclose(seen[:, 0], place[:, 0] * 0.7, atol=1.1)
    np.testing.assert_allclose(seen[:, 1], place[:, 1], atol=1.1)
    edge = crop.size - 0.5
    np.testing.assert_allclose(
        apply_affine(crop.matrix, crop.corners()), [(-0.5, -0.5), (edge, -0.5), (edge, edge), (-0.5, edge)]
    )


@settings(deadline=None, max_examples=30)
@given(st.floats(-45, 45), st.floats(15, 90), st.floats(80, 240), st.floats(60, 180), st.sampled_from([96, 128, 256]))
def test_an_aligned_crop_brings_the_stable_points_to_their_places(roll, eyes, x, y, size):
    crop = crop_of(plain_face(x, y, eyes, roll), size=size)
    unit = size / 2.8
    wanted = (CANONICAL_STABLE - (-1.4, -0.7)) * unit - 0.5
    np.testing.assert_allclose(
        apply_affine(crop.matrix, plain_face(x, y, eyes, roll)[list(STABLE)].astype(float)), wanted, atol=0.02
    )
    mouth = apply_affine(crop.matrix, plain_face(x, y, eyes, roll)[MOUTH].astype(float))
    assert mouth[:, 1].min() > 0.5 * size  # all of it in the half that is generated


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("smooth", [True, False])
def test_jaw_and_mouth_cannot_move_the_crop(kind, smooth):
    """The leak guard: the crop must not tell how far the real mouth is open."""
    faces = [plain_face(x=150 + i, roll=3 * i) for i in range(9)]
    rng = np.random.default_rng(1)
    open_wide = [face.copy() for face in faces]
    for face in open_wide:
        face[:17] += rng.normal(size=(17, 2)) * 15 + (0, 20)
        face[MOUTH] += rng.normal(size=(20, 2)) * 10 + (0, 12)
    spec = CropSpec(kind)
    plans = [plan_crops(track_of(each), spec, smooth=smooth) for each in (faces, open_wide)]
    for a, b in zip(*plans, strict=True):
        np.testing.assert_array_equal(a.matrix, b.matrix)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("x, y", [(0, 0), (319, 120), (160, 239), (-30, 100)])
def test_crops_partly_outside_the_frame(kind, x, y):
    frame = smooth_picture()
    crop = crop_of(plain_face(x, y), kind)
    face = crop.extract(frame)
    assert face.shape == (96, 96, 3)
    back = crop.paste(frame, face, paste_mask(96, "feather", kind))
    assert back.shape == frame.shape and np.abs(back.astype(int) - frame).max() <= 6


def test_faces_that_have_left_the_frame():
    frame = smooth_picture()
    crop = crop_of(plain_face(2000, 2000))
    np.testing.assert_array_equal(crop.paste(frame, crop.extract(frame), paste_mask(96, "hard")), frame)
    assert crop_of(plain_face(2000, 2000), "box") is None


def test_frames_without_a_face_have_no_crop():
    faces = [None, plain_face(100), plain_face(102), None, plain_face(300), None]
    plan = plan_crops(track_of(faces), CropSpec())
    assert [crop is None for crop in plan] == [face is None for face in faces]
    alone = plan_crops(track_of([plain_face(300)]), CropSpec())[0]
    np.testing.assert_allclose(plan[4].matrix, alone.matrix)  # nothing is smoothed across a gap


def test_a_steady_movement_is_not_delayed_and_jitter_is_calmed():
    steady = [plain_face(x=100 + 3 * i, y=90 + i) for i in range(25)]
    rng = np.random.default_rng(0)
    shaky = [face + rng.normal(size=2).astype(np.float32) for face in steady]

    def path(faces, smooth):
        return np.array([crop.corners().mean(0) for crop in plan_crops(track_of(faces), CropSpec(), smooth=smooth)])

    raw = path(steady, False)
    np.testing.assert_allclose(path(steady, True), raw, atol=1e-3)
    assert np.abs(path(shaky, True) - raw).mean() < 0.75 * np.abs(path(shaky, False) - raw).mean()


@pytest.mark.parametrize("roll, seconds", [(40, 2.0), (20, 1.0)])
def test_a_head_that_rolls_fast_keeps_its_place_in_the_crop(roll, seconds):
    """A wide kernel alone leaves the eyes a third of their distance behind."""
    faces = [plain_face(roll=roll * np.sin(2 * np.pi * t / 25 / seconds)) for t in range(75)]
    (still,) = plan_crops(track_of([plain_face()]), CropSpec())
    usual = apply_affine(still.matrix, plain_face()[[36, 45]].astype(float))
    plan = plan_crops(track_of(faces), CropSpec())
    away = [np.linalg.norm(apply_affine(crop.matrix, face[[36, 45]].astype(float)) - usual, axis=1).max()
            for crop, face in zip(plan, faces, strict=True)]  # fmt: skip
    assert max(away) < 0.15 * 96 / 2.8


def test_small_movements_move_the_crop_no_more_than_the_wide_kernel_does():
    """The leak guard of fast movements: what speech does to the points stays below the slack, and is not followed."""
    rng = np.random.default_rng(0)
    faces = [plain_face(x=150 + t) + rng.uniform(-0.6, 0.6, 2).astype(np.float32) for t in range(40)]
    points = np.stack(faces)[:, list(STABLE)].astype(float)
    pose = fit_similarity(np.broadcast_to(CANONICAL_STABLE, points.shape), points)
    path = np.stack([pose[:, 0, 0], pose[:, 1, 0], pose[:, 0, 2], pose[:, 1, 2]], 1)
    np.testing.assert_array_equal(smooth_poses(path, CORNERS, 4.0), smooth_series(path, 4.0))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.floats(0, 8), st.integers(0, 5))
def test_a_smoothed_path_stays_near_the_path(count, sigma, seed):
    path = np.cumsum(np.random.default_rng(seed).normal(size=(count, 4)), 0) + (40, 0, 160, 120)
    smooth = smooth_poses(path, CORNERS, sigma)
    assert smooth.shape == path.shape and np.isfinite(smooth).all()
    np.testing.assert_allclose(smooth_poses(np.tile(path[:1], (count, 1)), CORNERS, sigma), path[:1] + np.zeros((count, 1)))


def test_a_box_is_taken_and_laid_back_as_wav2lip_does():
    frame = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    crop = crop_of(plain_face(), "box", pads=(3, 10, 5, 7))
    y1, y2, x1, x2 = crop.box
    face = crop.extract(frame)
    np.testing.assert_array_equal(face, cv2.resize(frame[y1:y2, x1:x2], (96, 96)))
    bare = crop_of(plain_face(), "box", pads=(0, 0, 0, 0)).box
    assert (y1, y2, x1, x2) == (bare[0] - 3, bare[1] + 10, bare[2] - 5, bare[3] + 7)
    pasted = crop.paste(frame, 255 - face, paste_mask(96, "hard"))
    expected = frame.copy()
    expected[y1:y2, x1:x2] = cv2.resize(255 - face, (x2 - x1, y2 - y1))
    np.testing.assert_array_equal(pasted, expected)


def test_a_box_holds_the_face_whatever_its_roll():
    upright = np.array(crop_of(plain_face(), "box").box)
    for roll in (-30, 30):
        box = np.array(crop_of(plain_face(roll=roll), "box").box)
        assert np.ptp(box[:2]) == pytest.approx(np.ptp(upright[:2]), abs=1)
        assert np.ptp(box[2:]) == pytest.approx(np.ptp(upright[2:]), abs=1)


def test_a_box_given_by_hand():
    crop = fixed_box((10, 110, 20, 100), CropSpec("box", 128), 320, 240)
    assert isinstance(crop, BoxCrop) and crop.box == (10, 110, 20, 100) and crop.size == 128


TURNED_ROUND = [(110, 10, 20, 100), (10, 110, 100, 20)]
OUTSIDE = [(-1, 110, 20, 100), (10, 241, 20, 100), (10, 110, 20, 321)]
TOO_SMALL = [(10, 10, 20, 100), (10, 13, 20, 100)]


@pytest.mark.parametrize("box", TURNED_ROUND + OUTSIDE + TOO_SMALL)
def test_a_wrong_box_is_refused(box):
    with pytest.raises(InputError, match=r"--box"):
        fixed_box(box, CropSpec("box"), 320, 240)


def test_unknown_kinds_and_styles_are_refused():
    with pytest.raises(InputError, match="aligned, box, window, davs, au112, au128 or pcavs"):
        CropSpec("round")
    with pytest.raises(InputError, match="feather, face or hard"):
        paste_mask(96, "soft")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [96, 128, 384])
def test_the_feathered_mask(kind, size):
    mask = paste_mask(size, "feather", kind)
    assert (
        mask.shape == (size, size) and mask.dtype == np.float32 and 0 <= mask.min() and mask.max() == pytest.approx(1, abs=1e-3)
    )
    assert max(edge.max() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1])) < 0.02
    np.testing.assert_allclose(mask, mask[:, ::-1], atol=1e-6)
    assert mask[: int(0.43 * size)].max() == 0  # the upper half of the face is the real one
    middle = mask[size // 2 + size // 4]
    assert (np.diff(middle[: size // 2]) >= 0).all()  # rises from the side inwards, without a step
    assert (np.diff(mask[: int(0.75 * size), size // 2]) >= 0).all()
    assert np.abs(np.diff(mask, axis=0)).max() < 22 / size and np.abs(np.diff(mask, axis=1)).max() < 22 / size
    assert (paste_mask(size, "hard", kind) == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_face_of_another_brightness_leaves_no_visible_edge(kind):
    frame = np.full((240, 320, 3), 120, np.uint8)
    crop = crop_of(plain_face(), kind)
    brighter = np.full((96, 96, 3), 150, np.uint8)

    def steepest(style):
        back = crop.paste(frame, brighter, paste_mask(96, style, kind)).astype(int)[..., 0]
        assert back.max() == 150
        return max(np.abs(np.diff(back, axis=0)).max(), np.abs(np.diff(back, axis=1)).max())

    assert steepest("hard") >= 14 and steepest("feather") <= 6  # of 30

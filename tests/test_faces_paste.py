import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from faces.crops import AlignedCrop, BoxCrop, CropSpec, paste_mask, plan_crops
from faces.paste import PASTE_STYLES, Paster, blend_bands
from tests.faces_kit import plain_face, smooth_picture, track_of

KINDS = ("aligned", "box")


def crop_of(landmarks, kind="aligned", size=96):
    (crop,) = plan_crops(track_of([landmarks]), CropSpec(kind, size), smooth=False)
    return crop


def paster(style, kind="aligned", size=96):
    mask = paste_mask(size, "feather", kind)
    return lambda crop, frame, face: Paster(style)(crop, frame, face, mask)


def off(first, second):
    return int(np.abs(first.astype(int) - second.astype(int)).max())


@pytest.mark.parametrize("style", PASTE_STYLES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("eyes", "roll"), [(6, 0), (20, 0), (40, 25), (70, -40)])
@pytest.mark.parametrize("size", [96, 160])
def test_an_unchanged_crop_leaves_the_frame(style, kind, eyes, roll, size):
    frame = smooth_picture(waves=2)
    crop = crop_of(plain_face(eyes=eyes, roll=roll), kind, size)
    before = frame.copy()
    back = paster(style, kind, size)(crop, frame, crop.extract(frame))
    assert off(back, frame) <= 3
    np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize("style", PASTE_STYLES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("x", "y", "eyes"), [(0, 0, 40), (319, 120, 40), (160, 239, 25), (-30, 100, 50), (4, 4, 3), (9, 6, 2)])
def test_faces_at_the_border_of_the_frame_and_tiny_ones(style, kind, x, y, eyes):
    frame = smooth_picture(waves=2)
    crop = crop_of(plain_face(x, y, eyes), kind)
    if crop is None:
        pytest.skip("a box that small is no crop")
    face = crop.extract(frame)
    assert off(paster(style, kind)(crop, frame, face), frame) <= 6
    other = paster(style, kind)(crop, frame, 255 - face)
    assert other.shape == frame.shape and other.dtype == np.uint8


@pytest.mark.parametrize("style", PASTE_STYLES)
def test_faces_that_have_left_the_frame(style):
    frame = smooth_picture()
    crop = crop_of(plain_face(2000, 2000))
    np.testing.assert_array_equal(paster(style)(crop, frame, crop.extract(frame)), frame)


@pytest.mark.parametrize("style", PASTE_STYLES)
@pytest.mark.parametrize("kind", KINDS)
def test_outside_of_the_mask_the_frame_stays_to_the_last_bit_and_inside_the_face_is_seen(style, kind):
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    crop = crop_of(plain_face(), kind)
    mask = paste_mask(96, "feather", kind)
    place, _, weights = crop.lay(frame.shape, frame[:96, :96], mask)
    outside = np.ones(frame.shape[:2], bool)
    outside[place] = weights <= 0
    face = np.zeros((96, 96, 3), np.uint8)
    back = paster(style, kind)(crop, frame, face)
    assert outside.mean() > 0.5
    np.testing.assert_array_equal(back[outside], frame[outside])
    core = np.zeros(frame.shape[:2], bool)
    core[place] = weights > 0.999
    if style != "poisson":  # whose face takes up the frame's colour
        assert core.any() and back[core].mean() <= 3 and back[core].max() <= 30  # of 255 around it


def cast_face(style, cast=30):
    """The frame 120 with a face of another brightness in it, as floats, and the crop."""
    frame = np.full((240, 320, 3), 120, np.uint8)
    crop = crop_of(plain_face())
    return paster(style)(crop, frame, np.full((96, 96, 3), 120 + cast, np.uint8)).astype(float)[..., 0], crop


@pytest.mark.parametrize("cast", [30, -30])
def test_poisson_hides_a_cast_at_the_border_and_keeps_the_mouths_colour(cast):
    def steepest(picture):
        return max(np.abs(np.diff(picture, axis=0)).max(), np.abs(np.diff(picture, axis=1)).max())

    (feathered, _), (fitted, crop) = cast_face("feather", cast), cast_face("poisson", cast)
    assert steepest(fitted) <= 0.7 * steepest(feathered)
    assert np.abs(fitted - 120).max() <= abs(cast)
    mouth = np.rint(np.linalg.inv(np.vstack([crop.matrix, [0, 0, 1]])) @ (48, 66, 1)).astype(int)
    assert abs(fitted[mouth[1], mouth[0]] - (120 + cast)) <= 0.4 * abs(cast)


def test_poisson_without_a_difference_at_the_border_changes_no_colour():
    rng = np.random.default_rng(1)
    frame = cv2.GaussianBlur(rng.integers(0, 256, (240, 320, 3), dtype=np.uint8), (0, 0), 4)
    crop = crop_of(plain_face())
    face = crop.extract(frame)
    face[60:75, 35:60] //= 2  # the mouth is another one, all around is the same
    back = crop.extract(paster("poisson")(crop, frame, face))
    assert off(back[62:73, 37:58], face[62:73, 37:58]) <= 6


def test_laplacian_keeps_the_detail_that_feathering_mixes_away():
    rng = np.random.default_rng(2)
    grain = [np.repeat(rng.integers(90, 150, (size, size, 1), dtype=np.uint8), 3, axis=2) for size in (96, 240)]
    frame = np.concatenate([grain[1], grain[1]], axis=1)[:, :320]
    crop = AlignedCrop(np.array([[1.0, 0, -100], [0, 1, -60]]), 96)  # pixel for pixel
    mixed = (paste_mask(96) > 0.1) & (paste_mask(96) < 0.9)
    kept = {style: crop.extract(paster(style)(crop, frame, grain[0]))[mixed].astype(float).std() for style in PASTE_STYLES}
    assert kept["laplacian"] > 1.15 * kept["feather"]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 99))
def test_bands_of_any_size(height, width, seed):
    rng = np.random.default_rng(seed)
    frame, face = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    weights = np.clip(np.linspace(-0.3, 1.3, width, dtype=np.float32), 0, 1)[None].repeat(height, 0)
    made = blend_bands(frame, face, weights)
    np.testing.assert_array_equal(made[weights == 0], frame[weights == 0])
    np.testing.assert_array_equal(blend_bands(frame, frame, weights), frame)
    np.testing.assert_array_equal(blend_bands(frame, face, np.ones_like(weights)), face)
    np.testing.assert_array_equal(blend_bands(frame, face, np.zeros_like(weights)), frame)


def test_a_box_of_a_few_pixels():
    frame = smooth_picture()
    crop = BoxCrop((10, 14, 20, 24), 96)
    for style in PASTE_STYLES:
        back = paster(style, "box")(crop, frame, np.zeros((96, 96, 3), np.uint8))
        outside = np.ones(frame.shape[:2], bool)
        outside[10:14, 20:24] = False
        np.testing.assert_array_equal(back[outside], frame[outside])
        assert (back != frame).any()


def test_an_unknown_style_is_refused_with_the_nearest_one():
    with pytest.raises(InputError, match="did you mean laplacian"):
        Paster("laplacien")

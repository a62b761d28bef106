import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces.crops import CropSpec, plan_crops
from faces.landmarks import apply_affine
from faces.window import WindowCrop
from tests.faces_kit import plain_face, smooth_picture, track_of


def noise(width=320, height=240):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(deadline=None, max_examples=60)
@given(st.integers(-90, 340), st.integers(-90, 260), st.sampled_from([16, 40, 64]))
def test_a_window_is_an_exact_copy_wherever_it_lies(left, top, size):
    frame, crop = noise(), WindowCrop(left, top, size)
    cut = crop.extract(frame)
    rows, columns = (np.clip(np.arange(at, at + size), 0, most - 1) for at, most in ((top, 240), (left, 320)))
    np.testing.assert_array_equal(cut, frame[rows][:, columns])
    assert not np.shares_memory(cut, frame)
    np.testing.assert_array_equal(crop.paste(frame, cut, np.ones((size, size), np.float32)), frame)
    mask = np.zeros((size, size), np.float32)
    mask[3:9, 5:11] = 1
    made = crop.paste(frame, 255 - cut, mask)
    y, x = np.mgrid[:240, :320]
    touched = (y >= top + 3) & (y < top + 9) & (x >= left + 5) & (x < left + 11)
    np.testing.assert_array_equal(made, np.where(touched[..., None], 255 - frame, frame))


def test_a_shrunk_window_keeps_places():
    frame, crop = smooth_picture(640, 480, waves=2), WindowCrop(100, 60, 100, 3)
    cut = crop.extract(frame)
    assert cut.shape == (100, 100, 3)
    middle = apply_affine(crop.matrix, np.array([[249.0, 209.0]]))[0]
    np.testing.assert_allclose(middle, (149 / 3 - 1 / 3, 149 / 3 - 1 / 3))
    np.testing.assert_allclose(crop.corners()[[0, 2]], [(99.5, 59.5), (399.5, 359.5)])
    back = crop.paste(frame, cut, np.ones((100, 100), np.float32)).astype(int)
    assert np.abs(back - frame).max() <= 6
    mask = np.zeros((100, 100), np.float32)
    mask[40:60, 40:60] = 1
    made = crop.paste(frame, 255 - cut, mask)
    changed = np.argwhere((made != frame).any(2))
    assert changed.min(0).tolist() >= [60 + 39 * 3, 100 + 39 * 3] and changed.max(0).tolist() <= [60 + 61 * 3, 100 + 61 * 3]


def test_all_windows_of_a_video_are_as_large_as_its_largest_face_and_hold_it():
    faces = [plain_face(160 + 3 * t, 100, 20 + t, 10) for t in range(20)]
    faces[7] = None
    faces[12] = plain_face(200, 100, 90, 10)  # one bad frame does not count
    plan = plan_crops(track_of(faces), CropSpec("window", 640))
    assert plan[7] is None and len({crop.size for crop in plan if crop}) == 1
    side = plan[0].size
    assert 39 * 2.6 < side < 39 * 3.6 and side % 8 == 0
    for face, crop in zip(faces, plan, strict=True):
        if face is not None and crop is not plan[12]:
            inside = apply_affine(crop.matrix, face.astype(np.float64)[36:])  # eyes and mouth
            assert inside.min() > 0 and inside.max() < side - 1
            chin = apply_affine(crop.matrix, face.astype(np.float64)[8:9])[0]
            assert chin[1] < side - 1 - 0.2 * side / 3


@pytest.mark.parametrize(("eyes", "factor"), [(40, 1), (230, 1), (300, 2), (600, 3)])
def test_a_window_too_large_is_shrunk_by_a_whole_factor(eyes, factor):
    (crop,) = plan_crops(track_of([plain_face(1900, 900, eyes)], 3840, 2160), CropSpec("window", 640 if factor < 3 else 560))
    assert crop.factor == factor and crop.size <= 648

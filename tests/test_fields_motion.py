"""Fields of PC-AVS: the sound is that of the frame; views move landmarks as they say, and show the moments that they say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets.fields.views import centred_crop, draw_change, perspective, retimed, similarity, warped
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset
from speech.log_mel import log_mel, log_mel_windows
from tests.fields_kit import SIZE, make_noise_corpus, whole

FIELDS = ("augmented", "log_mel", "second_view", "view_change")
STILL = {"augmented": {"colour": 0, "perspective": 0, "crop": 1}, "second_view": {"colour": 0}}
OPTIONS = {"of": "both", "shift": 0.1, "scale": 0.1, "roll": 0.2, "offset": 1.0, "rate": 1.25}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "corpus"
    return PreparedCorpus.open_folder(make_noise_corpus(folder, splits=("train", "val")))


def dot(place, size=48):
    """(1, 1, 3, S, S) picture of a soft dot at a place in half crops."""
    at = (np.arange(size) + 0.5) / size * 2 - 1
    light = np.exp(-((at[None] - place[0]) ** 2 + (at[:, None] - place[1]) ** 2) / (2 * 0.08**2))
    return torch.from_numpy(np.repeat(light[None, None, None], 3, 2).astype(np.float32))


def place_of(picture):
    light = picture[0, 0, 0].numpy().astype(np.float64)
    at = (np.arange(len(light)) + 0.5) / len(light) * 2 - 1
    return np.array([(light.sum(0) * at).sum(), (light.sum(1) * at).sum()]) / light.sum()


def seen(place, warp):
    return place_of(warped(dot(place), torch.from_numpy(warp[None].astype(np.float32))))


@settings(deadline=None, max_examples=10)
@given(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.integers(0, 99))
def test_a_known_similarity_moves_a_landmark_as_it_says(x, y, seed):
    change = draw_change(np.random.default_rng(seed), 8, OPTIONS)
    dx, dy, scale, roll = change[:4].astype(np.float64)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    expected = np.exp(scale) * turn @ (x, y) + (dx, dy)
    np.testing.assert_allclose(seen((x, y), similarity(change)), expected, atol=0.01)
    np.testing.assert_allclose(seen((0.9 * x, 0.9 * y), centred_crop(0.9) @ similarity(change)), expected, atol=0.01)


def test_directions_are_right_down_nearer_and_clockwise():
    for change, moved in (((0.1, 0, 0, 0), (0.4, 0)), ((0, 0.1, 0, 0), (0.3, 0.1)), ((0, 0, np.log(1.2), 0), (0.36, 0)),
                          ((0, 0, 0, np.pi / 2), (0, 0.3))):  # fmt: skip
        np.testing.assert_allclose(seen((0.3, 0), similarity(change)), moved, atol=0.01)


@pytest.mark.parametrize("top, bottom", [(0.1, -0.05), (0.3, 0.3), (0, 0)])
def test_perspective_carries_the_moved_corners_to_the_corners_and_keeps_the_middle_line(top, bottom):
    back = np.linalg.inv(perspective(top, bottom))
    for corner, half in (((1, -1), 1 - top), ((-1, -1), 1 - top), ((1, 1), 1 - bottom), ((-1, 1), 1 - bottom)):
        place = back @ (corner[0] * 1, corner[1], 1)
        np.testing.assert_allclose(place[:2] / place[2], (corner[0] * half, corner[1]), atol=1e-12)
    assert seen((0, 0.2), perspective(top, bottom))[0] == pytest.approx(0, abs=1e-4)


def test_moments_are_blends_of_neighbours_and_held_at_the_ends():
    faces = torch.arange(5.0).view(1, 5, 1, 1, 1).expand(2, 5, 3, 2, 2)
    change = torch.tensor([[0, 0, 0, 0, 0.25, 0.5], [0, 0, 0, 0, -1, 1.5]])
    found = retimed(faces, change)[:, :, 0, 0, 0]
    np.testing.assert_allclose(found, [[0.25, 0.75, 1.25, 1.75, 2.25], [0, 0.5, 2, 3.5, 4]], atol=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999), st.integers(1, 30), st.sampled_from(["both", "space", "time"]))
def test_draws_stay_in_their_range(seed, length, of):
    dx, dy, scale, roll, offset, rate = draw_change(np.random.default_rng(seed), length, {**OPTIONS, "of": of})
    assert max(abs(dx), abs(dy), abs(scale)) <= 0.1 + 1e-6 and abs(roll) <= 0.2 + 1e-6 and 0.8 - 1e-6 <= rate <= 1.25 + 1e-6
    late = offset + rate * (length - 1)
    if rate <= 1:
        assert offset >= -1 - 1e-4 and late <= length + 1e-4  # inside, but for a frame
    else:
        assert offset <= 1 + 1e-4 and late >= length - 2 - 1e-4  # covered, but for a frame
    assert (of != "time" or not any((dx, dy, scale, roll))) and (of != "space" or (offset, rate) == (0, 1))


def test_without_changes_views_are_the_face(corpus):
    data = WindowDataset(corpus, "train", 4, ("face", *FIELDS), options={
        **STILL, "second_view": {"colour": 0, "shift": 0, "scale": 0, "roll": 0, "offset": 0, "rate": 1}})  # fmt: skip
    item = whole(data, 2)
    for name in ("augmented", "second_view"):
        np.testing.assert_allclose(item[name], item["face"], atol=1e-4)
    np.testing.assert_array_equal(item["view_change"], (0, 0, 0, 0, 0, 1))


def test_views_do_not_depend_on_what_else_is_asked_for_and_ship_the_faces_once(corpus):
    augment = {"flip": 0.5, "shift": 3, "grain": 0.1, "colour": 0.2}
    every = WindowDataset(corpus, "train", 4, ("face", *FIELDS), augment=augment)
    alone = WindowDataset(corpus, "train", 4, ("view_change", "second_view"), augment={**augment, "grain": 0})
    plain = WindowDataset(corpus, "train", 4, ("face", *FIELDS[::-1]), augment={**augment, "grain": 0})
    for index in range(3):
        one, other = whole(alone, index), whole(plain, index)
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])
        shipped = every[index]
        assert sum(array.nbytes for name, array in shipped.items() if array.dtype == np.uint8) == 4 * SIZE * SIZE * 3
        again = whole(every, index)
        assert not np.array_equal(again["augmented"], again["face"])


def test_draws_differ_between_items_and_are_fixed_for_one(corpus):
    data, again = (WindowDataset(corpus, "val", 4, FIELDS) for _ in range(2))
    changes = [whole(data, index)["view_change"] for index in range(4)]
    np.testing.assert_array_equal(changes[2], whole(again, 2)["view_change"])
    assert len({tuple(change) for change in changes}) == 4


def test_log_mel_is_that_of_the_whole_clip(corpus):
    for place in ("published", "centred"):
        data = WindowDataset(corpus, "train", 4, ("log_mel", "frame"), options={"log_mel": {"place": place}})
        for index in range(4):
            window, item = data.window_of(index), whole(data, index)
            samples = np.asarray(window.clip["waveform"]) / np.float32(32767)
            expected = log_mel_windows(log_mel(samples), window.frames, window.row.fps, place=place)
            np.testing.assert_allclose(item["log_mel"], expected, atol=1e-4)


def test_changes_of_the_sound_reach_it(corpus):
    plain, louder = (whole(WindowDataset(corpus, "train", 4, ("log_mel",), augment=augment), 1)["log_mel"]
                     for augment in (None, {"gain_db": 6}))  # fmt: skip
    step = (louder - plain)[(plain > 0.1) & (louder > 0.1) & (plain < 1) & (louder < 1)]
    assert abs(np.median(step)) > 0.005 and np.ptp(step) < 0.01
    quiet = [whole(WindowDataset(corpus, "train", 4, ("log_mel",), augment={"silence": 1.0}), index) for index in range(8)]
    assert all(np.isfinite(item["log_mel"]).all() for item in quiet)


@pytest.mark.parametrize("field, option, value, told", [
    ("log_mel", "place", "late", "place"), ("augmented", "crop", 0.2, "crop: 0.2: must be a number from 0.5 to 1"),
    ("augmented", "perspective", True, "perspective: True"), ("second_view", "of", "neither", "neither"),
    ("second_view", "rate", 0.5, "rate: 0.5: must be a number from 1 to 2"),
])  # fmt: skip
def test_options_out_of_range_are_refused(corpus, field, option, value, told):
    with pytest.raises(InputError, match=told):
        WindowDataset(corpus, "train", 4, (field,), options={field: {option: value}})

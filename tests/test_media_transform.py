"""Shrinking, turning and cropping of whole frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from media.transform import crop_bounds, transform_frame, transformed_size


def picture(width, height):
    """Every pixel tells its column (red) and row (green)."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0], frame[..., 1] = np.arange(width), np.arange(height)[:, None]
    return frame


def test_nothing_to_do_gives_the_same_pixels():
    frame = picture(40, 30)
    assert np.array_equal(transform_frame(frame), frame)


def test_turn_is_clockwise_and_comes_before_the_crop():
    turned = transform_frame(picture(40, 30), rotate=True, crop=(0, 10, 0, 5))
    assert turned.shape == (10, 5, 3)
    assert turned[0, 0].tolist() == [0, 29, 0]
    assert turned[9, 4].tolist() == [9, 25, 0]


def test_crop_counts_in_the_shrunk_frame():
    frame = picture(40, 30)
    small = transform_frame(frame, resize_factor=2)
    assert small.shape == (15, 20, 3)
    assert np.array_equal(transform_frame(frame, resize_factor=2, crop=(2, 10, 3, -1)), small[2:10, 3:])


def test_shrinking_averages():
    frame = np.zeros((6, 6, 3), np.uint8)
    frame[::3] = 90
    assert (transform_frame(frame, resize_factor=3) == 30).all()


@settings(deadline=None, max_examples=100)
@given(st.data(), st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_size_is_foretold(data, width, height, rotate):
    factor = data.draw(st.integers(1, min(width, height)))
    w, h = width // factor, height // factor
    if rotate:
        w, h = h, w
    top, left = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    bottom = data.draw(st.one_of(st.just(-1), st.integers(top + 1, h)))
    right = data.draw(st.one_of(st.just(-1), st.integers(left + 1, w)))
    options = {"resize_factor": factor, "rotate": rotate, "crop": (top, bottom, left, right)}
    frame = transform_frame(picture(width, height), **options)
    assert frame.shape[1::-1] == transformed_size(width, height, **options)
    assert frame.flags.c_contiguous


OUTSIDE = [(0, 31, 0, -1), (0, -1, 0, 41), (5, 5, 0, -1), (-2, -1, 0, -1), (0, -2, 0, -1), (0, 1, 2), (0, 1.5, 0, 2)]


@pytest.mark.parametrize("crop", OUTSIDE)
def test_crop_outside_the_frame_is_refused(crop):
    with pytest.raises(InputError, match="crop"):
        crop_bounds(40, 30, crop)


@pytest.mark.parametrize("factor", [0, -1, 31, 1.5, True])
def test_wrong_resize_factor_is_refused(factor):
    with pytest.raises(InputError, match="resize_factor"):
        transform_frame(picture(40, 30), resize_factor=factor)

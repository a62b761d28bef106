"""The movement of a head in codes: which shot, how it is smoothed, carried to another head, and brought to other frames."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.drivers.head_movement import HeadMovement
from pipeline.driving import DrivingVideo


def movement(codes, fps=25, shots=None, present=None, **how):
    """HeadMovement of a video that is nothing but its track."""
    codes = np.asarray(codes, np.float32).reshape(len(codes), -1)
    shots = np.zeros(len(codes), int) if shots is None else np.asarray(shots)
    present = np.ones(len(codes), bool) if present is None else np.asarray(present, bool)
    video = SimpleNamespace(fps=Fraction(fps), track=SimpleNamespace(shots=shots, present=present))
    video.at_rate = lambda *args: DrivingVideo.at_rate(video, *args)
    return HeadMovement(video, codes, shots, **how)


def test_the_longest_shot_with_a_face_is_used():
    found, first = movement(range(9), shots=[0, 0, 0, 1, 1, 1, 1, 1, 1], present=[1, 1, 1, 0, 1, 1, 0, 1, 1]).longest_shot()
    assert first == 4 and found.codes[:, 0].tolist() == [4, 5, 6, 7, 8] and (found.loop, found.seconds) == ("pingpong", 5 / 25)


@pytest.mark.parametrize(
    ("fps", "frames", "wanted"),
    [
        (25, 9, [0, 1, 2, 3, 2, 1, 0, 1, 2]),
        (50, 10, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 2.75, 2.25, 1.75]),
        (Fraction(25, 2), 4, [0.5, 2.5, 1.5, 0.5]),
    ],
)
def test_a_short_movement_goes_to_and_fro(fps, frames, wanted):
    np.testing.assert_allclose(movement(range(4), loop="pingpong").at_frames(fps, frames)[:, 0], wanted)


def test_one_frame_is_held():
    assert movement([5], loop="pingpong").at_frames(50, 4)[:, 0].tolist() == [5, 5, 5, 5]


def test_it_is_carried_to_another_head_from_the_frame_that_is_nearest():
    codes = [[0, 0], [2, 1], [4, 1]]
    own = np.array([2.2, 2], np.float32)
    np.testing.assert_allclose(movement(codes).of(own, 1, False).codes, [[0.2, 1], [2.2, 2], [4.2, 2]], atol=1e-6)
    np.testing.assert_allclose(movement(codes).of(own, 0.5, False).codes, [[1.2, 1.5], [2.2, 2], [3.2, 2]], atol=1e-6)
    np.testing.assert_allclose(movement(codes).of(own, 0, False).codes, [own] * 3, atol=1e-6)
    np.testing.assert_allclose(movement(codes).of(own, 1, True).codes, codes, atol=1e-6)
    np.testing.assert_allclose(movement(codes).of(own, 2, True).codes, [[-2, -1], [2, 1], [6, 1]], atol=1e-6)


def test_each_shot_has_a_frame_of_its_own_that_is_nearest():
    found = movement([0, 1, 10, 12], shots=[0, 0, 1, 1]).of(np.array([1], np.float32), 1, False)
    np.testing.assert_allclose(found.codes[:, 0], [0, 1, 1, 3])


def test_smoothing_takes_the_trembling_and_keeps_cuts_and_steady_movements():
    noise = np.where(np.arange(40) % 2, 1.0, -1.0)
    trembling = movement(noise).smoothed(0.08).codes[5:-5]
    assert np.abs(trembling).max() < 0.01
    steady = np.arange(12.0)
    np.testing.assert_allclose(movement(steady).smoothed(0.08).codes[:, 0], steady, atol=1e-5)
    cut = np.repeat([0.0, 9.0], 6)
    np.testing.assert_allclose(movement(cut, shots=np.repeat([0, 1], 6)).smoothed(0.2).codes[:, 0], cut, atol=1e-5)
    assert np.array_equal(movement(noise).smoothed(0).codes[:, 0], noise.astype(np.float32))

"""Pauses of a sound, and what a mouth does whatever sound drives it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.formulas.silence import MARGIN, silent_frames

RATE = 16000


def speech(pattern, hum=0.0, seed=0):
    """Noise where the pattern has a letter other than a point, a frame each at 25 frames a second; with a hum of 100 Hz."""
    rng, size = np.random.default_rng(seed), RATE // 25
    sound = np.concatenate([rng.normal(0, 0.1 if one != "." else 1e-5, size) for one in pattern])
    return (sound + hum * np.sin(2 * np.pi * 100 * np.arange(len(sound)) / RATE))[None].astype(np.float32)


@pytest.mark.parametrize("hum", [0.0, 0.3])
def test_pauses_are_found_less_their_ends(hum):
    pattern = "." * 20 + "x" * 20 + "." * 4 + "x" * 10 + "." * 21
    silent = silent_frames(speech(pattern, hum), RATE, Fraction(25), len(pattern))
    assert silent[: 20 - MARGIN - 1].all() and silent[-21 + MARGIN + 1 :].all()
    assert not silent[20 - MARGIN : 54 + MARGIN].any()  # nor in the four frames between two words


def test_a_sound_of_nothing_is_silent_all_along():
    assert silent_frames(np.zeros((1, RATE), np.float32), RATE, Fraction(25), 25).all()
    assert silent_frames(np.zeros((1, 0), np.float32), RATE, Fraction(25), 12).all()
    assert silent_frames(np.zeros((1, 0), np.float32), RATE, Fraction(25), 0).shape == (0,)


@given(st.integers(0, 80), st.integers(0, 3 * RATE), st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(12)]))
def test_any_length_gives_a_place_for_each_frame(count, samples, fps):
    sound = np.random.default_rng(samples).normal(0, 0.1, (2, samples)).astype(np.float32)
    assert silent_frames(sound, RATE, fps, count).shape == (count,)


def test_steady_speech_has_no_pause():
    assert not silent_frames(speech("x" * 75), RATE, Fraction(25), 75).any()

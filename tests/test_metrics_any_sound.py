"""Pauses of a sound, and what a mouth does whatever sound drives it."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faces.landmarks import INNER_LIP_BOTTOM
from faces.tracking.tracked import FaceTrack
from metrics.footage import Footage
from metrics.formulas.silence import MARGIN, silent_frames
from metrics.measures.any_sound import AnySound
from metrics.measures.base import View

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


def footage(openings, fps=Fraction(25)):
    """Footage of a face whose mouth is open so far in each frame."""
    landmarks = np.zeros((len(openings), 68, 2), np.float32)
    landmarks[:, 36, 0], landmarks[:, 45, 0] = -50, 50  # the outer eye corners, 100 pixels apart
    landmarks[:, INNER_LIP_BOTTOM, 1] = 100 * np.asarray(openings, np.float32)
    there = np.ones(len(openings), bool)
    track = FaceTrack(landmarks, there, np.zeros(len(openings), bool), 200, 200)
    return Footage("x", SimpleNamespace(fps=fps), track)


def look(made, real, sound=None):
    return AnySound().look(View(footage(made), footage(real), sound, "", None, None)).values


def test_a_mouth_that_hears_another_sound_is_held_against_its_own_clip():
    real = 0.1 + 0.1 * np.sin(np.arange(75) / 3)
    assert look(real, real) == pytest.approx({"mouth_movement": 1, "own_mouth": 1, "open_in_silence": None})
    half = look(0.1 + 0.05 * np.cos(np.arange(60) / 3), real)  # shorter, a quarter of a period late, half as far
    assert half["mouth_movement"] == pytest.approx(0.5, abs=0.03) and abs(half["own_mouth"]) < 0.2
    still = look(np.full(75, 0.2), real)
    assert still["mouth_movement"] == 0 and still["own_mouth"] is None


def test_a_mouth_that_is_open_in_a_pause_is_found():
    pattern = "x" * 30 + "." * 30 + "x" * 15
    sound = speech(pattern), RATE
    openings = np.where(np.arange(75) % 10 < 5, 0.2, 0.0)
    assert look(np.where(np.array(list(pattern)) == "x", openings, 0.0), openings, sound)["open_in_silence"] == 0
    assert look(openings, openings, sound)["open_in_silence"] == pytest.approx(0.5, abs=0.1)
    assert look(np.full(75, 0.1), openings, sound)["open_in_silence"] == 1
    assert look(openings, openings, (speech("x" * 75), RATE))["open_in_silence"] is None  # no pause

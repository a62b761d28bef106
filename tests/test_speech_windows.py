"""The audio window of a frame: exact, in the middle, and equal to the released code where that is asked for."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from speech.mel import mel_spectrogram
from speech.windows import (
    MEL_STEPS,
    frame_count,
    gather_windows,
    mel_window,
    mel_window_start,
    mel_windows,
    wav2lip_inference_starts,
)

RATE = 16000
FPS = [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(50), Fraction(60), Fraction(24)]
rates = st.one_of(st.sampled_from(FPS), st.fractions(min_value=1, max_value=240, max_denominator=1001))
frames = st.integers(0, 2_000_000)


@settings(deadline=None)
@given(frames, rates, st.integers(1, 9))
def test_centred_window_is_nearest_to_the_middle_of_its_frames(frame, fps, span):
    start = mel_window_start(frame, fps, span=span)
    middle = (Fraction(2 * start + MEL_STEPS - 1, 2)) / 80
    error = middle - (frame + Fraction(span, 2)) / fps
    assert -Fraction(1, 160) < error <= Fraction(1, 160)


@settings(deadline=None)
@given(frames, rates, st.integers(1, 9))
def test_centred_windows_are_periodic_without_drift(frame, fps, span):
    """fps.numerator frames last fps.denominator seconds, which are a whole number of columns."""
    later = mel_window_start(frame + fps.numerator, fps, span=span)
    assert later - mel_window_start(frame, fps, span=span) == 80 * fps.denominator


@pytest.mark.parametrize("fps", FPS[:5], ids=str)
@pytest.mark.parametrize("seconds", [0.5, 61.3])
def test_impulse_is_found_in_the_middle_of_its_frame(fps, seconds):
    waveform = np.zeros(RATE * 63, dtype=np.float32)
    target = int(seconds * fps)
    waveform[round((target + Fraction(1, 2)) / fps * RATE)] = 0.9
    mel = mel_spectrogram(waveform)
    near = range(max(0, target - 12), target + 13)
    energy = (mel_windows(mel, near, fps) + 4).sum(axis=1)
    heard = energy.sum(axis=1) > 0
    centre = np.where(heard, (energy * np.arange(MEL_STEPS)).sum(axis=1) / np.maximum(energy.sum(axis=1), 1e-9), -99)
    best = near[int(np.argmin(np.abs(centre - 7.5)))]
    assert abs(centre[near.index(target)] - 7.5) <= 0.75
    assert abs(best - target) <= (0 if fps <= 30 else 1)  # above 40 fps neighbouring frames are nearer than two columns


@pytest.mark.parametrize("fps", FPS[:5], ids=str)
def test_span_of_five_hears_an_impulse_in_the_middle_frame(fps):
    waveform = np.zeros(RATE * 63, dtype=np.float32)
    first = int(61 * fps)
    waveform[round((first + Fraction(5, 2)) / fps * RATE)] = 0.9
    loudest = (mel_window(mel_spectrogram(waveform), first, fps, span=5) + 4).sum(axis=0).argmax()
    assert loudest in (7, 8)


def released_loop(n_columns, fps):
    """inference.py of Wav2Lip, in indices: which columns each chunk takes."""
    columns, chunks, i = list(range(n_columns)), [], 0
    multiplier = 80.0 / fps
    while True:
        start = int(i * multiplier)
        if start + 16 > n_columns:
            chunks.append(columns[n_columns - 16:])
            return chunks
        chunks.append(columns[start:start + 16])
        i += 1


@settings(deadline=None, max_examples=60)
@given(st.integers(16, 5000), rates)
def test_wav2lip_inference_equals_the_released_loop(n_columns, fps):
    starts = wav2lip_inference_starts(n_columns, fps)
    assert [list(range(s, s + 16)) for s in starts] == released_loop(n_columns, float(fps))
    assert starts[:-1] == [mel_window_start(i, fps, mode="wav2lip") for i in range(len(starts) - 1)]


def test_wav2lip_inference_on_audio_shorter_than_a_window():
    assert wav2lip_inference_starts(10, 25) == [-6]
    window = gather_windows(np.zeros((80, 10), dtype=np.float32), [-6])[0]
    assert (window[:, :6] == -4).all() and (window[:, 6:] == 0).all()


def test_wav2lip_train_is_the_released_training():
    """get_segmented_mels takes frame ids f + 1 - 2 for the generator, crop_audio_window takes f for the expert."""
    for frame in range(1, 3000):
        assert mel_window_start(frame, 25, mode="wav2lip_train") == int(80.0 * ((frame - 1) / float(25)))
        assert mel_window_start(frame, 25, span=5, mode="wav2lip_train") == int(80.0 * (frame / float(25)))
    assert [mel_window_start(t, 25, mode="wav2lip_train") for t in (0, 5)] == [-4, 12]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 60), st.lists(st.integers(0, 40), max_size=20), st.sampled_from(FPS),
       st.sampled_from(["centred", "wav2lip", "wav2lip_train"]), st.sampled_from([1, 5]))
def test_windows_are_the_mel_where_there_is_audio_and_silence_elsewhere(length, which, fps, mode, span):
    mel = np.arange(80 * length, dtype=np.float32).reshape(80, length)
    padded = np.pad(mel, ((0, 0), (400, 400)), constant_values=-4)
    windows = mel_windows(mel, which, fps, span=span, mode=mode)
    assert windows.shape == (len(which), 80, 16) and windows.dtype == np.float32 and windows.flags.c_contiguous
    for frame, window in zip(which, windows, strict=True):
        start = mel_window_start(frame, fps, span=span, mode=mode)
        np.testing.assert_array_equal(window, padded[:, start + 400:start + 416])
        np.testing.assert_array_equal(window, mel_window(mel, frame, fps, span=span, mode=mode))


@settings(deadline=None)
@given(st.integers(0, 10**10), rates, st.sampled_from([8000, 16000, 44100, 48000]))
def test_frame_count_covers_the_audio_and_no_more(n_samples, fps, rate):
    count = frame_count(n_samples, fps, rate)
    assert Fraction(count) / fps >= Fraction(n_samples, rate)
    assert count == 0 or Fraction(count - 1) / fps < Fraction(n_samples, rate)


def test_bad_rates_and_modes_are_refused():
    for fps in (0, -25, float("nan"), float("inf")):
        with pytest.raises(InputError, match="frame rate"):
            mel_window_start(0, fps)
        with pytest.raises(InputError, match="frame rate"):
            frame_count(16000, fps)
    with pytest.raises(ValueError, match="centered"):
        mel_window_start(0, 25, mode="centered")
    with pytest.raises(ValueError, match="span"):
        mel_window_start(0, 25, span=0)

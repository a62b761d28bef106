"""The log mel of PC-AVS against its recipe written out slowly, and its windows against the published columns."""

from fractions import Fraction

import numpy as np
import pytest

from common.errors import InputError
from speech.log_mel import (
    COLUMNS,
    HOP,
    column_count,
    heard,
    log_mel,
    log_mel_columns,
    log_mel_start,
    log_mel_windows,
    loudness,
)

SOUND = np.random.default_rng(0).normal(0, 0.05, 4000) * (1 + np.sin(np.arange(4000) / 300))


def slowly(samples):
    """As the published code computes it: lws in its mode "speech", the mel of librosa, decibels."""
    import librosa

    samples = samples * 0.1 / np.sqrt((samples**2).mean())
    window = np.sqrt((1 - np.cos(np.pi * np.arange(1, 2560, 2) / 1280)) / 2 * 2 * 160 / 1280)
    padded = np.concatenate([np.zeros(1120), samples, np.zeros(1120)])
    count = (len(padded) - 1280) // 160 + (1 if len(padded) % 160 == 0 else 2)
    padded = np.concatenate([padded, np.zeros((count - 1) * 160 + 1280 - len(padded))])
    spectra = np.stack([np.abs(np.fft.fft(padded[160 * m : 160 * m + 1280] * window))[:641] for m in range(count)])
    bank = librosa.filters.mel(sr=16000, n_fft=1280, fmin=125, fmax=7600, n_mels=80)
    levels = 20 * np.log10(np.maximum(1e-5, bank @ spectra.T)) - 20
    return np.clip((levels + 100) / 100, 0, 1)


@pytest.mark.parametrize("samples", [4000, 3999, 3841])
def test_it_is_the_published_recipe(samples):
    expected, found = slowly(SOUND[:samples]), log_mel(SOUND[:samples])
    assert found.dtype == np.float32 and found.shape == (80, column_count(samples)) == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert 0.2 < found[:, 10:20].mean() < 0.8


def test_loudness_does_not_count_and_silence_is_zero():
    np.testing.assert_allclose(log_mel(SOUND * 0.1), log_mel(SOUND), atol=1e-6)
    assert not log_mel(np.zeros(800)).any()
    assert loudness(np.zeros(800)) == pytest.approx(1000)
    for wrong, what in ((np.zeros(0), "empty"), (np.array([np.nan]), "NaN")):
        with pytest.raises(InputError, match=what):
            log_mel(wrong)


def test_a_click_shows_in_the_columns_whose_middle_is_nearest():
    click = np.zeros(8000)
    click[4000] = 1
    loudest = log_mel(click)[20:60].sum(0)
    middle = (loudest * np.arange(len(loudest))).sum() / loudest.sum()
    assert middle * HOP - 480 == pytest.approx(4000, abs=HOP)


def test_a_piece_gives_the_columns_of_the_whole():
    whole, samples = log_mel(SOUND), SOUND * loudness(SOUND)
    for first, count in ((0, 5), (9, 7), (20, 12)):
        start, end = heard(first, count)
        begin = max(0, start)
        found = log_mel_columns(samples[begin:end], first, count, begin)
        np.testing.assert_allclose(found[:, : whole.shape[1] - first], whole[:, first : first + count], atol=1e-6)
    assert not log_mel_columns(samples, 60, 3).any() and not log_mel_columns(samples, -30, 4).any()


def test_windows_are_the_published_columns():
    assert [log_mel_start(frame, 25) for frame in range(4)] == [-8, -4, 0, 4]  # (t - 2) * 4
    mel = log_mel(SOUND)
    windows = log_mel_windows(mel, range(6), 25)
    assert windows.shape == (6, 1, 80, COLUMNS) and windows.dtype == np.float32
    for frame in (2, 3):
        np.testing.assert_array_equal(windows[frame, 0], mel[:, 4 * frame - 8 : 4 * frame + 12])
    assert not windows[0, 0, :, :8].any()
    np.testing.assert_array_equal(windows[0, 0, :, 8:], mel[:, :12])
    assert not log_mel_windows(mel[:, :0], [0], 25).any()
    with pytest.raises(ValueError, match="published, centred"):
        log_mel_start(0, 25, place="elsewhere")


@pytest.mark.parametrize("fps", [25, 30, Fraction(30000, 1001), 50, 12.5])
def test_a_centred_window_lies_about_the_frame_and_a_published_one_a_constant_time_earlier(fps):
    for frame in range(0, 200, 7):
        wanted = 16000 * (frame + 0.5) / float(fps)
        middles = [(log_mel_start(frame, fps, place=place) + 9.5) * HOP - 480 for place in ("centred", "published")]
        assert abs(middles[0] - wanted) <= HOP / 2 + 1e-6 and abs(middles[1] + 560 - wanted) <= HOP / 2 + 1e-6

"""Mel and MFCC against the packages that define them, on hostile and on ordinary signals."""

import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_speech_features import mfcc as reference_mfcc
from scipy.signal import lfilter

from common.errors import InputError
from speech.mel import mel_filter_bank, mel_spectrogram
from speech.mfcc import mfcc, to_int16

RATE = 16000


def librosa_recipe(waveform):
    """docs/methods.md, eq. (2), written with librosa: what the released networks were trained on."""
    emphasised = lfilter([1, -0.97], [1], waveform)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        magnitude = np.abs(librosa.stft(y=emphasised, n_fft=800, hop_length=200, win_length=800))
    mel = librosa.filters.mel(sr=RATE, n_fft=800, n_mels=80, fmin=55, fmax=7600) @ magnitude
    decibels = 20 * np.log10(np.maximum(np.exp(-5 * np.log(10)), mel)) - 20
    return np.clip(8 * (decibels + 100) / 100 - 4, -4, 4)


def make_signal(kind, length, seed, level):
    rng = np.random.default_rng(seed)
    time = np.arange(length) / RATE
    if kind == "noise":
        signal = rng.normal(size=length) * level
    elif kind == "tones":
        signal = sum(np.sin(2 * np.pi * f * time + p) for f, p in rng.uniform([20, 0], [7900, 6], (5, 2))) * level
    elif kind == "impulses":
        signal = np.where(rng.random(length) < 0.002, level, 0.0)
    elif kind == "bursts":
        signal = rng.normal(size=length) * level * (np.sin(2 * np.pi * 3 * time) > 0)
    elif kind == "dc":
        signal = np.full(length, level)
    else:
        signal = np.zeros(length)
    return np.clip(signal, -1, 1).astype(np.float32)


signals = st.builds(make_signal, st.sampled_from(["noise", "tones", "impulses", "bursts", "dc", "silence"]),
                    st.one_of(st.integers(1, 1000), st.integers(1, 20000)), st.integers(0, 2**32 - 1),
                    st.sampled_from([1e-7, 1e-5, 1e-4, 1e-3, 0.03, 0.3, 1.0, 20.0]))


@settings(deadline=None, max_examples=150)
@given(signals)
def test_mel_equals_the_librosa_recipe(waveform):
    ours = mel_spectrogram(waveform)
    assert ours.dtype == np.float32 and ours.shape == (80, 1 + len(waveform) // 200)
    assert np.isfinite(ours).all() and np.abs(ours).max() <= 4
    np.testing.assert_allclose(ours, librosa_recipe(waveform), atol=1e-4, rtol=0)


@settings(deadline=None, max_examples=150)
@given(signals, st.booleans())
def test_mfcc_equals_python_speech_features(waveform, as_int16):
    ours = mfcc(waveform, as_int16=as_int16)
    theirs = reference_mfcc(to_int16(waveform) if as_int16 else waveform.astype(np.float64)).T
    assert ours.dtype == np.float32 and ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-6)


def test_long_audio_crosses_the_blocks_without_a_seam():
    waveform = make_signal("bursts", RATE * 45 + 123, 5, 0.2)
    np.testing.assert_allclose(mel_spectrogram(waveform), librosa_recipe(waveform), atol=1e-4, rtol=0)
    np.testing.assert_allclose(mfcc(waveform), reference_mfcc(to_int16(waveform)).T, atol=1e-4, rtol=1e-6)


def test_filter_bank_is_librosas():
    reference = librosa.filters.mel(sr=RATE, n_fft=800, n_mels=80, fmin=55, fmax=7600)
    np.testing.assert_allclose(mel_filter_bank(), reference, rtol=1e-5, atol=1e-9)


def test_digital_silence_is_the_floor():
    assert (mel_spectrogram(np.zeros(RATE, dtype=np.float32)) == -4).all()
    assert np.isfinite(mfcc(np.zeros(RATE, dtype=np.float32))).all()


def test_int16_saturates_and_rounds():
    assert to_int16([-1.0, -2.0, 1.0, 0.5, 1.4 / 32768, 1.6 / 32768]).tolist() == [-32768, -32768, 32767, 16384, 1, 2]


@pytest.mark.parametrize("feature", [mel_spectrogram, mfcc])
def test_empty_and_unfinite_audio_is_refused(feature):
    with pytest.raises(InputError, match="empty"):
        feature(np.zeros(0, dtype=np.float32))
    for bad in (np.nan, np.inf):
        with pytest.raises(InputError, match="NaN or infinite"):
            feature(np.array([0, bad, 0], dtype=np.float32))
    with pytest.raises(ValueError, match="must be"):
        feature(np.zeros((2, 100)))

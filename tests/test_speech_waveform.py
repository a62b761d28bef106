"""Mix-down and resampling, and what is said of audio that cannot be used."""

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from speech.waveform import load_waveform, to_waveform


def tone(rate, seconds=1.0, frequency=440.0, channels=1):
    time = np.arange(int(rate * seconds)) / rate
    return np.tile(0.5 * np.sin(2 * np.pi * frequency * time), (channels, 1)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_a_tone_stays_the_same_tone(rate, channels):
    waveform = to_waveform(tone(rate, channels=channels), rate)
    assert waveform.dtype == np.float32 and waveform.shape == (16000,)
    np.testing.assert_allclose(waveform[200:-200], tone(16000)[0][200:-200], atol=2e-3)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 3), st.integers(1, 4000), st.sampled_from([8000, 16000, 44100, 48000]), st.floats(1e-6, 100),
       st.integers(0, 2**32 - 1))
def test_any_signal_stays_in_range_and_keeps_its_length(channels, length, rate, level, seed):
    samples = (np.random.default_rng(seed).normal(size=(channels, length)) * level).astype(np.float32)
    waveform = to_waveform(samples, rate)
    assert np.isfinite(waveform).all() and np.abs(waveform).max() <= 1
    assert len(waveform) == -(-length * 16000 // rate) >= 1


def test_channels_are_averaged():
    samples = np.stack([np.full(100, 0.5), np.full(100, -0.1)]).astype(np.float32)
    np.testing.assert_allclose(to_waveform(samples, 16000), 0.2, atol=1e-6)


def test_unusable_audio_is_refused():
    with pytest.raises(InputError, match="zero length"):
        to_waveform(np.zeros((1, 0), dtype=np.float32), 16000)
    with pytest.raises(InputError, match="NaN"):
        to_waveform(np.full((1, 10), np.nan, dtype=np.float32), 16000)
    with pytest.raises(ValueError, match="channels"):
        to_waveform(np.zeros(10, dtype=np.float32), 16000)


def test_a_file_loads_as_librosa_loads_it(tmp_path):
    path = tmp_path / "speech and space.wav"
    samples = np.random.default_rng(3).normal(size=(2, 44213)) * 0.1
    soundfile.write(path, samples.T, 44100, subtype="PCM_16")
    reference, _ = librosa.load(path, sr=16000)
    np.testing.assert_allclose(load_waveform(path), reference, atol=1e-5)


def test_a_bad_file_is_named_in_the_message(tmp_path):
    path = tmp_path / "not audio.wav"
    path.write_text("this is text")
    with pytest.raises(InputError, match="not audio.wav"):
        load_waveform(path)

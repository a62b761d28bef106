"""Sound as SyncNet's published code hears it: 16-bit samples at 16 kHz through ffmpeg's resampler."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from speech.waveform import to_pcm16, to_waveform

RATES = [8000, 11025, 16000, 22050, 32000, 44100, 48000]


def tone(rate, seconds=1.0, frequency=1000.0, level=0.5):
    """(n,) float32 sine."""
    return (level * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def noise(seed, channels, count, level=0.2):
    return (np.random.default_rng(seed).normal(size=(channels, count)) * level).astype(np.float32)


def whole(samples, rate):
    """The same conversion of one or two channels in a single block."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16000)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono" if len(samples) == 1 else "stereo")
    frame.sample_rate = rate
    parts = [part.to_ndarray()[0] for part in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate([np.zeros(0, np.int16), *parts])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_tone_keeps_level_time_and_length(rate, channels):
    found = to_pcm16(np.tile(tone(rate), (channels, 1)), rate)
    assert found.dtype == np.int16 and 15990 <= len(found) <= 16000
    expected = tone(16000)[300:15700] * 32768
    np.testing.assert_allclose(found[300:15700], expected, atol=0.004 * 32768)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40000))
def test_16_khz_samples_of_16_bits_pass_unchanged(seed, count):
    samples = np.random.default_rng(seed).integers(-32768, 32768, count).astype(np.int16)
    found = to_pcm16(samples[None].astype(np.float32) / 32768, 16000)
    np.testing.assert_array_equal(found, samples)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(RATES), st.integers(1, 2), st.integers(1, 120000), st.integers(0, 2**32 - 1))
def test_blocks_give_what_one_block_gives(rate, channels, count, seed):
    samples = noise(seed, channels, count)
    found, limit = to_pcm16(samples, rate), -(-count * 16000 // rate)
    assert limit - 40 <= len(found) <= limit
    np.testing.assert_array_equal(found, whole(samples, rate)[:limit])


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_the_filter_is_ffmpegs_and_not_the_steeper_one_of_to_waveform(rate):
    samples = np.stack([tone(rate, frequency=f, level=0.2) for f in (300, 6000)]).sum(0, keepdims=True)
    ours, soxr = to_pcm16(samples, rate) / 32768, to_waveform(samples, rate)
    np.testing.assert_allclose(ours[300:15700], soxr[300:15700], atol=0.002)
    near = tone(rate, frequency=7800)[None]
    ours, soxr = to_pcm16(near, rate) / 32768, to_waveform(near, rate)
    kept = [np.abs(one[300:15700]).mean() / np.abs(near).mean() for one in (ours, soxr)]
    assert 0.4 < kept[0] < 0.55 and kept[1] < 0.1


@pytest.mark.parametrize("rate", [44100, 48000])
def test_what_16_khz_cannot_hold_is_filtered_out(rate):
    found = to_pcm16(tone(rate, frequency=10000)[None], rate)
    assert np.abs(found[300:15700]).max() < 0.01 * 16384


def test_channels_are_mixed():
    left, right = tone(16000, level=0.4), tone(16000, frequency=700, level=0.4)
    mixed = to_pcm16(np.stack([left, right]), 16000)
    np.testing.assert_allclose(mixed / 32768, (left + right) / 2, atol=2e-4)
    alike = to_pcm16(np.tile(left, (6, 1)), 16000)
    np.testing.assert_allclose(alike / 32768, left, atol=2e-4)
    low = np.zeros((6, 16000), np.float32)
    low[3] = left
    assert not to_pcm16(low, 16000).any()
    centre = np.zeros((6, 16000), np.float32)
    centre[2] = left
    gain = np.sqrt(0.5) / (1 + 2 * np.sqrt(0.5))
    np.testing.assert_allclose(to_pcm16(centre, 16000) / 32768, gain * left, atol=2e-4)


@pytest.mark.parametrize("rate", RATES)
def test_silence_stays_silence(rate):
    assert not to_pcm16(np.zeros((2, rate)), rate).any()


def test_beyond_full_scale_is_saturated():
    found = to_pcm16(np.array([[2.0, -2.0, 1.0, -1.0]] * 1000, np.float32).reshape(1, -1), 16000)
    np.testing.assert_array_equal(found[:4], [32767, -32768, 32767, -32768])


@pytest.mark.parametrize("count", range(1, 6))
def test_the_shortest_sounds(count):
    found = to_pcm16(np.full((1, count), 0.5), 44100)
    assert found.dtype == np.int16 and len(found) <= -(-count * 16000 // 44100)


def test_unusable_samples_are_refused():
    with pytest.raises(InputError, match="zero length"):
        to_pcm16(np.zeros((1, 0)), 16000)
    for bad in (np.nan, np.inf):
        with pytest.raises(InputError, match="NaN or infinite"):
            to_pcm16(np.array([[0, bad]]), 44100)
    with pytest.raises(ValueError, match="channels"):
        to_pcm16(np.zeros(10), 16000)

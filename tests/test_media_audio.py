"""Sound of every kind of file, and what is refused."""

import logging

import numpy as np
import pytest
import soundfile

from common.errors import InputError
from media import decode_audio
from tests.make_media import make_sound, make_video, make_wav, numbered_frames, tone


def noise(seconds, rate, channels):
    """(channels, n) float32 low-passed noise: its correlation has one sharp peak."""
    rng = np.random.default_rng(rate + channels)
    window = 0.3 * np.hanning(17) / np.hanning(17).sum()
    rows = [np.convolve(rng.standard_normal(round(seconds * rate)), window, "same") for _ in range(channels)]
    return np.stack(rows).astype(np.float32)


def lag(decoded, original):
    """Samples by which `decoded` trails `original`."""
    reach = 1500
    return int(np.argmax(np.correlate(np.pad(decoded, reach), original, "valid"))) - reach


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize(
    ("suffix", "codec", "sample_format", "channels"),
    [("flac", "flac", "s16", n) for n in (1, 2, 6)]
    + [("mp3", "libmp3lame", "fltp", n) for n in (1, 2)]
    + [(suffix, "aac", "fltp", n) for suffix in ("m4a", "mov") for n in (1, 2, 6)],
)
def test_length_and_place_are_exact(tmp_path, suffix, codec, sample_format, channels, rate):
    original = noise(0.5, rate, channels)
    samples, found = decode_audio(make_sound(tmp_path / f"s.{suffix}", original, rate, codec, sample_format=sample_format))
    assert samples.dtype == np.float32
    assert (samples.shape, found) == (original.shape, rate)
    assert lag(samples[0], original[0]) == 0
    assert np.corrcoef(samples[-1], original[-1])[0, 1] > 0.8


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("suffix", ["opus", "webm", "ogg"])
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_opus_has_its_own_rate(tmp_path, suffix, channels, rate):
    path = make_sound(tmp_path / f"s.{suffix}", noise(0.5, rate, channels), rate, "libopus", sample_format="flt")
    samples, found = decode_audio(path)
    assert (samples.shape, found) == ((channels, 24000), 48000)


def test_opus_at_its_own_rate_is_in_place(tmp_path):
    original = noise(0.5, 48000, 2)
    samples, _ = decode_audio(make_sound(tmp_path / "s.opus", original, 48000, "libopus", sample_format="flt"))
    assert lag(samples[0], original[0]) == 0


def test_ogg_vorbis(tmp_path):
    original = noise(0.5, 44100, 2)
    soundfile.write(tmp_path / "s.ogg", original.T, 44100, format="OGG", subtype="VORBIS")
    samples, rate = decode_audio(tmp_path / "s.ogg")
    assert (samples.shape, rate) == (original.shape, 44100)
    assert lag(samples[1], original[1]) == 0


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [
        ("PCM_U8", 2**-7),
        ("PCM_16", 2**-15),
        ("PCM_24", 2**-22),
        ("PCM_32", 1e-7),
        ("FLOAT", 0),
        ("DOUBLE", 1e-7),
        ("ULAW", 0.03),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 8, 12])
def test_wav_of_every_depth(tmp_path, subtype, tolerance, channels):
    original = np.clip(noise(0.1, 48000, channels), -0.99, 0.99)
    soundfile.write(tmp_path / "s.wav", original.T, 48000, subtype=subtype)
    samples, rate = decode_audio(tmp_path / "s.wav")
    assert rate == 48000
    assert samples.shape == original.shape
    assert np.abs(samples - original).max() <= tolerance


@pytest.mark.parametrize("rate", [8000, 11111, 192000])
def test_any_rate(tmp_path, rate):
    samples, found = decode_audio(make_wav(tmp_path / "s.wav", tone(0.1, rate), rate))
    assert (samples.shape[1], found) == (round(0.1 * rate), rate)


def test_silence_clipping_and_a_single_sample_are_fine(tmp_path):
    soundfile.write(tmp_path / "c.wav", np.array([0.0, 3.0, -3.0, 0.5]), 16000, subtype="FLOAT")
    assert decode_audio(tmp_path / "c.wav")[0].tolist() == [[0.0, 1.0, -1.0, 0.5]]
    assert not decode_audio(make_wav(tmp_path / "s.wav", np.zeros(1600), 16000))[0].any()
    assert decode_audio(make_wav(tmp_path / "o.wav", np.zeros(1), 16000))[0].shape == (1, 1)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_sound_that_is_no_number_is_refused(tmp_path, wrong, subtype):
    samples = np.zeros(5000)
    samples[4000] = wrong
    soundfile.write(tmp_path / "n.wav", samples, 16000, subtype=subtype)
    with pytest.raises(InputError, match=r"n\.wav.*not numbers"):
        decode_audio(tmp_path / "n.wav")


def test_no_samples_and_no_track_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"z\.wav.*empty"):
        decode_audio(make_wav(tmp_path / "z.wav", np.zeros(0), 16000))
    with pytest.raises(InputError, match="no sound track"):
        decode_audio(make_video(tmp_path / "m.mp4", numbered_frames(3)))


def test_sound_track_of_a_video_is_cut_to_its_length(tmp_path):
    original = noise(0.55, 44100, 2)
    path = make_video(tmp_path / "v.mp4", numbered_frames(14), audio=original, sample_rate=44100)
    samples, _ = decode_audio(path)
    assert samples.shape == original.shape
    assert lag(samples[0], original[0]) == 0


def test_wav_cut_short_gives_what_is_there(tmp_path, caplog):
    data = make_wav(tmp_path / "s.wav", tone(2.0), 16000).read_bytes()
    (tmp_path / "c.wav").write_bytes(data[:20044])
    assert decode_audio(tmp_path / "c.wav")[0].shape == (1, 10000)


def test_m4a_cut_short_warns(tmp_path, caplog):
    with_index_first = tmp_path / "h.mp4"
    make_video(
        with_index_first,
        numbered_frames(50),
        audio=noise(2, 16000, 1),
        sample_rate=16000,
        container_options={"movflags": "faststart"},
    )
    data = with_index_first.read_bytes()
    (tmp_path / "c.mp4").write_bytes(data[: len(data) // 2])
    with caplog.at_level(logging.WARNING):
        samples, _ = decode_audio(tmp_path / "c.mp4")
    assert 0 < samples.shape[1] < 32000
    assert any("cut short" in record.getMessage() for record in caplog.records)

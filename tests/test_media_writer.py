"""Writing: exact pictures, sound, rates and tags, and files that appear whole or not at all."""

import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from common.errors import InputError
from media import VideoReader, VideoWriter, decode_audio, probe, read_metadata
from media.mixing import AAC_RATES, aac_rate, downmix, downmix_gains
from tests.make_media import click, colour_bars, frame_number, numbered_frames, tone

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = ["mp4", "m4v", "mov", "mkv"]


def write(path, frames, fps=25, **options):
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width=width, height=height, fps=fps, **options) as writer:
        for frame in frames:
            writer.write(frame)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_colours_survive_and_tags_say_what_was_done(tmp_path, suffix):
    bars, places = colour_bars()
    path = write(tmp_path / f"c.{suffix}", [bars] * 3, crf=5)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        luma = frame.to_ndarray()[32]
    for exact, tolerance in ((False, 3), (True, 2)):
        shown = next(iter(VideoReader(path, exact=exact)))
        for column, colour in places:
            assert np.abs(shown[32, column].astype(int) - colour).max() <= tolerance
    for column, (red, green, blue) in places:
        rec709 = 16 + 219 / 255 * (0.2126 * red + 0.7152 * green + 0.0722 * blue)
        assert abs(luma[column] - rec709) <= 1.5


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("fps", [25, Fraction(30000, 1001), "23.976", 60, Fraction(25, 2)])
def test_frame_count_and_rate_are_exact(tmp_path, suffix, fps):
    path = write(tmp_path / f"f.{suffix}", numbered_frames(21), fps)
    info = probe(path)
    assert info.fps == (Fraction(24000, 1001) if fps == "23.976" else Fraction(fps))
    assert info.frames == 21
    assert [frame_number(frame) for frame in VideoReader(path)] == list(range(21))


def test_thousand_frames_at_ntsc_rate_do_not_drift(tmp_path):
    rate = Fraction(30000, 1001)
    path = write(tmp_path / "d.mp4", numbered_frames(1000, 16, 16), rate, preset="ultrafast")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = sorted(packet.pts * stream.time_base for packet in container.demux(stream) if packet.pts is not None)
    assert times == [k / rate for k in range(1000)]


@pytest.mark.parametrize("size", [(63, 47), (1, 1), (64, 47), (3, 2)])
def test_odd_sizes_are_padded_with_their_edge(tmp_path, size):
    width, height = size
    frame = np.zeros((height, width, 3), np.uint8)
    frame[:, -1] = frame[-1] = 200
    shown = next(iter(VideoReader(write(tmp_path / "o.mp4", [frame] * 2, crf=0))))
    assert shown.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(shown[-1].astype(int) - 200).max() <= 4
    if width % 2:
        assert np.abs(shown[:, -1].astype(int) - 200).max() <= 4


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_is_in_place_and_whole(tmp_path, suffix, channels):
    sound = click(1.0, 0.48, channels=channels)
    frames = [np.zeros((48, 64, 3), np.uint8) for _ in range(25)]
    frames[12][:] = 255
    path = write(tmp_path / f"s.{suffix}", frames, audio=sound, sample_rate=48000)
    samples, rate = decode_audio(path)
    assert rate == 48000
    assert len(samples) == channels
    assert samples.shape[1] == 48000 if suffix != "mkv" else 48000 <= samples.shape[1] < 49024
    assert abs(np.argmax(np.abs(samples[0]) > 0.3) / rate - 0.48) < 0.001
    assert int(np.argmax([frame.mean() for frame in VideoReader(path)])) == 12


@pytest.mark.parametrize(("rate", "stored"), [(8000, 8000), (16000, 16000), (11111, 12000), (192000, 96000), (4000, 7350)])
def test_rates_that_aac_lacks_are_resampled(tmp_path, rate, stored):
    path = write(tmp_path / "r.mp4", numbered_frames(10), audio=tone(0.4, rate)[0], sample_rate=rate)
    samples, found = decode_audio(path)
    assert found == stored
    assert abs(samples.shape[1] / found - 0.4) < 0.001
    spectrum = np.abs(np.fft.rfft(samples[0] * np.hanning(samples.shape[1])))
    assert abs(np.argmax(spectrum) * found / samples.shape[1] - 440) < 5


def test_rates_of_aac():
    assert [aac_rate(rate) for rate in AAC_RATES] == list(AAC_RATES)
    assert aac_rate(44000) == 44100


@pytest.mark.parametrize("channels", range(3, 17))
def test_many_channels_become_two_without_clipping(channels):
    gains = downmix_gains(channels)
    assert gains.shape == (2, channels)
    assert np.allclose(gains.sum(axis=1), 1)
    assert (gains >= 0).all()
    assert np.abs(downmix(np.ones((channels, 4), np.float32))).max() <= 1 + 1e-6


def test_left_stays_left_in_71(tmp_path):
    sound = np.zeros((8, 16000), np.float32)
    sound[0] = tone(1.0)[0]
    samples, _ = decode_audio(write(tmp_path / "m.mp4", numbered_frames(25), audio=sound, sample_rate=16000))
    assert len(samples) == 2
    assert np.abs(samples[0]).max() > 0.1
    assert np.abs(samples[1]).max() < 0.01


def test_sound_shorter_or_longer_than_the_picture(tmp_path):
    for seconds in (0.2, 2.0, 1 / 16000):
        path = write(tmp_path / "l.mp4", numbered_frames(25), audio=tone(seconds), sample_rate=16000)
        assert abs(decode_audio(path)[0].shape[1] - seconds * 16000) <= 1
        assert len(list(VideoReader(path))) == 25


def test_picture_and_sound_lie_side_by_side_and_the_index_comes_first(tmp_path):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(100)]
    path = write(tmp_path / "i.mp4", frames, audio=tone(4.0), sample_rate=16000)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        places = [
            (packet.pos, packet.stream.type, float(packet.pts * packet.time_base))
            for packet in container.demux()
            if packet.size
        ]
    latest = {"video": 0.0, "audio": 0.0}
    for _, kind, at in sorted(places):
        latest[kind] = max(latest[kind], at)
        assert abs(latest["video"] - latest["audio"]) < 2.0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_metadata_comes_back(tmp_path, suffix):
    tags = {
        "comment": "synthetic speech video",
        "TalkingFace_Model": 'demo; sha=ab"c\nünï 口',
        "title": "t",
        "talkingface.version": "1",
    }
    found = read_metadata(write(tmp_path / f"t.{suffix}", numbered_frames(2), metadata=tags))
    for key, value in tags.items():
        assert found[key.lower()] == value


@pytest.mark.parametrize("name", ["x.xyz", "x", "x.txt", "mp4", "x.mp3"])
def test_unknown_suffix_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"\.mp4"):
        VideoWriter(tmp_path / name, width=8, height=8, fps=25)


@pytest.mark.parametrize("name", ["-o 'x\".mp4", "ünï 口.mov", "100%d.mkv", "a:b.mp4", "UPPER.MP4"])
def test_any_file_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(name, numbered_frames(2), audio=tone(0.1), sample_rate=16000)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(list(VideoReader(name))) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError, SystemExit, ZeroDivisionError])
@pytest.mark.parametrize("after", [0, 3])
def test_what_ends_badly_leaves_nothing(tmp_path, error, after):
    with pytest.raises(error):
        with VideoWriter(tmp_path / "new" / "x.mp4", width=64, height=48, fps=25, audio=tone(), sample_rate=16000) as writer:
            for frame in numbered_frames(after):
                writer.write(frame)
            raise error
    assert list((tmp_path / "new").iterdir()) == []


def test_existing_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "x.mp4"
    path.write_text("old")
    with VideoWriter(path, width=64, height=48, fps=25) as writer:
        for frame in numbered_frames(3):
            writer.write(frame)
        assert path.read_text() == "old"
    assert len(list(VideoReader(path))) == 3
    with pytest.raises(RuntimeError), VideoWriter(path, width=64, height=48, fps=25) as writer:
        writer.write(numbered_frames(1)[0])
        raise RuntimeError
    assert len(list(VideoReader(path))) == 3
    assert len(list(tmp_path.iterdir())) == 1


def test_ctrl_c_leaves_nothing(tmp_path):
    code = (
        "import sys, numpy as np\nfrom media import VideoWriter\n"
        "frame = np.zeros((240, 320, 3), np.uint8)\n"
        "with VideoWriter(sys.argv[1], width=320, height=240, fps=25) as writer:\n"
        "    writer.write(frame); print('ready', flush=True)\n"
        "    while True: writer.write(frame)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "x.mp4")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    assert len(list(tmp_path.iterdir())) == 1
    time.sleep(0.2)
    process.send_signal(2)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_an_input_error(tmp_path):
    """A limit on the size of files stands in for a full disk."""
    code = (
        "import resource, signal, sys, numpy as np\nfrom common.errors import InputError\nfrom media import VideoWriter\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
        "rng = np.random.default_rng(0)\n"
        "try:\n    with VideoWriter(sys.argv[1], width=320, height=240, fps=25) as writer:\n"
        "        for _ in range(60): writer.write(rng.integers(0, 256, (240, 320, 3), dtype=np.uint8))\n"
        "except InputError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.mp4")], cwd=ROOT, capture_output=True, text=True)
    assert "x.mp4: cannot be written" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError), VideoWriter(tmp_path / "file" / "x.mp4", width=8, height=8, fps=25):
        pass


def test_faults_of_the_caller_are_value_errors(tmp_path):
    path = tmp_path / "x.mp4"
    with pytest.raises(ValueError, match="no frame"), VideoWriter(path, width=8, height=8, fps=25):
        pass
    for frame in (np.zeros((8, 9, 3), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8)):
        with pytest.raises(ValueError, match="frame is"), VideoWriter(path, width=8, height=8, fps=25) as writer:
            writer.write(frame)
    for audio, rate in (
        (np.zeros((2, 0)), 16000),
        (np.zeros(5), None),
        (np.full(5, np.nan), 16000),
        (np.zeros((1, 2, 3)), 16000),
    ):
        with pytest.raises(ValueError, match="audio"):
            VideoWriter(path, width=8, height=8, fps=25, audio=audio, sample_rate=rate)
    with pytest.raises(ValueError, match="outside"):
        VideoWriter(path, width=8, height=8, fps=25).write(np.zeros((8, 8, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_frames_may_be_views(tmp_path):
    big = np.zeros((48, 128, 3), np.uint8)
    big[:, ::2] = 200
    shown = next(iter(VideoReader(write(tmp_path / "v.mp4", [big[:, ::2], big[::-1, ::2]]))))
    assert abs(int(shown.mean()) - 200) <= 2

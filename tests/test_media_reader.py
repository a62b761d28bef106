"""Reading: colours, geometry, rates, names of files, memory."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from media import VideoReader, decode_audio, probe
from media.notes import ALPHA
from tests.make_media import BT601, BT709, click, colour_bars, frame_number, make_video, numbered_frames, tone

ROOT = Path(__file__).resolve().parents[1]

CORNERS = {(250, 0, 0): "R", (0, 250, 0): "G", (0, 0, 250): "B", (250, 250, 250): "W"}


def numbers(path, **options):
    return [frame_number(frame) for frame in VideoReader(path, **options)]


def four_corners(width=64, height=48):
    """Red and green above, blue and white below."""
    frame = np.zeros((height, width, 3), np.uint8)
    top, left = slice(None, height // 2), slice(None, width // 2)
    bottom, right = slice(height // 2, None), slice(width // 2, None)
    frame[top, left], frame[top, right] = (250, 0, 0), (0, 250, 0)
    frame[bottom, left], frame[bottom, right] = (0, 0, 250), (250, 250, 250)
    return frame


def corner_names(frame):
    """Letters of the corners: top left, top right, bottom left, bottom right."""
    picked = [frame[5, 5], frame[5, -6], frame[-6, 5], frame[-6, -6]]
    return "".join(CORNERS[tuple(250 if value > 125 else 0 for value in pixel)] for pixel in picked)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [BT709, BT601, None])
def test_colours_are_right_in_every_matrix_range_and_depth(tmp_path, matrix, full_range, pix_fmt):
    bars, places = colour_bars()
    path = make_video(tmp_path / "c.mp4", [bars] * 2, matrix=matrix, full_range=full_range, pix_fmt=pix_fmt)
    for exact, tolerance in ((False, 3), (True, 2)):
        frame = next(iter(VideoReader(path, exact=exact)))
        for column, colour in places:
            assert np.abs(frame[32, column].astype(int) - colour).max() <= tolerance, (colour, frame[32, column])


def test_the_matrix_of_the_file_is_told(tmp_path):
    bars, _ = colour_bars(64, 48)
    weights = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114), None: (0.299, 0.114)}
    for matrix, expected in weights.items():
        path = make_video(tmp_path / f"{matrix}.mkv", [bars], matrix=matrix, codec="ffv1", pix_fmt="yuv444p")
        assert probe(path).luma == expected
    assert probe(make_video(tmp_path / "rgb.mkv", [bars], codec="ffv1", pix_fmt="bgr0")).luma is None


def test_untagged_high_definition_is_bt709(tmp_path):
    bars, places = colour_bars(1280, 64)
    tagged = make_video(tmp_path / "t.mkv", [bars], matrix=BT709, codec="ffv1", pix_fmt="yuv444p")
    bare = make_video(tmp_path / "b.mkv", [bars], codec="ffv1", pix_fmt="yuv444p")
    column, colour = places[1]
    assert np.abs(next(iter(VideoReader(tagged)))[32, column].astype(int) - colour).max() <= 2
    assert np.abs(next(iter(VideoReader(bare)))[32, column].astype(int) - colour).max() > 5


def test_fast_conversion_gives_opencv_pixels(tmp_path):
    import cv2

    rng = np.random.default_rng(0)
    noise = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (320, 240))
    path = make_video(tmp_path / "n.mp4", [noise] * 2)
    ok, bgr = cv2.VideoCapture(str(path)).read()
    assert ok
    assert np.array_equal(next(iter(VideoReader(path))), bgr[..., ::-1])


@pytest.mark.parametrize(
    ("rotation", "mirrored", "names"),
    [
        (0, False, "RGBW"),
        (90, False, "BRWG"),
        (180, False, "WBGR"),
        (270, False, "GWRB"),
        (0, True, "GRWB"),
        (90, True, "RBGW"),
        (180, True, "BWRG"),
        (270, True, "WGBR"),
    ],
)
def test_rotation_and_mirroring_are_applied(tmp_path, rotation, mirrored, names):
    path = make_video(tmp_path / "r.mp4", [four_corners()] * 2, rotation=rotation, mirrored=mirrored)
    reader = VideoReader(path)
    frame = next(iter(reader))
    assert corner_names(frame) == names
    assert (reader.info.width, reader.info.height) == frame.shape[1::-1] == ((48, 64) if rotation % 180 else (64, 48))
    if not mirrored:
        assert reader.info.rotation == rotation


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(16, 11), (93, 48)), (Fraction(1, 2), (64, 96)), (Fraction(100, 101), (64, 48))]
)
def test_pixels_become_square(tmp_path, aspect, size):
    path = make_video(tmp_path / "a.mp4", [four_corners()] * 2, aspect=aspect)
    frame = next(iter(VideoReader(path)))
    assert frame.shape[1::-1] == size == (probe(path).width, probe(path).height)
    assert corner_names(frame) == "RGBW"


@pytest.mark.parametrize("size", [(63, 47), (1, 1), (3, 1), (2, 2)])
@pytest.mark.parametrize(("suffix", "codec", "pix_fmt"), [("avi", "mjpeg", "yuvj420p"), ("mp4", "libx264", "yuv444p")])
def test_odd_and_tiny_sizes(tmp_path, size, suffix, codec, pix_fmt):
    path = make_video(tmp_path / f"o.{suffix}", numbered_frames(3, *size), codec=codec, pix_fmt=pix_fmt)
    frames = list(VideoReader(path))
    assert [frame.shape[1::-1] for frame in frames] == [size] * 3
    assert [frame_number(frame) for frame in frames] == [0, 1, 2]


def test_transparency_lies_over_grey(tmp_path):
    frame = np.dstack([four_corners(), np.full((48, 64), 128, np.uint8)])
    path = make_video(tmp_path / "a.mov", [frame] * 2, codec="qtrle", pix_fmt="argb")
    assert next(iter(VideoReader(path)))[5, 5].tolist() == [189, 64, 64]
    assert probe(path).notes == (ALPHA,)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(1, 2), Fraction(240)])
@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("avi", "mpeg4"), ("ts", "libx264"), ("flv", "flv1")]
)
def test_rate_is_exact_and_every_frame_comes_once(tmp_path, fps, suffix, codec):
    path = make_video(tmp_path / f"f.{suffix}", numbered_frames(12), fps, codec=codec)
    assert probe(path).fps == fps
    assert probe(path).frames == 12
    assert numbers(path) == list(range(12))


def test_mpeg_program_stream(tmp_path):
    path = make_video(tmp_path / "f.mpg", numbered_frames(12), 25, codec="mpeg2video")
    assert probe(path).fps == 25
    assert numbers(path) == list(range(12))


def test_variable_rate_is_put_on_a_constant_one(tmp_path):
    times = [Fraction(k, 30) for k in (0, 1, 2, 10, 11, 31)]
    path = make_video(tmp_path / "v.mp4", numbered_frames(6), 30, times=times)
    assert probe(path).fps == 30
    assert numbers(path) == [0, 1] + [2] * 8 + [3] + [4] * 20 + [5]
    assert numbers(path, fps=10) == [0, 2, 2, 2] + [4] * 7


def test_wanted_rate(tmp_path):
    path = make_video(tmp_path / "v.mkv", numbered_frames(20), 30)
    reader = VideoReader(path, fps=25)
    shown = [frame_number(frame) for frame in reader]
    assert shown == [0, 1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 17, 18, 19]
    assert (reader.info.fps, reader.info.frames) == (25, 17)
    assert numbers(path, fps="60") == [k // 2 for k in range(40)]
    with pytest.raises(InputError, match="fps"):
        VideoReader(path, fps=0)


@pytest.mark.parametrize("suffix", ["avi", "mkv", "mp4"])
def test_a_thousand_frames_a_second_is_refused_or_resampled(tmp_path, suffix):
    path = make_video(tmp_path / f"k.{suffix}", numbered_frames(60), 1000, codec="mpeg4" if suffix == "avi" else "libx264")
    with pytest.raises(InputError, match=r"1000 frames a second.*240"):
        VideoReader(path)
    assert len(list(VideoReader(path, fps=25))) in (1, 2)


def test_a_header_that_lies_about_the_rate_is_not_believed(tmp_path):
    """The header says 1000 frames a second, the time stamps 25."""
    times = [Fraction(k, 25) for k in range(12)]
    path = make_video(tmp_path / "k.mkv", numbered_frames(12), 1000, times=times, time_base=Fraction(1, 1000))
    assert probe(path).fps == 25
    assert numbers(path) == list(range(12))


def test_a_header_with_rate_zero(tmp_path):
    """An AVI whose main header (microseconds a frame) and stream header (rate) say 0."""
    path = make_video(tmp_path / "z.avi", numbered_frames(6), 25, codec="mjpeg", pix_fmt="yuvj420p")
    data = bytearray(path.read_bytes())
    main, stream = data.index(b"avih") + 8, data.index(b"strh") + 8
    data[main : main + 4] = bytes(4)
    data[stream + 24 : stream + 28] = bytes(4)
    path.write_bytes(data)
    info = probe(path)
    assert 0 < info.fps <= 240
    assert 1 <= len(numbers(path)) <= 12


@pytest.mark.parametrize("late", ["picture", "sound", "neither"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_flash_and_click_stay_together(tmp_path, suffix, late):
    """A flash and a click at second 1 of the file's clock, one of the tracks starting 0.2 s late."""
    video_start = Fraction(1, 5) if late == "picture" else Fraction(0)
    sound_start = 0.2 if late == "sound" else 0.0
    frames = [np.zeros((48, 64, 3), np.uint8) for _ in range(40)]
    frames[25 - round(video_start * 25)][:] = 255
    path = make_video(
        tmp_path / f"s.{suffix}",
        frames,
        video_start=video_start,
        time_base=Fraction(1, 600),
        audio=click(1.6, 1 - sound_start),
        sample_rate=48000,
        audio_start=sound_start,
    )
    flash = int(np.argmax([frame.mean() for frame in VideoReader(path)]))
    samples, rate = decode_audio(path)
    assert flash == 25
    assert abs(np.argmax(np.abs(samples[0]) > 0.3) / rate - 1.0) < 0.002


def test_reader_is_iterable_twice_and_frames_belong_to_the_caller(tmp_path):
    path = make_video(tmp_path / "v.mp4", numbered_frames(3), 10)
    reader = VideoReader(path, fps=30)
    for _ in range(2):
        shown = []
        for frame in reader:
            shown.append(frame_number(frame))
            frame[:] = 0
        assert shown == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    with reader:
        stream = iter(reader)
        next(stream)
    assert list(stream) == []
    with pytest.raises(ValueError, match="closed"):
        iter(reader)


@pytest.mark.parametrize(
    "name", ['-o \'quoted "x".mp4', "ünï çødé 口.mp4", "100%d %s.mp4", "a:b?c&d=#.mp4", "  .mp4", "$(x);`y`.mp4"]
)
def test_any_file_name(tmp_path, monkeypatch, name):
    make_video(tmp_path / "plain.mp4", numbered_frames(2), audio=tone(0.2), sample_rate=16000)
    os.rename(tmp_path / "plain.mp4", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert numbers(name) == [0, 1]
    assert decode_audio(name)[1] == 16000


def test_memory_does_not_grow_with_length(tmp_path):
    """Ten times the frames of 480x360 (0.5 MB each) need at most 20 MB more."""
    code = (
        "import sys, resource\nfrom media import VideoReader\n"
        "print(sum(1 for _ in VideoReader(sys.argv[1])), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for count in (40, 400):
        frame = four_corners(480, 360)
        path = make_video(tmp_path / f"{count}.mp4", [frame] * count, options={"preset": "ultrafast"})
        done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
        frames, peak = map(int, done.stdout.split())
        assert frames == count
        peaks.append(peak / 1024)
    assert peaks[1] - peaks[0] < 20


@pytest.mark.media
def test_real_clips(shared_media):
    grid = shared_media / "grid/s1/video/bbaf2n.mpg"
    assert probe(grid).fps == 25
    assert sum(1 for _ in VideoReader(grid)) == 75
    assert decode_audio(grid)[0].shape == (2, 131328)
    phone = shared_media / "clips/other/face1.mp4"
    assert probe(phone).fps == 30
    assert sum(1 for _ in VideoReader(phone)) == 183

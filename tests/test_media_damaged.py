"""Reading files that are no media, cut short, or damaged."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from media import VideoReader, decode_audio, probe
from tests.make_media import frame_number, make_video, make_wav, numbered_frames, tone

ROOT = Path(__file__).resolve().parents[1]

TEXTS = {
    "empty": b"",
    "two letters": b"hi",
    "text": b"hello world\n" * 2000,
    "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\nhi\n\n" * 50,
    "zeros": bytes(50000),
    "noise": np.random.default_rng(0).integers(0, 256, 50000, dtype=np.uint8).tobytes(),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>' * 9,
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("suffix", ["mp4", "txt", "png"])
def test_what_is_no_video_is_refused_by_name(tmp_path, kind, suffix):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(TEXTS[kind])
    for reading in (probe, VideoReader, decode_audio):
        with pytest.raises(InputError, match=r"x\."):
            reading(path)


def test_playlists_are_not_followed(tmp_path):
    secret = make_video(tmp_path / "real.ts", numbered_frames(3))
    for name, text in (
        ("hls.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", f"ffconcat version 1.0\nfile '{secret}'\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError):
            probe(tmp_path / name)


def test_missing_file_folder_and_sound_without_picture(tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path, make_wav(tmp_path / "s.wav", tone(), 16000)):
        with pytest.raises(InputError, match=path.name):
            probe(path)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """60 noisy frames, so that a cut or a burst of wrong bytes lies inside some frame."""
    rng = np.random.default_rng(1)
    frames = [
        np.clip(f.astype(int) + rng.integers(-20, 20, f.shape), 0, 255).astype(np.uint8) for f in numbered_frames(60, 160, 120)
    ]
    folder = tmp_path_factory.mktemp("long")
    sound = {"audio": tone(2.4), "sample_rate": 16000}
    make_video(folder / "tail.mp4", frames, **sound)
    make_video(folder / "head.mp4", frames, **sound, container_options={"movflags": "faststart"})
    make_video(folder / "m.mkv", frames)
    return folder


def test_mp4_without_its_index_is_refused(long_clip, tmp_path):
    data = (long_clip / "tail.mp4").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 6 // 10])
    for reading in (probe, VideoReader, decode_audio):
        with pytest.raises(InputError, match=r"cut\.mp4.*cut short"):
            reading(cut)


@pytest.mark.parametrize("name", ["head.mp4", "m.mkv"])
def test_file_cut_short_gives_what_decodes_and_says_so(long_clip, tmp_path, caplog, name):
    data = (long_clip / name).read_bytes()
    cut = tmp_path / f"cut_{name}"
    cut.write_bytes(data[: len(data) * 6 // 10])
    reader = VideoReader(cut)
    with caplog.at_level(logging.WARNING):
        shown = [frame_number(frame) for frame in reader]
    assert 25 <= len(shown) <= 40
    assert shown[:20] == [k % 22 for k in range(20)]
    assert "cut short" in reader.damage
    assert any("cut short" in record.getMessage() and cut.name in record.getMessage() for record in caplog.records)


def test_damaged_place_in_the_middle_keeps_the_length(long_clip, tmp_path):
    data = bytearray((long_clip / "head.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(2).integers(0, 256, 2000, dtype=np.uint8).tobytes()
    path = tmp_path / "dam.mp4"
    path.write_bytes(data)
    reader = VideoReader(path)
    assert len(list(reader)) == 60
    assert reader.damage


def test_whole_file_reports_no_damage(long_clip):
    reader = VideoReader(long_clip / "head.mp4")
    assert sum(1 for _ in reader) == 60
    assert reader.damage is None


def test_ffmpeg_says_nothing_on_the_terminal(long_clip, tmp_path):
    data = bytearray((long_clip / "head.mp4").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    (tmp_path / "d.mp4").write_bytes(data)
    code = (
        "import sys, logging\nlogging.disable(logging.WARNING)\n"
        "from media import VideoReader, VideoWriter, decode_audio\n"
        "frames = list(VideoReader(sys.argv[1])); sound, rate = decode_audio(sys.argv[1])\n"
        "with VideoWriter(sys.argv[2], width=160, height=120, fps=25, audio=sound, sample_rate=rate) as writer:\n"
        "    [writer.write(frame) for frame in frames]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "d.mp4"), str(tmp_path / "o.mp4")], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

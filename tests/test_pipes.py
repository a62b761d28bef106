"""Pipes as input: `<(...)`, /dev/stdin and named pipes."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from common import pipes
from common.errors import InputError
from common.files import content_hash, require_file
from media import VideoReader, decode_audio, probe
from pipeline.options import Job
from tests.make_media import make_video, make_wav, numbered_frames, tone

ROOT = Path(__file__).resolve().parents[1]


def piped(path, data):
    """A named pipe at `path` into which a thread writes `data`, once."""
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(data,), daemon=True).start()
    return path


def test_sound_through_a_pipe_is_read_twice(tmp_path):
    make_wav(tmp_path / "a.wav", tone(0.5), 16000)
    pipe = piped(tmp_path / "pipe", (tmp_path / "a.wav").read_bytes())
    for _ in range(2):
        assert np.array_equal(decode_audio(pipe)[0], decode_audio(tmp_path / "a.wav")[0])
    assert content_hash(pipe) == content_hash(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["v.mp4", "v.png"])
def test_a_face_through_a_pipe(tmp_path, name):
    if name == "v.mp4":
        make_video(tmp_path / name, numbered_frames(5))
    else:
        from PIL import Image

        Image.new("RGB", (64, 48), (9, 99, 200)).save(tmp_path / name)
    pipe = piped(tmp_path / "pipe", (tmp_path / name).read_bytes())
    assert probe(pipe).frames == probe(tmp_path / name).frames
    for _ in range(2):
        pairs = zip(VideoReader(pipe), VideoReader(tmp_path / name), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs)


def test_a_job_takes_pipes(tmp_path):
    make_wav(tmp_path / "a.wav", tone(0.5), 16000)
    (tmp_path / "face.png").write_bytes(b"x")
    audio = piped(tmp_path / "pipe", (tmp_path / "a.wav").read_bytes())
    assert Job.of(tmp_path / "face.png", audio, tmp_path / "o.mp4").audio == audio


def test_a_program_hears_stdin_and_leaves_nothing_behind(tmp_path):
    make_wav(tmp_path / "a.wav", tone(0.5), 16000)
    code = "from media import decode_audio; print(decode_audio('/dev/stdin')[0].shape, decode_audio('/dev/stdin')[1])"
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    how = {"input": (tmp_path / "a.wav").read_bytes(), "cwd": ROOT, "env": environment, "capture_output": True}
    done = subprocess.run([sys.executable, "-c", code], check=True, **how)
    assert done.stdout.decode().strip() == "(1, 8000) 16000"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="empty: the pipe is empty .audio"):
        decode_audio(piped(tmp_path / "empty", b""))
    with pytest.raises(InputError, match="/dev/null: the pipe is empty"):
        decode_audio("/dev/null")
    with pytest.raises(InputError, match="is a pipe or a device; list of jobs must be a file"):
        require_file(piped(tmp_path / "list", b"face,audio"), "list of jobs")
    monkeypatch.setattr(pipes, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="through the pipe; write them to a file first"):
        decode_audio("/dev/zero")
    leader, follower = os.openpty()
    try:
        with pytest.raises(InputError, match="is a terminal; audio comes from a file or a pipe"):
            decode_audio(os.ttyname(follower))
    finally:
        os.close(leader)
        os.close(follower)

"""Pipes as input: `<(...)`, /dev/stdin and named pipes."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from common import pipes
from common.errors import InputError
from common.files import content_hash
from media import VideoReader, decode_audio, probe
from pipeline.jobs.table import read_jobs
from pipeline.options import Job
from speech.text.files import read_text
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


def test_a_list_of_jobs_through_a_pipe(tmp_path):
    (row,) = read_jobs(piped(tmp_path / "list", b"face,audio,outfile\na.mp4,a.wav,o.mp4\n")).rows
    assert (row.face, row.audio, row.outfile) == ("a.mp4", "a.wav", "o.mp4")
    with pytest.raises(InputError, match="list of jobs"):
        read_jobs(piped(tmp_path / "empty", b""))


def test_a_program_that_is_ended_leaves_nothing_behind(tmp_path):
    """SIGTERM ends Python without a word; what came through the pipe goes with it, as it does when the signal cuts it short."""
    (tmp_path / "tmp").mkdir()
    code = "import time; from common.files import require_file; from common.pipes import readable\n"
    code += "require_file('/dev/stdin', 'audio', pipes=True)\nprint(open(readable('/dev/stdin')).read(), flush=True)\n"
    code += "time.sleep(60)"
    how = {"cwd": ROOT, "env": {**os.environ, "TMPDIR": str(tmp_path / "tmp")}, "stdin": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, **how) as program:
        program.stdin.write(b"whole\n")
        program.stdin.close()
        assert program.stdout.readline() == b"whole\n"
        program.terminate()
    assert program.returncode == -signal.SIGTERM and list((tmp_path / "tmp").iterdir()) == []


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
    os.mkfifo(tmp_path / "text")
    with pytest.raises(InputError, match="text: is a pipe or a device; transcript must be a file"):
        read_text(tmp_path / "text", "transcript")
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


def test_a_terminal_that_is_refused_does_not_end_a_program_without_one():
    """A program that leads its session, as a container's first one does, survives the end of a terminal that it was given."""
    code = "import os; from common.errors import InputError; from common.pipes import spool\n"
    code += "leader, follower = os.openpty()\ntry:\n    spool(os.ttyname(follower), 'audio')\nexcept InputError:\n    pass\n"
    code += "os.close(leader)\nos.close(follower)\nprint('alive')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, start_new_session=True)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr

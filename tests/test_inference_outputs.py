"""Where results go: never over an input, whole or not at all, also when the job is interrupted."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from media import probe
from tests.inference_kit import job_on, tone, write_small_job, write_wav

ROOT = Path(__file__).parents[1]
BOX = ("--box", "40", "180", "70", "190")  # needs no detector, so a test of something else is quick


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return write_small_job(tmp_path_factory.mktemp("kit"))


@pytest.fixture
def job(kit, tmp_path):
    """Runs inference.py on the kit, see `job_on`; its result goes to the folder `out`."""
    (tmp_path / "out").mkdir()
    return job_on(kit, tmp_path / "out" / "result.mp4")


def test_a_folder_that_does_not_exist_is_made(job, tmp_path):
    target = tmp_path / "out" / "deep" / "deeper" / "r.mp4"
    assert job(*BOX, outfile=target) == 0
    assert probe(target).frames == 10
    assert [path.name for path in target.parent.iterdir()] == ["r.mp4"]


def test_a_place_that_cannot_be_written(refused, tmp_path):
    (tmp_path / "file").write_text("kept")
    assert str(tmp_path / "file") in refused(*BOX, outfile=tmp_path / "file" / "r.mp4")
    assert (tmp_path / "file").read_text() == "kept"
    if Path("/proc/self").is_dir():
        assert "/proc" in refused(*BOX, outfile="/proc/nowhere/r.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert "is a folder" in refused(*BOX, outfile=tmp_path / "folder.mp4")


def test_outputs_that_can_be_no_file(refused, job, tmp_path):
    assert "a name of 304 bytes, and this disk takes 255; give a shorter --outfile" in refused(outfile=f"{'x' * 300}.mp4")
    assert "/dev/null: is a device" in refused(outfile="/dev/null") and "is a stream" in refused(outfile="/dev/stdout")
    (tmp_path / "deep").mkdir()
    (tmp_path / "link.mp4").symlink_to("deep/real.mp4")
    assert job(*BOX, outfile=tmp_path / "link.mp4") == 0
    assert (tmp_path / "link.mp4").is_symlink() and probe(tmp_path / "deep" / "real.mp4").frames == 10


def test_no_home_folder_keeps_no_tracks(job, monkeypatch, tmp_path):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert job(*BOX, cache_dir=None) == 0


@pytest.mark.parametrize("name", ["r.avi", "r", "r.txt"])
def test_a_name_that_says_no_known_kind(refused, tmp_path, name):
    assert ".mp4" in refused(*BOX, outfile=tmp_path / "out" / name)


@pytest.mark.parametrize("which", ["face", "audio"])
@pytest.mark.parametrize("link", ["itself", "symlink", "hardlink", "roundabout"])
def test_an_output_that_is_an_input(job, kit, tmp_path, capsys, which, link):
    source = tmp_path / f"{which}.mp4"
    shutil.copy(kit / "face.mp4", source)
    before, target = source.read_bytes(), tmp_path / "out" / "r.mp4"
    if link == "itself":
        target = source
    elif link == "symlink":
        target.symlink_to(source)
    elif link == "hardlink":
        os.link(source, target)
    else:
        target = tmp_path / "out" / ".." / source.name
    assert job(*BOX, **{which: source}, outfile=target) == 2
    assert "same file as the input" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_the_checkpoint_is_an_input_too(job, kit, tmp_path, capsys):
    checkpoint = tmp_path / "weights.mp4"
    shutil.copy(kit / "own.safetensors", checkpoint)
    assert job(*BOX, checkpoint_path=checkpoint, outfile=checkpoint) == 2
    assert "same file" in capsys.readouterr().err
    assert checkpoint.read_bytes() == (kit / "own.safetensors").read_bytes()


def test_an_existing_output_is_replaced_only_by_a_whole_one(job, kit, tmp_path, monkeypatch):
    target = tmp_path / "out" / "result.mp4"
    target.write_bytes(b"the old result")
    assert job(*BOX, audio=kit / "own.safetensors") == 2
    assert target.read_bytes() == b"the old result"

    from media.writer import VideoWriter

    write, written = VideoWriter.write, []

    def breaks_down(self, frame):
        if len(written) == 5:
            raise MemoryError("in the middle")
        written.append(write(self, frame))

    monkeypatch.setattr(VideoWriter, "write", breaks_down)
    with pytest.raises(MemoryError):
        job(*BOX)
    assert [path.name for path in target.parent.iterdir()] == ["result.mp4"]
    assert target.read_bytes() == b"the old result"
    monkeypatch.undo()
    assert job(*BOX) == 0
    assert probe(target).frames == 10


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_an_interrupt_in_the_middle_leaves_nothing(kit, tmp_path, kind):
    out = tmp_path / "out"
    audio = write_wav(tmp_path / "long.wav", tone(400))
    command = [sys.executable, "inference.py", "--face", kit / "face.mp4", "--audio", audio, "--outfile", out / "r.mp4"]
    command += ["--checkpoint_path", kit / "own.safetensors", "--no_cache", *BOX]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)
    try:
        deadline = time.monotonic() + 150
        while not any(path.stat().st_size for path in (out.iterdir() if out.exists() else ())):
            assert process.poll() is None and time.monotonic() < deadline, "the job did not come to write anything"
            time.sleep(0.05)
        os.kill(process.pid, kind)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert list(out.iterdir()) == []
    assert b"interrupted" in said and b"Traceback" not in said

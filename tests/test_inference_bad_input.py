"""Whatever a user gives: one clear line and exit code 2, nothing half-written, nothing lost. Some odd input simply works."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from media import decode_audio, probe
from models import build_model
from tests.inference_kit import (
    OWN,
    blank,
    infer,
    moving_portrait,
    portrait,
    save_tiny,
    tone,
    write_float_wav,
    write_video,
    write_wav,
)
from training.checkpoint import save_checkpoint

ROOT = Path(__file__).parents[1]
BOX = ("--box", "40", "180", "70", "190")  # needs no detector, so a test of something else is quick


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """Folder with own.safetensors, face.mp4 (6 frames), face.png, a.wav (0.4 s)."""
    folder = tmp_path_factory.mktemp("kit")
    save_tiny(folder / "own.safetensors", OWN)
    write_video(folder / "face.mp4", moving_portrait(6), audio=tone(0.24))
    Image.fromarray(portrait()).save(folder / "face.png")
    write_wav(folder / "a.wav", tone(0.4))
    return folder


@pytest.fixture
def job(kit, tmp_path):
    """Run inference on the kit, with the flags given by name in place of the usual ones; returns the exit code."""
    (tmp_path / "out").mkdir()

    def run_it(*flags, **named):
        named = {"face": kit / "face.mp4", "audio": kit / "a.wav", "outfile": tmp_path / "out" / "result.mp4", **named}
        named = {"checkpoint_path": kit / "own.safetensors", "cache_dir": kit / "cache", **named}
        return infer(*(f"--{name}={value}" for name, value in named.items() if value is not None), *flags)

    return run_it


@pytest.fixture
def refused(job, tmp_path, capfd):
    """The one line that the user sees, after checking that the job was refused and left nothing behind."""

    def run_it(*flags, **named):
        capfd.readouterr()
        assert job(*flags, **named) == 2
        said = capfd.readouterr()
        lines = [line for line in said.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 and "Traceback" not in said.err and not said.out
        assert list((tmp_path / "out").iterdir()) == []
        return lines[0]

    return run_it


# Files that are not what they are called


@pytest.mark.parametrize("which", ["face", "audio", "checkpoint_path"])
def test_a_missing_file_an_empty_one_and_a_folder(refused, tmp_path, which):
    path = tmp_path / "thing.mp4"
    assert str(path) in (line := refused(**{which: path})) and "no such file" in line
    path.touch()
    assert str(path) in (line := refused(**{which: path})) and "empty" in line
    line = refused(**{which: tmp_path})  # faces and sounds may be folders, but then the output must be one
    assert ("is a folder" if which == "checkpoint_path" else "result.mp4: is the name of a file; with a folder") in line


def test_a_text_file_called_mp4(refused, tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("this is no video\n" * 50)
    assert str(path) in refused(face=path)
    assert str(path) in refused(audio=path)


def test_a_truncated_mp4(refused, kit, tmp_path):
    whole = (kit / "face.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    index_first = refused(*BOX, face=path, audio=path)
    assert str(path) in index_first
    path.write_bytes(whole[:600])
    assert str(path) in refused(face=path)


def test_a_damaged_picture(refused, kit, tmp_path):
    path = tmp_path / "cut.png"
    path.write_bytes((kit / "face.png").read_bytes()[:20000])
    assert str(path) in refused(*BOX, face=path)


# Faces


def test_a_video_without_a_face_anywhere(refused, tmp_path):
    path = write_video(tmp_path / "wall.mp4", [blank()] * 4)
    assert f"{path}: no face found in any of the 4 frames" in refused(face=path)


def test_a_face_in_some_frames_only_works(job, tmp_path, capsys):
    path = write_video(tmp_path / "some.mp4", [blank()] * 4 + moving_portrait(4) + [blank()] * 2)
    assert job(face=path) == 0
    assert "no face in 6 frames of the face video, left as they are: 0-3, 8-9" in capsys.readouterr().out


def test_a_picture_of_one_pixel(refused, tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    assert "dot.png: no face found in the picture" in refused(face=tmp_path / "dot.png")


def test_a_picture_of_8000_by_8000_is_refused_with_the_way_out(refused, job, tmp_path):
    path = tmp_path / "vast.jpg"
    Image.fromarray(portrait()).resize((8000, 8000), Image.Resampling.NEAREST).save(path, quality=60)
    assert "--resize_factor" in refused(face=path)
    assert job("--resize_factor", "20", face=path) == 0
    assert probe(tmp_path / "out" / "result.mp4").width == 400


def test_more_faces_asked_for_than_there_are(refused):
    assert "--face_index 5" in refused("--face_index", "5", "--no_cache")


@pytest.mark.parametrize(
    "box", ["0 300 0 100", "0 100 200 257", "50 50 10 90", "90 20 10 90", "-5 100 0 100", "0 2 0 2"], ids=lambda box: box
)
def test_a_box_outside_the_frame(refused, box):
    assert f"--box {box}" in refused("--box", *box.split())


# Audio


def test_a_video_without_sound_as_audio(refused, tmp_path):
    path = write_video(tmp_path / "mute.mp4", moving_portrait(2))
    assert f"{path}: has no sound track" in refused(audio=path)


def test_zero_length_audio(refused, tmp_path):
    path = write_wav(tmp_path / "nothing.wav", np.zeros((1, 0), np.float32))
    assert str(path) in refused(audio=path)


def test_audio_with_nan(refused, tmp_path):
    samples = tone(0.4)
    samples[0, 100] = np.nan
    path = write_float_wav(tmp_path / "nan.wav", samples)
    assert str(path) in (line := refused(audio=path)) and "NaN" in line


@pytest.mark.parametrize(
    ("name", "samples", "rate"),
    [
        ("silent", np.zeros((1, 6400), np.float32), 16000),
        ("8 channels", tone(0.4, channels=8), 16000),
        ("8 kHz", tone(0.4, rate=8000), 8000),
        ("one sample", np.full((1, 1), 0.5, np.float32), 16000),
        ("odd rate", tone(0.4, rate=37000), 37000),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_odd_audio_works(job, tmp_path, name, samples, rate):
    assert job(*BOX, audio=write_wav(tmp_path / "odd.wav", samples, rate)) == 0
    info = probe(tmp_path / "out" / "result.mp4")
    assert info.frames == -(-samples.shape[1] * 25 // rate)
    heard, _ = decode_audio(tmp_path / "out" / "result.mp4")
    assert len(heard) == min(2, len(samples))
    assert np.abs(heard).max() < 0.01 if name == "silent" else np.isfinite(heard).all()


def test_clipping_audio_works(job, tmp_path):
    assert job(*BOX, audio=write_float_wav(tmp_path / "loud.wav", tone(0.4) * 20)) == 0
    heard, _ = decode_audio(tmp_path / "out" / "result.mp4")
    assert np.abs(heard).max() <= 1


# Frame rates in the header


def patched_rate(source, target, rate):
    """A Y4M file whose header says `rate`, with frames of the video `source`."""
    from tests.inference_kit import read_video

    frames = read_video(source)
    height, width = frames.shape[1:3]
    with open(target, "wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{rate} Ip A1:1 Cmono\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + frame.mean(-1).astype(np.uint8).tobytes())
    return target


def test_a_thousand_frames_a_second_in_the_header(refused, kit, tmp_path):
    path = patched_rate(kit / "face.mp4", tmp_path / "fast.y4m", "1000:1")
    assert str(path) in (line := refused(*BOX, face=path)) and "1000" in line


def test_no_frames_a_second_in_the_header(job, kit, tmp_path, capsys):
    """ffmpeg itself may refuse such a header; then so do we. Otherwise a usable rate must come of it. Never a crash."""
    path = patched_rate(kit / "face.mp4", tmp_path / "zero.y4m", "0:0")
    code = job(*BOX, face=path)
    assert code in (0, 2)
    if code == 2:
        assert str(path) in capsys.readouterr().err
        assert list((tmp_path / "out").iterdir()) == []
    else:
        assert 0 < probe(tmp_path / "out" / "result.mp4").fps <= 240


@pytest.mark.parametrize("fps", ["0", "-5", "1000", "nan", "quick", "1/0"])
def test_fps_that_no_picture_can_have(refused, kit, fps):
    assert "--fps" in refused(*BOX, f"--fps={fps}", face=kit / "face.png")


# Outputs


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


EARLY = """
import sys
import inference
from common.cli import run
face, audio, weights, text, mute = sys.argv[1:]
for changed in ({"face": "absent.mp4"}, {"face": text}, {"audio": "absent.wav"}, {"audio": text}, {"audio": mute},
                {"checkpoint_path": "absent"}, {"checkpoint_path": text}, {"outfile": face}, {"outfile": "x" * 300 + ".mp4"},
                {"outfile": "r.avi"}, {"refiner": text}, {"transcript": "absent.txt"}, {"fps": "0"}, {"crop": "0 999 0 999"},
                {"detector_weights": "absent"}, {"paste": "hard"}):
    given = {"face": face, "audio": audio, "checkpoint_path": weights, "outfile": "r.mp4", **changed}
    words = [word for name, value in given.items() for word in (f"--{name}", *(value.split() if name == "crop" else [value]))]
    assert run(inference.main, words) == 2, changed
print("torch" in sys.modules)
"""


def test_mistakes_are_told_before_torch_is_imported(kit, tmp_path):
    """Torch alone takes longer to import than all of these checks together."""
    (tmp_path / "text.mp4").write_text("no video\n" * 50)
    write_video(tmp_path / "mute.mp4", moving_portrait(2))
    given = [kit / "face.mp4", kit / "a.wav", kit / "own.safetensors", tmp_path / "text.mp4", tmp_path / "mute.mp4"]
    command = [sys.executable, "-c", EARLY, *map(str, given)]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
    assert len(done.stderr.splitlines()) == 16 and all(line.startswith("error: ") for line in done.stderr.splitlines())


def test_an_alignment_that_cannot_be_read_is_told_before_the_face_is_looked_for(refused, kit, tmp_path, monkeypatch):
    from pipeline.drivers.mouth import MouthDriver

    def look_for_it(*_, **__):
        raise AssertionError("the words come first")

    monkeypatch.setattr("pipeline.drive.prepare", look_for_it)
    monkeypatch.setattr(MouthDriver, "uses_words", True)
    (tmp_path / "odd.align").write_text("no times in here")
    assert "odd.align" in refused(f"--align={tmp_path / 'odd.align'}")


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


# Checkpoints


def test_wrong_and_truncated_checkpoints(refused, kit, tmp_path):
    whole = (kit / "own.safetensors").read_bytes()
    path = tmp_path / "weights.pth"
    for content in (b"hello", whole[: len(whole) // 2], whole[:100], b"<html>not found</html>", b"PK\x03\x04" + b"0" * 500):
        path.write_bytes(content)
        assert str(path) in refused(*BOX, checkpoint_path=path)
    assert str(kit / "a.wav") in refused(*BOX, checkpoint_path=kit / "a.wav")


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch '{self.target}'",)


@pytest.mark.parametrize("how", ["torch", "old torch", "pickle"])
def test_a_hostile_checkpoint_is_not_run(refused, tmp_path, how):
    path, trap = tmp_path / "weights.pth", tmp_path / "trap"
    content = {"state_dict": {"a": torch.zeros(2), "b": Hostile(trap)}}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    assert str(path) in refused(*BOX, checkpoint_path=path)
    assert not trap.exists()


def test_a_checkpoint_that_does_not_fit(refused, tmp_path):
    path = tmp_path / "weights.pth"
    state = build_model({"name": "wav2lip", "width": 0.25}).state_dict()
    torch.save({"state_dict": state}, path)
    assert str(path) in refused(*BOX, checkpoint_path=path)
    state.pop("output_block.1.weight")
    torch.save({"state_dict": state}, path)
    assert str(path) in refused(*BOX, checkpoint_path=path)
    expert = {"name": "syncnet_color", "width": 0.25}
    save_checkpoint(tmp_path / "expert.safetensors", build_model(expert), {"model": expert, "data": {}, "training": {}})
    assert "expert" in refused(*BOX, checkpoint_path=tmp_path / "expert.safetensors")


# Flags


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--loop", "twice"], "--loop"),
        (["--compat", "sadtalker"], "--compat"),
        (["--reference", "newest"], "--reference"),
        (["--detector", "eyes"], "--detector"),
        (["--device", "tpu"], "--device"),
        (["--precision", "fp16", "--device", "cpu"], "--precision"),
        (["--precision", "int8"], "--precision"),
        (["--face_near", "here"], "--face_near"),
        (["--face_near", "nan,4"], "--face_near nan,4: must be two numbers of pixels"),
        (["--face_near", "1,2", "--face_index", "0"], "--face_near"),
        (["--face_index=-1"], "--face_index"),
        (["--static", "perhaps"], "--static"),
        (["--pads", "1", "2"], "--pads"),
        (["--resize_factor", "0"], "resize_factor"),
        (["--resize_factor", "1000"], "resize_factor"),
        (["--crop", "0", "999", "0", "-1"], "crop"),
        (["--wav2lip_batch_size", "0"], "--wav2lip_batch_size"),
        (["--face_det_batch_size", "0"], "--face_det_batch_size"),
        (["--threads", "0"], "--threads"),
        (["--colour", "red"], "--colour"),
        (["--audio"], "--audio"),
        (["--paste", "laplacien"], "--paste"),
        (["--paste", "laplacien"], "did you mean laplacian"),
        (["--paste", "hard"], "feather, laplacian, poisson"),
        (["--paste"], "--paste"),
        (["--optimise_face=much"], "--optimise_face"),
        (["--optimise_faces"], "did you mean --optimise_face"),
        (["--optimise_face", "--compat", "wav2lip"], "--optimise_face"),
        (["--paste", "poisson", "--compat", "wav2lip"], "--paste"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_flags_that_make_no_sense(refused, flags, word):
    assert word in refused(*flags)


def test_what_is_missing_is_named(refused):
    assert "--face" in refused(face=None)
    assert "--audio" in refused(audio=None)


# Names of files


@pytest.mark.parametrize(
    "name",
    ["with space", 'it\'s "quoted"', "größe 声音", "-dash", "--face", "a:b", "100%d", "$(touch x);", "new\nline", "file:x"],
)
def test_names_of_any_kind(job, kit, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    for source in ("face.mp4", "a.wav", "own.safetensors"):
        shutil.copy(kit / source, folder / f"{name}{Path(source).suffix}")
    target = folder / f"{name} out.mp4"
    assert (
        job(
            *BOX,
            face=folder / f"{name}.mp4",
            audio=folder / f"{name}.wav",
            checkpoint_path=folder / f"{name}.safetensors",
            outfile=target,
        )
        == 0
    )
    assert probe(target).frames == 10
    assert len(list(folder.iterdir())) == 4


def test_leading_dashes_after_a_space_in_a_relative_path(kit, tmp_path, monkeypatch):
    shutil.copy(kit / "face.mp4", tmp_path / "-face.mp4")
    shutil.copy(kit / "a.wav", tmp_path / "--a.wav")
    monkeypatch.chdir(tmp_path)
    flags = [
        "--face",
        "-face.mp4",
        "--audio",
        "--a.wav",
        "--outfile",
        "-out/-r.mp4",
        "--checkpoint_path",
        kit / "own.safetensors",
    ]
    assert infer(*flags, "--no_cache", *BOX) == 0
    assert probe(tmp_path / "-out" / "-r.mp4").frames == 10


# Ctrl-C


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

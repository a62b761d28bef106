"""Files that inference.py cannot use: one clear line and exit code 2, and nothing half-written. Some odd files simply work."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from media import decode_audio, probe
from models import build_model
from tests.inference_kit import (
    blank,
    job_on,
    moving_portrait,
    portrait,
    tone,
    write_float_wav,
    write_small_job,
    write_video,
    write_wav,
)
from training.checkpoint import save_checkpoint

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

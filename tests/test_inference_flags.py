"""Flags of inference.py that make no sense are named before any work; paths of any name are taken."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from media import probe
from tests.inference_kit import infer, job_on, moving_portrait, write_small_job, write_video

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


def test_more_faces_asked_for_than_there_are(refused):
    assert "--face_index 5" in refused("--face_index", "5", "--no_cache")


@pytest.mark.parametrize(
    "box", ["0 300 0 100", "0 100 200 257", "50 50 10 90", "90 20 10 90", "-5 100 0 100", "0 2 0 2"], ids=lambda box: box
)
def test_a_box_outside_the_frame(refused, box):
    assert f"--box {box}" in refused("--box", *box.split())


@pytest.mark.parametrize("fps", ["0", "-5", "1000", "nan", "quick", "1/0"])
def test_fps_that_no_picture_can_have(refused, kit, fps):
    assert "--fps" in refused(*BOX, f"--fps={fps}", face=kit / "face.png")


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

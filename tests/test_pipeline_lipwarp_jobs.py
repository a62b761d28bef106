"""Jobs with a lip motion network: rates, portraits, frames that are not drawn, and what it refuses."""

import numpy as np
import pytest

from common.errors import InputError
from media import VideoReader, probe, read_metadata
from pipeline.drivers import load_driver
from tests.conftest import ROOT
from tests.inference_kit import blank, infer, planned, portrait, read_video
from tests.lipwarp_kit import write_clips


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("lipwarp"))


@pytest.fixture(scope="module")
def driver(kit):
    return load_driver(kit / "motion.safetensors", device="cpu")


@pytest.fixture
def job(kit, tmp_path):
    """Run inference on the kit; returns the exit code."""

    def run_it(*flags, face="face.mp4", audio="short.wav", checkpoint="motion"):
        return infer("--face", kit / face, "--audio", kit / audio, "--checkpoint_path", kit / f"{checkpoint}.safetensors",
                     "--outfile", tmp_path / "r.mp4", "--cache_dir", kit / "cache", *flags)  # fmt: skip

    return run_it


@pytest.mark.parametrize(("face", "frames"), [("ntsc.mp4", 6), ("face.png", 5)])
def test_rates_and_portraits(job, kit, tmp_path, face, frames):
    assert job("--amplitude", 1.5, face=face) == 0
    info, tags = probe(tmp_path / "r.mp4"), read_metadata(tmp_path / "r.mp4")
    assert info.frames == frames and info.fps == (probe(kit / "ntsc.mp4").fps if face == "ntsc.mp4" else 25)
    assert tags["synthetic"] == "true" and tags["amplitude"] == "1.5" and "lips generated" in tags["comment"]
    if face == "face.png":
        made = read_video(tmp_path / "r.mp4").astype(int)
        assert np.abs(made - portrait())[:, :90].mean() < 3 < np.abs(np.diff(made, axis=0)).max()


def test_frames_without_a_face_stay_as_they_are(job, tmp_path, capsys):
    assert job(face="gap.mp4", audio="a.wav") == 0
    assert "no face in 12 frames of the face video, left as they are: 8-19" in capsys.readouterr().out
    with VideoReader(tmp_path / "r.mp4") as reader:
        assert np.abs(list(reader)[14].astype(int) - blank()).max() < 12


@pytest.mark.parametrize(
    ("flags", "how", "words"),
    [
        (("--box", 60, 200, 40, 180), {}, "--box: motion.safetensors moves the landmarks of a face"),
        (("--compat", "wav2lip"), {}, "--compat wav2lip: this kind of checkpoint"),
        (("--amplitude", 9), {}, "--amplitude 9: must be from 0"),
        (("--amplitude", -1), {}, "--amplitude -1: must be from 0"),
        (("--source_gap", -2), {}, "--source_gap -2: must be"),
        (("--source_gap", 5), {"face": "face.png"}, "--source_gap 5: a picture, or --static, has one frame alone"),
        (("--source_gap", 5, "--static"), {}, "--source_gap 5: a picture, or --static, has one frame alone"),
        (("--source_gap", 50), {}, "too short to draw each frame from others at least 50 frames away"),
        (("--reference", 99), {}, "--reference 99"),
        (("--refiner", "nowhere.safetensors"), {}, "nowhere.safetensors"),
        (("--refiner", ROOT / "checkpoints" / "lip_landmarks.safetensors"), {}, "lip_landmarks.safetensors: "),
        (("--refiner", ROOT / "checkpoints" / "lip_refiner.safetensors"), {"checkpoint": "mouth"},
         "--refiner: mouth.safetensors draws pixels"),
        (("--amplitude", 2), {"checkpoint": "mouth"}, "--amplitude: mouth.safetensors draws pixels"),
        (("--source_gap", 5), {"checkpoint": "mouth"}, "--source_gap: mouth.safetensors draws pixels"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(job, capfd, flags, how, words):
    assert job(*flags, **how) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1 and words in said[0]


def test_pads_change_nothing_and_a_preview_shows_the_outline(job, tmp_path, capfd):
    assert job("--preview", "--pads", 0, 20, 0, 0) == 0
    said = capfd.readouterr()
    assert "so --pads changes nothing" in said.err and "r.png" in said.out and (tmp_path / "r.png").exists()


@pytest.fixture
def dropped(kit, monkeypatch):
    """jump.mp4, whose faces 3-5 are not believed, and whose frame of our choice would be among them."""
    def doubtful(track, fps):
        kept = track.present.copy()
        kept[3:6] = False
        return kept

    def chosen(track):
        return next(number for number in (4, 0, 1) if track.present[number])

    monkeypatch.setattr("faces.tracking.tracked.FaceTrack.believed", doubtful)
    for user in ("drivers.driver", "references.texture"):
        monkeypatch.setattr(f"pipeline.{user}.choose_references", lambda track: {0: chosen(track)})
    for user in ("drivers.own_frames", "preview"):
        monkeypatch.setattr(f"pipeline.{user}.choose_reference", chosen)


@pytest.mark.parametrize("flags", [(), ("--reference", "fixed"), ("--reference", "same"), ("--optimise_face",), ("--preview",)])
def test_a_frame_that_is_not_drawn_is_no_reference(job, dropped, flags, capfd):
    assert job(*flags) == 0
    said = capfd.readouterr().out
    if "--preview" not in flags:
        why = "because the face changes its size abruptly or lies outside the frame"
        assert f"not drawn in 2 frames, left as they are, {why}: 3-4" in said
        assert "no face" not in said
    else:
        assert ": frame 0 with the crop" in said


def test_a_reference_is_blamed_where_it_was_given_alone(job, kit, driver, dropped, capfd):
    assert job("--reference", 4) == 2
    assert "--reference 4: no face in that frame; choose another" in capfd.readouterr().err
    scene = planned(kit, driver, "face.mp4", "short.wav").scene
    with pytest.raises(InputError, match="^frame 4 of .*face.mp4: no face in that frame"):
        scene.pictures([4])


@pytest.mark.parametrize("outfile", ["/", "..", ".", "folder", "folder/.."])
def test_a_preview_needs_the_name_of_a_file(kit, tmp_path, monkeypatch, capfd, outfile):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    files = ("--face", kit / "face.mp4", "--checkpoint_path", kit / "motion.safetensors", "--cache_dir", kit / "cache")
    assert infer(*files, "--preview", "--outfile", outfile) == 2
    assert f"--outfile {outfile}: is a folder" in capfd.readouterr().err and len(list(tmp_path.iterdir())) == 1

"""The contract of drivers: which family, what may be asked of it, and a portrait method that fits as it is."""

import re
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import models
from common.errors import InputError
from faces.crops import AlignedCrop, CropSpec, plan_crops
from media import decode_audio, probe, read_metadata
from models import build_model
from pipeline import drivers
from pipeline.drivers import load_driver
from pipeline.drivers.mouth import MouthDriver
from pipeline.driving import DrivingVideo
from pipeline.frames import DrawnFrame
from pipeline.options import FaceOptions
from pipeline.output import CropOutput
from pipeline.plan import Plan
from pipeline.playback.source import FaceSource
from pipeline.tracking import TrackStore, prepare
from speech.windows import frame_count
from tests import whole_face_kit
from tests.conftest import ROOT
from tests.inference_kit import (
    OWN,
    PUBLIC,
    blank,
    infer,
    moving_portrait,
    portrait,
    read_video,
    save_tiny,
    tone,
    write_video,
    write_wav,
)
from training.checkpoint import save_checkpoint

SIDE = whole_face_kit.SIDE


def lit(count, low=0.4, high=1.0):
    """The portrait, from dim to bright."""
    return [np.rint(portrait() * share).astype(np.uint8) for share in np.linspace(low, high, count)]


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """face.png, face.mp4 (15 frames, 30 a second), drive.mp4 (20 frames with 0.8 s of sound), pose.mp4 (5 frames), a.wav."""
    folder = tmp_path_factory.mktemp("kit")
    Image.fromarray(portrait()).save(folder / "face.png")
    write_video(folder / "face.mp4", moving_portrait(15), fps=30)
    write_video(folder / "drive.mp4", lit(20), audio=tone(0.8))
    write_video(folder / "silent.mp4", lit(10))
    write_video(folder / "pose.mp4", lit(5, 1.0, 0.5))
    write_video(folder / "wall.mp4", [blank()] * 3, audio=tone(0.1))
    write_wav(folder / "a.wav", tone(0.4))
    save_tiny(folder / "mouth.safetensors", OWN)
    save_tiny(folder / "public.safetensors", PUBLIC)
    return folder


@pytest.fixture
def whole(kit, monkeypatch):
    """Path of a whole-face checkpoint, with its family registered."""
    whole_face_kit.register(monkeypatch)
    return whole_face_kit.save_whole_face(kit / "whole.safetensors")


@pytest.fixture
def job(kit, tmp_path):
    """Run inference on the kit; returns the exit code. Flags by name; files are those of the kit."""

    def run_it(*flags, checkpoint="whole", **named):
        named = {"face": "face.png", **named}
        paths = [part for name, value in named.items() if value for part in (f"--{name}", kit / value)]
        return infer(*paths, "--checkpoint_path", kit / f"{checkpoint}.safetensors", "--outfile", tmp_path / "out" / "r.mp4",
                     "--cache_dir", kit / "cache", *flags)  # fmt: skip

    (tmp_path / "out").mkdir()
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


def rising(values):
    return np.diff(values).min() > 0


def test_the_family_is_found_in_the_checkpoint(kit, whole, tmp_path):
    assert isinstance(load_driver(kit / "mouth.safetensors", device="cpu"), MouthDriver)
    driver = load_driver(whole, device="cpu")
    assert isinstance(driver, whole_face_kit.WholeFaceDriver)
    assert (driver.name, driver.precision, driver.crop.size) == ("whole.safetensors", "fp32", SIDE) and len(driver.sha256) == 64
    config = {"name": "syncnet_color", "width": 0.25}
    save_checkpoint(tmp_path / "x.safetensors", build_model(config), {"model": config, "data": {}, "training": {}})
    refused = r"x\.safetensors: holds .*\(syncnet_color\), which cannot draw .*wav2lip, lip_motion, whole_face"
    with pytest.raises(InputError, match=refused):
        load_driver(tmp_path / "x.safetensors", device="cpu")
    with pytest.raises(InputError, match="--compat wav2lip: this kind of checkpoint"):
        load_driver(whole, device="cpu", compat="wav2lip")


def test_a_checkpoint_of_a_family_that_is_not_there_is_refused(kit, whole, monkeypatch, refused):
    monkeypatch.undo()
    assert "model.name: 'whole_face' is not known" in refused(audio="a.wav")


def test_a_picture_follows_a_driving_video_and_is_pasted_back(job, kit, whole, tmp_path, capsys):
    assert job(drive="drive.mp4") == 0, capsys.readouterr().err
    out = tmp_path / "out" / "r.mp4"
    info = probe(out)
    assert (info.width, info.height, info.frames, info.fps) == (256, 256, 20, 25)
    heard, given = (decode_audio(path)[0][0] for path in (out, kit / "drive.mp4"))
    assert len(heard) == len(given) and np.corrcoef(heard, given)[0, 1] > 0.95, "the sound is that of the driving video"
    made = read_video(out).astype(int)
    assert rising(made[:, 90:130, 110:140].mean((1, 2, 3))), "each frame shows what its driving frame shows"
    assert max(np.abs(made[:, rows] - portrait()[rows]).mean() for rows in (slice(0, 20), slice(-20, None))) < 4
    (driver,) = whole_face_kit.MADE
    assert driver.log[:2] == [("listen", 20, False), ("look", (1, SIDE, SIDE, 3), False)], "once a job, and no TF32"
    draws = [entry for entry in driver.log if entry[0] == "draw"]
    assert sum(entry[1] for entry in draws) == 20 and {entry[2:] for entry in draws} == {((1, SIDE, SIDE, 3), False)}
    tags = read_metadata(out)
    assert tags["synthetic"] == "true" and "face generated by" in tags["comment"] and tags["precision"] == "fp32"


def test_the_crop_alone(job, kit, whole, tmp_path):
    assert job("--output", "crop", drive="drive.mp4") == 0
    info = probe(tmp_path / "out" / "r.mp4")
    assert (info.width, info.height, info.frames) == (SIDE, SIDE, 20)
    made = read_video(tmp_path / "out" / "r.mp4").astype(int)
    assert rising(made.mean((1, 2, 3)))
    (driver,) = whole_face_kit.MADE
    video = DrivingVideo.follow(kit / "face.mp4", "--drive", FaceOptions(), store=TrackStore(kit / "cache"))
    crop = next(video.crops(CropSpec("aligned", SIDE)))
    ratio = made[-1].mean() / crop.mean()  # the last driving frame is as bright as the picture
    assert ratio == pytest.approx(2 * crop.mean() / 255, rel=0.15), "gain times code of the brightest frame"


def test_a_face_video_at_another_rate_and_a_pose_video_played_to_and_fro(job, kit, whole, tmp_path):
    assert job("--output", "crop", "--wav2lip_batch_size", 4, face="face.mp4", drive="drive.mp4", pose="pose.mp4") == 0
    info = probe(tmp_path / "out" / "r.mp4")
    assert info.fps == 30 and info.frames == frame_count(12800, Fraction(30)) == 24
    (driver,) = whole_face_kit.MADE
    assert [entry[1:3] for entry in driver.log if entry[0] == "draw"] == [(4, (4, SIDE, SIDE, 3))] * 6
    followed = DrivingVideo.follow(kit / "pose.mp4", "--pose", FaceOptions(), store=TrackStore(kit / "cache"))
    assert followed.shown(Fraction(30), 12, "pingpong").tolist() == [0, 0, 1, 2, 3, 4, 3, 3, 2, 1, 0, 1]
    assert followed.shown(Fraction(30), 12).tolist() == [0, 0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4]
    level = read_video(tmp_path / "out" / "r.mp4").astype(int).mean((1, 2, 3))
    assert level[5] < level[0] and level[10] > level[5], "darker as the pose video darkens, and back"


def test_a_driving_video_without_sound_serves_a_driver_that_needs_none(job, kit, whole, tmp_path):
    assert job(drive="silent.mp4") == 0
    info = probe(tmp_path / "out" / "r.mp4")
    assert info.frames == 10 and not info.has_audio


def test_driving_frames_without_a_face_repeat_the_last_one_or_the_next(kit, tmp_path):
    frames = [blank()] * 12 + lit(6) + [blank()] * 12
    path = write_video(tmp_path / "gaps.mp4", frames)
    video = DrivingVideo.follow(path, "--drive", FaceOptions(), store=TrackStore(None))
    crops = list(video.crops(CropSpec("aligned", SIDE)))
    assert len(crops) == len(video) == 30
    assert all((crop == crops[0]).all() for crop in crops[:12]) and all((crop == crops[-1]).all() for crop in crops[18:])
    assert rising([crop.mean() for crop in crops[12:18]])


def test_a_source_without_a_face_is_black_in_a_video_of_crops(job, kit, whole, tmp_path, capsys):
    frames = moving_portrait(20)
    frames[6:16] = [blank()] * 10
    write_video(kit / "gap.mp4", frames)
    assert job("--output=crop", face="gap.mp4", drive="drive.mp4") == 0
    assert "no face in 10 frames of the face video, black in the result: 6-15" in capsys.readouterr().out
    level = read_video(tmp_path / "out" / "r.mp4").mean((1, 2, 3))
    assert level[6:16].max() < 3 < 20 < min(level[:6].min(), level[16:].min())


def test_a_driver_that_pastes_nothing_writes_its_crops(job, kit, whole, monkeypatch, tmp_path, refused):
    whole_face_kit.register(monkeypatch, whole_face_kit.PictureDriver)
    assert "--output frame: whole.safetensors draws whole pictures" in refused("--output", "frame", drive="drive.mp4")
    assert "--paste feather: the crop" in refused("--paste", "feather", drive="drive.mp4")
    assert job("--visible_mark", drive="drive.mp4") == 0
    assert probe(tmp_path / "out" / "r.mp4").width == SIDE
    assert job("--preview") == 0


def test_the_crop_of_a_mouth_driver_is_what_would_lie_in_the_frame(job, kit, tmp_path):
    flags = ("--output", "crop", "--fps", "12.5")
    assert job(*flags, checkpoint="mouth", audio="a.wav") == 0
    made = read_video(tmp_path / "out" / "r.mp4").astype(int)
    assert made.shape == (5, 96, 96, 3)
    assert job("--fps", "12.5", checkpoint="mouth", audio="a.wav") == 0
    whole = read_video(tmp_path / "out" / "r.mp4")
    options = FaceOptions()
    track = prepare(FaceSource(kit / "face.png", options), options, store=TrackStore(kit / "cache"), frames=1)
    (crop,) = plan_crops(track, CropSpec("aligned", 96))
    real, shown = crop.extract(portrait()), np.stack([crop.extract(frame) for frame in whole])
    assert np.abs(made[:, :35] - real[:35]).mean() < 8, "the upper half is the person's own"
    assert np.abs(made[:, 55:80, 30:66] - real[55:80, 30:66]).mean() > 20, "the mouth is drawn"
    assert np.abs(made - shown).mean() < 8 < np.abs(made - real).mean()
    assert job(*flags, "--optimise_face", "--paste", "poisson", checkpoint="mouth", audio="a.wav") == 0
    assert job(*flags, checkpoint="public", audio="a.wav") == 0


def test_laying_a_crop_over_itself_keeps_every_pixel():
    plan = Plan(SimpleNamespace(size=96), None, None)
    face = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    shot = DrawnFrame(0, 0, 255 - face, AlignedCrop(np.eye(2, 3), 96), face, np.ones((96, 96), np.float32))
    np.testing.assert_array_equal(CropOutput(plan)(shot), face)


def test_jobs_name_driving_videos(kit, whole, tmp_path, capsys):
    listed = tmp_path / "jobs.csv"
    rows = [f"{kit / 'face.png'},,{kit / 'drive.mp4'},,{tmp_path / 'a.mp4'}",
            f"{kit / 'face.png'},,{kit / 'drive.mp4'},{kit / 'pose.mp4'},{tmp_path / 'b.mp4'}",
            f"{kit / 'face.png'},{kit / 'a.wav'},,,{tmp_path / 'c.mp4'}",
            f"{kit / 'face.png'},{kit / 'a.wav'},{kit / 'drive.mp4'},,{tmp_path / 'd.mp4'}"]  # fmt: skip
    listed.write_text("face,audio,drive,pose,outfile\n" + "\n".join(rows) + "\n")
    assert infer("--jobs", listed, "--checkpoint_path", whole, "--cache_dir", kit / "cache", "--output", "crop") == 1
    said = capsys.readouterr()
    assert "2 of 4 jobs done" in said.out and len(whole_face_kit.MADE) == 1
    assert "line 4: failed: whole.safetensors follows a video of somebody who speaks" in said.err
    assert "line 5: cannot start: fills both audio and drive" in said.err
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == ["a.mp4", "b.mp4"]
    assert probe(tmp_path / "a.mp4").width == SIDE


# What a checkpoint cannot do


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"drive": "drive.mp4"}, "--drive: mouth.safetensors cannot follow the speech of a driving video"),
        ({"drive": "drive.mp4"}, "give its sound with --audio"),
        ({"audio": "a.wav", "pose": "pose.mp4"}, "--pose: mouth.safetensors keeps the pose of the face video"),
        ({"drive": "drive.mp4", "pose": "pose.mp4"}, "--drive"),
    ],
)
def test_a_mouth_follows_sound_alone_and_says_so_before_any_work(refused, monkeypatch, named, words):
    monkeypatch.setattr("pipeline.sound.decode_audio", lambda _: pytest.fail("nothing is decoded"))
    monkeypatch.setattr("pipeline.drive.prepare", lambda *_, **__: pytest.fail("nothing is tracked"))
    assert words in refused(checkpoint="mouth", **named)


@pytest.mark.parametrize(
    ("flags", "named", "words"),
    [
        ((), {"audio": "a.wav"}, "give it with --drive in place of --audio"),
        ((), {"drive": "face.png"}, "face.png: is a picture"),
        ((), {"drive": "drive.mp4", "pose": "face.png"}, "--pose"),
        ((), {"drive": "wall.mp4"}, "--drive: "),
        ((), {"drive": "wall.mp4"}, "no face found in any of the 3 frames"),
        ((), {"drive": "a.wav"}, "a.wav"),
        ((), {"drive": "whole.safetensors"}, "whole.safetensors"),
        ((), {"drive": "absent.mp4"}, "absent.mp4: no such file (driving video)"),
        ((), {"drive": "drive.mp4", "pose": "absent.mp4"}, "absent.mp4: no such file (pose video)"),
        ((), {"drive": "drive.mp4", "audio": "a.wav"}, "--drive brings its own sound"),
        (("--optimise_face",), {"drive": "drive.mp4"}, "--optimise_face: whole.safetensors"),
        (("--reference", "same"), {"drive": "drive.mp4"}, "--reference same"),
        (("--output", "crop", "--paste", "poisson"), {"drive": "drive.mp4"}, "--paste poisson: the crop"),
        (("--output", "corp"), {"drive": "drive.mp4"}, "did you mean crop"),
        (("--output",), {"drive": "drive.mp4"}, "--output"),
        (("--drive",), {}, "--drive: needs a path"),
        (("--compat", "wav2lip"), {"audio": "a.wav"}, "--compat wav2lip: this kind of checkpoint"),
    ],
)
def test_what_a_whole_face_cannot_do(refused, whole, flags, named, words):
    assert words in refused(*flags, **named)


@pytest.mark.parametrize(
    ("flags", "named", "words"),
    [
        (("--output", "crop"), {"audio": "a.wav"}, "leave --output crop out"),
        ((), {"drive": "drive.mp4"}, "leave --drive out"),
        ((), {"audio": "a.wav", "pose": "pose.mp4"}, "leave --pose out"),
        (("--reference", "fixed"), {"audio": "a.wav"}, "leave --reference out"),
        (("--precision", "fp16"), {"audio": "a.wav"}, "--compat wav2lip promises the public script's pixels, which needs fp32"),
        (("--precision", "bf16"), {"audio": "a.wav"}, "--compat wav2lip promises"),
    ],
)
def test_what_cannot_stand_beside_the_public_scripts_pixels(refused, flags, named, words):
    assert words in refused("--compat", "wav2lip", *flags, checkpoint="public", **named)


@pytest.mark.parametrize(
    ("needs", "named", "words"),
    [
        ({"sound", "drive"}, {"drive": "silent.mp4"}, "silent.mp4: has no sound track"),
        ({"sound", "pose"}, {"audio": "a.wav"}, "takes the movement of the head from a video; give it with --pose"),
        ({"drive"}, {"audio": "a.wav", "pose": "pose.mp4"}, "give it with --drive"),
    ],
)
def test_what_a_driver_needs_is_asked_for(refused, whole, monkeypatch, needs, named, words):
    monkeypatch.setattr(whole_face_kit.WholeFaceDriver, "needs", frozenset(needs))
    assert words in refused(**named)


def test_flags_for_all_rows_and_for_a_preview_are_checked_first(kit, whole, refused, tmp_path, capfd):
    said = refused("--preview", checkpoint="mouth", drive="drive.mp4")
    assert "--drive: mouth.safetensors cannot follow the speech of a driving video" in said
    assert "--optimise_face: whole" in refused("--preview", "--optimise_face", drive="drive.mp4")
    listed = tmp_path / "jobs.csv"
    listed.write_text(f"face,drive,outfile\n{kit / 'face.png'},{kit / 'drive.mp4'},{tmp_path / 'out' / 'a.mp4'}\n")
    common = ("--jobs", listed, "--checkpoint_path", whole, "--cache_dir", kit / "cache")
    assert infer(*common, "--optimise_face") == 2
    assert infer(*common, "--output", "crop", "--paste", "poisson") == 2
    assert capfd.readouterr().err.count("error: ") == 2 and not (tmp_path / "out" / "a.mp4").exists()
    assert infer(*common) == 0


def test_a_driving_video_may_not_be_overwritten_or_given_to_jobs(kit, whole, tmp_path, capsys):
    before = (kit / "drive.mp4").read_bytes()
    common = ("--face", kit / "face.png", "--checkpoint_path", whole, "--no_cache")
    assert infer(*common, "--drive", kit / "drive.mp4", "--outfile", kit / "drive.mp4") == 2
    assert infer(*common, "--drive", kit / "drive.mp4", "--pose", kit / "pose.mp4", "--outfile", kit / "pose.mp4") == 2
    assert capsys.readouterr().err.count("same file as the input") == 2 and (kit / "drive.mp4").read_bytes() == before
    (tmp_path / "jobs.csv").write_text("a,b,c\n")
    for flag in ("--drive", "--pose"):
        assert infer("--jobs", tmp_path / "jobs.csv", flag, kit / "drive.mp4") == 2
        assert "leave these flags" in capsys.readouterr().err


def test_the_example_of_the_docs_runs(job, kit, monkeypatch, tmp_path):
    page = (ROOT / "docs" / "driving.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.S)
    monkeypatch.setitem(models.MODELS, "portrait", whole_face_kit.WholeFace)
    monkeypatch.setitem(drivers.DRIVERS, "portrait", None)  # gone again after the test
    exec(compile(example, "docs/driving.md", "exec"), {"__name__": "example"})
    config = {"name": "portrait", "face_size": SIDE}
    save_checkpoint(kit / "portrait.safetensors", build_model(config), {"model": config, "data": {}, "training": {}})
    assert job("--output=crop", checkpoint="portrait", drive="drive.mp4") == 0
    assert rising(read_video(tmp_path / "out" / "r.mp4").astype(int).mean((1, 2, 3)))


def test_the_docs_name_the_flags_and_what_a_driver_has():
    from pipeline.jobs.arguments import build_parser

    page, flags = (ROOT / "docs" / "driving.md").read_text(), build_parser()._option_string_actions
    named = set(re.findall(r"`(--\w+)", page))
    assert {"--drive", "--pose", "--output", "--precision", "--compat"} <= named <= set(flags)
    for name in re.findall(r"^\| `(\w+)", page.split("subclasses")[1], re.M):
        assert hasattr(drivers.Driver, name) or name in ("crop", "device"), name

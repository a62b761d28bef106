"""What a checkpoint cannot do is said in one line, before any work."""

import pytest

from tests import whole_face_kit
from tests.inference_kit import infer
from tests.whole_face_kit import job_on, write_videos


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return write_videos(tmp_path_factory.mktemp("kit"))


@pytest.fixture
def whole(kit, monkeypatch):
    """Path of a whole-face checkpoint, with its family registered."""
    whole_face_kit.register(monkeypatch)
    return whole_face_kit.save_whole_face(kit / "whole.safetensors")


@pytest.fixture
def job(kit, tmp_path):
    """Runs inference.py on the kit, see `whole_face_kit.job_on`; its result goes to the folder `out`."""
    (tmp_path / "out").mkdir()
    return job_on(kit, tmp_path / "out" / "r.mp4")


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

"""The main job end to end, on videos of a portrait, with a tiny untrained generator."""

import shutil
from fractions import Fraction

import numpy as np
import pytest

from common.version import __version__
from faces.landmarks import MOUTH
from media import decode_audio, probe, read_metadata
from speech.windows import frame_count
from tests.conftest import ROOT
from tests.inference_kit import (
    OWN,
    PUBLIC,
    blank,
    infer,
    job_on,
    moving_portrait,
    portrait,
    read_video,
    save_tiny,
    tone,
    write_video,
    write_wav,
)


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """Folder with own.safetensors, public.safetensors, face.mp4 (20 frames), face.png, a.wav (1 s)."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("kit")
    save_tiny(folder / "own.safetensors", OWN)
    save_tiny(folder / "public.safetensors", PUBLIC)
    shutil.copy(ROOT / "checkpoints" / "demo.safetensors", folder)  # an untrained face is too strange to be optimised
    write_video(folder / "face.mp4", moving_portrait(20), fps="30000/1001")
    Image.fromarray(portrait()).save(folder / "face.png")
    write_wav(folder / "a.wav", tone(1.0))
    return folder


@pytest.fixture
def job(kit, tmp_path):
    """Runs inference.py on the kit, see `job_on`."""
    return job_on(kit, tmp_path / "out.mp4")


def mean_change(a, b, rows=slice(None), columns=slice(None)):
    return float(np.abs(a[:, rows, columns].astype(int) - b[:, rows, columns].astype(int)).mean())


def test_rate_of_the_video_length_of_the_audio_and_lips_that_are_drawn(job, kit, tmp_path, capsys):
    assert job() == 0
    info = probe(tmp_path / "out.mp4")
    assert info.fps == Fraction(30000, 1001) and (info.width, info.height) == (256, 256)
    assert info.frames == frame_count(16000, info.fps) == 30
    samples, rate = decode_audio(tmp_path / "out.mp4")
    assert (rate, samples.shape) == (16000, (1, 16000))
    assert np.corrcoef(samples[0], decode_audio(kit / "a.wav")[0][0])[0, 1] > 0.95

    made, source = read_video(tmp_path / "out.mp4"), read_video(kit / "face.mp4")
    shown = source[[*range(20), *range(18, 8, -1)]]
    assert len(made) == 30
    assert mean_change(made, shown, slice(0, 60)) < 3, "forehead and background are the source's, played to and fro"
    assert mean_change(made, shown, slice(190, None)) < 3
    mouth = slice(130, 160), slice(110, 140)
    assert all(mean_change(made[t : t + 1], shown[t : t + 1], *mouth) > 8 for t in range(30)), "every mouth is drawn anew"

    line = capsys.readouterr().out.strip().splitlines()[-1]
    assert line.startswith(f"{tmp_path / 'out.mp4'}: 30 frames, 1.00 s") and line.endswith("a face in every frame")
    tags = read_metadata(tmp_path / "out.mp4")
    assert tags["synthetic"] == "true"
    assert "own.safetensors" in tags["comment"] and __version__ in tags["comment"]


def test_a_picture_takes_fps_and_keeps_still_but_for_the_mouth(job, kit, tmp_path):
    assert job("--fps", "12.5", face=kit / "face.png") == 0
    info = probe(tmp_path / "out.mp4")
    assert info.fps == Fraction(25, 2)
    made = read_video(tmp_path / "out.mp4")
    assert len(made) == frame_count(16000, Fraction(25, 2)) == 13
    assert mean_change(made[1:], made[:-1], slice(0, 60)) < 1
    assert mean_change(made[:1], portrait()[None], slice(0, 60)) < 3


def test_static_is_a_real_switch(job, kit, tmp_path):
    assert job("--static", "False", outfile=tmp_path / "moving.mp4") == 0
    assert job("--static", outfile=tmp_path / "still.mp4") == 0
    assert job("--static=True", outfile=tmp_path / "true.mp4") == 0
    moving, still, true = (read_video(tmp_path / f"{name}.mp4") for name in ("moving", "still", "true"))
    assert mean_change(moving[4:5], moving[:1], slice(0, 60)) > 3 > 1 > mean_change(still[4:5], still[:1], slice(0, 60))
    assert (still == true).all()


@pytest.mark.parametrize(("mode", "last"), [("loop", 4), ("hold", 19), ("pingpong", 14)])
def test_what_follows_the_end_of_the_video(job, kit, tmp_path, mode, last):
    assert job("--loop", mode) == 0
    made, source = read_video(tmp_path / "out.mp4"), read_video(kit / "face.mp4")
    distance = [mean_change(made[24:25], source[t : t + 1], slice(0, 60)) for t in range(20)]
    assert distance[last] < 3 and distance[last] <= min(distance) + 0.5 < max(distance)


def test_frames_without_a_face_pass_untouched_and_are_named(job, kit, tmp_path, capsys):
    frames = moving_portrait(24)
    frames[8:20] = [blank()] * 12
    video = write_video(tmp_path / "gap.mp4", frames)
    assert job(face=video) == 0
    assert "no face in 12 frames of the face video, left as they are: 8-19" in capsys.readouterr().out
    made, source = read_video(tmp_path / "out.mp4"), read_video(video)
    assert mean_change(made[8:20], source[8:20]) < 1.5
    assert mean_change(made[:8], source[:8], slice(130, 160), slice(110, 140)) > 8


def test_the_track_is_stored_and_reused(job, kit, tmp_path, monkeypatch):
    assert job(cache_dir=tmp_path / "cache") == 0

    def refuse(*_, **__):
        raise AssertionError("the detector is not needed a second time")

    monkeypatch.setattr("pipeline.tracking.build_detector", refuse)
    first = read_video(tmp_path / "out.mp4")
    assert job(cache_dir=tmp_path / "cache") == 0
    assert (read_video(tmp_path / "out.mp4") == first).all()
    with pytest.raises(AssertionError):
        job("--no_cache", cache_dir=None)


def test_two_faces_and_which_one_speaks(job, kit, tmp_path):
    pair = [np.concatenate([frame, frame], axis=1) for frame in moving_portrait(6)]
    video = write_video(tmp_path / "pair.mp4", pair)
    source = read_video(video)
    changed = {}
    for name, flags in {"index 0": ["--face_index=0"], "index 1": ["--face_index=1"], "near": ["--face_near=380,120"]}.items():
        assert job(*flags, face=video, audio=write_wav(tmp_path / "s.wav", tone(0.2))) == 0
        made = read_video(tmp_path / "out.mp4")
        changed[name] = [mean_change(made, source[:5], slice(130, 160), slice(x + 110, x + 140)) > 8 for x in (0, 256)]
    assert changed == {"index 0": [True, False], "index 1": [False, True], "near": [False, True]}


def test_reference_policies_differ_and_a_number_is_taken(job, kit, tmp_path, capsys):
    results = []
    for choice in ("same", "fixed", "3"):
        assert job("--reference", choice) == 0
        results.append(read_video(tmp_path / "out.mp4"))
    mouth = slice(130, 160), slice(110, 140)
    assert mean_change(results[0], results[1], *mouth) > 0.05
    assert job("--reference", "900") == 2
    assert "--reference 900" in capsys.readouterr().err


def test_flags_of_the_public_script_keep_their_meaning(job, kit, tmp_path):
    flags = ["--pads", "0", "20", "0", "0", "--resize_factor", "2", "--crop", "0", "-1", "10", "120", "--nosmooth"]
    flags += ["--face_det_batch_size", "4", "--wav2lip_batch_size", "3", "--box", "-1", "-1", "-1", "-1"]
    assert job(*flags, checkpoint_path=kit / "public.safetensors") == 0
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height) == (110, 128)
    assert job("--rotate", "--box", "100", "200", "60", "160") == 0
    turned, source = read_video(tmp_path / "out.mp4"), read_video(kit / "face.mp4")
    assert mean_change(turned[:1], np.rot90(source[:1], -1, (1, 2)), slice(0, 90)) < 3


def test_compat_gives_the_public_scripts_frames(job, kit, tmp_path, capsys):
    assert job("--compat", "wav2lip", checkpoint_path=kit / "public.safetensors") == 0
    made, source = read_video(tmp_path / "out.mp4"), read_video(kit / "face.mp4")
    # 81 mel columns at 80/29.97 a frame: windows from column int(2.669 t) fit as long as t <= 24; the next is the last.
    assert len(made) == 26
    assert mean_change(made[20:], source[:6], slice(0, 30)) < 3, "the public script starts again from the first frame"
    assert job("--compat", "wav2lip") == 2
    assert "aligned crops" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("face", "checkpoint", "box"),
    [("face.mp4", "demo", []), ("face.mp4", "public", []), ("face.png", "own", ["--box", "40", "180", "70", "190"])],
)
def test_face_optimisation_and_pasting_styles_change_the_drawn_half_only(job, kit, tmp_path, face, checkpoint, box):
    made = {}
    for name, flags in {
        "plain": [],
        "optimised": ["--optimise_face", "--paste", "feather"],
        "laplacian": ["--paste", "laplacian"],
        "poisson": ["--paste", "poisson"],
    }.items():
        assert job(*box, *flags, face=kit / face, checkpoint_path=kit / f"{checkpoint}.safetensors") == 0
        made[name] = read_video(tmp_path / "out.mp4")
    for name in ("optimised", "laplacian", "poisson"):
        assert made[name].shape == made["plain"].shape
        drawn = mean_change(made[name], made["plain"], slice(110, 170), slice(80, 180))
        assert drawn > 3 * mean_change(made[name], made["plain"], slice(0, 60)), "the rest differs by H.264 alone"


def test_both_flags_serve_all_rows_of_a_jobs_file(job, kit, tmp_path):
    flags = ["--optimise_face", "--paste", "laplacian"]
    assert job(*flags, outfile=tmp_path / "alone.mp4") == 0
    listed = tmp_path / "jobs.csv"
    listed.write_text("".join(f"{kit / 'face.mp4'},{kit / 'a.wav'},{tmp_path / name}\n" for name in ("1.mp4", "2.mp4")))
    common = ["--checkpoint_path", kit / "own.safetensors", "--cache_dir", kit / "cache"]
    assert infer("--jobs", listed, *common, *flags) == 0
    alone, first, second = (read_video(tmp_path / f"{name}.mp4") for name in ("alone", "1", "2"))
    np.testing.assert_array_equal(alone, first)
    np.testing.assert_array_equal(alone, second)
    assert infer("--jobs", listed, *common, "--paste", "poison") == 2


def test_the_optimisation_is_not_told_the_real_mouth(kit):
    """It looks at one frame, and the lips are left as they are drawn."""
    from faces.crops import plan_crops
    from faces.tracking.tracked import FaceTrack
    from pipeline.drivers import load_driver
    from pipeline.driving import Driving
    from pipeline.options import DriveOptions, FaceOptions
    from pipeline.plan import make_plan
    from pipeline.playback.source import FaceSource
    from pipeline.sound import Sound
    from pipeline.tracking import TrackStore, prepare

    source, options = FaceSource(kit / "face.mp4", FaceOptions()), DriveOptions(optimise_face=True, reference=0)
    driver, driving = load_driver(kit / "own.safetensors", device="cpu"), Driving(Sound.read(kit / "a.wav"))
    track = prepare(source, FaceOptions(), store=TrackStore(kit / "cache"), frames=30, device="cpu", batch_size=8)
    other = track.landmarks.copy()
    other[1:, MOUTH] += 9
    moved = FaceTrack(other, track.present, track.interpolated, track.width, track.height)
    face = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    first, second = (make_plan(source, one, driving, 1, driver, options).optimiser for one in (track, moved))
    np.testing.assert_array_equal(first(face, 0), second(face, 0))
    x, y = np.rint(plan_crops(track, driver.crop_spec())[0].matrix @ (*track.landmarks[0, MOUTH].mean(0), 1)).astype(int)
    np.testing.assert_array_equal(first(face, 0)[y - 4 : y + 4, x - 8 : x + 8], face[y - 4 : y + 4, x - 8 : x + 8])


def test_the_mark_is_there_when_asked_for(job, kit, tmp_path):
    assert job(outfile=tmp_path / "plain.mp4") == 0
    assert job("--visible_mark", outfile=tmp_path / "marked.mp4") == 0
    plain, marked = read_video(tmp_path / "plain.mp4"), read_video(tmp_path / "marked.mp4")
    assert mean_change(plain, marked, slice(235, None), slice(200, None)) > 15
    assert mean_change(plain, marked, slice(0, 200), slice(0, 150)) < 3


def test_preview_draws_one_picture_and_makes_no_video(job, kit, tmp_path, capsys):
    from PIL import Image

    assert job("--preview", audio=None) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    picture = np.asarray(Image.open(tmp_path / "out.png"))
    assert picture.shape[0] == 256 and picture.shape[1] > 256
    green = (picture[..., 1].astype(int) - picture[..., [0, 2]].max(-1)) > 100
    assert green.sum() > 200, "the crop's outline"
    pink = (picture[:, :256, 0].astype(int) - picture[:, :256, 1]) > 60
    assert pink[130:160, 105:140].mean() > 0.7, "the mouth, but for its landmarks, is inside the part that is drawn anew"
    assert "out.png" in capsys.readouterr().out
    assert job("--preview", "--box", "40", "180", "70", "190", audio=None) == 0


def test_folders_of_faces_and_sounds(kit, tmp_path, capsys):
    faces, sounds, out = (tmp_path / name for name in ("faces", "sounds", "out"))
    for folder, names in ((faces, {"anna.mp4": "face.mp4", "ben.png": "face.png", "carl.png": "face.png"}),
                          (sounds, {"anna.wav": "a.wav", "ben.wav": "face.mp4", "dora.wav": "a.wav"})):  # fmt: skip
        folder.mkdir()
        for name, source in names.items():
            shutil.copy(kit / source, folder / name)
    common = ["--checkpoint_path", kit / "own.safetensors", "--no_cache", "--box", "40", "180", "70", "190"]
    assert infer("--face", faces, "--audio", sounds, "--outfile", out, *common) == 1
    said = capsys.readouterr()
    assert [path.name for path in out.iterdir()] == ["anna.mp4"] and probe(out / "anna.mp4").frames == 30
    lines = said.err.splitlines()
    assert lines[0].endswith("left out: carl.png") and lines[1].endswith("left out: dora.wav")
    assert "faces: ben: cannot start: " in lines[2] and "has no sound track" in lines[2]
    assert sum("ben" in line for line in lines) == 1
    assert said.out.splitlines()[-1] == f"{faces} and {sounds}: 1 of 2 jobs done; 1 could not start"
    assert infer("--face", kit / "face.png", "--audio", sounds, "--preview", *common) == 2
    assert infer("--face", faces, "--audio", kit / "a.wav", "--transcript", kit / "a.wav", *common) == 2


def test_jobs_with_one_bad_row(kit, tmp_path, capsys):
    rows = [
        f"{kit / 'face.mp4'},{kit / 'a.wav'},{tmp_path / 'one.mp4'}",
        f"{kit / 'face.mp4'},{kit / 'absent.wav'},{tmp_path / 'two.mp4'}",
        f"{kit / 'face.png'},{kit / 'a.wav'},{tmp_path / 'three.mp4'}",
    ]
    listed = tmp_path / "jobs.csv"
    listed.write_text("face,audio,outfile\n" + "\n".join(rows) + "\n")
    common = ["--checkpoint_path", kit / "own.safetensors", "--cache_dir", kit / "cache"]
    assert infer("--jobs", listed, *common) == 1
    said = capsys.readouterr()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jobs.csv", "one.mp4", "three.mp4"]
    assert "line 3: cannot start:" in said.err and said.err.count("absent.wav") == 1
    assert said.out.endswith("2 of 3 jobs done; 1 could not start\n")
    listed.write_text(rows[0])
    assert infer("--jobs", listed, *common) == 0
    assert capsys.readouterr().out.endswith("jobs.csv: 1 of 1 job done\n")
    assert infer("--jobs", listed, "--audio", kit / "a.wav", *common) == 2


def test_audio_of_a_video_and_many_channels(job, kit, tmp_path):
    voice = tone(0.5, rate=44100, channels=2)
    video = write_video(tmp_path / "voice.mp4", moving_portrait(12), audio=voice, rate=44100)
    assert job(audio=video) == 0
    samples, rate = decode_audio(tmp_path / "out.mp4")
    assert rate == 44100 and len(samples) == 2
    assert abs(samples.shape[1] - 22050) < 2048


def test_the_version_is_written_once():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project.get("version", __version__) == __version__

"""Frames with a covered mouth on their way through a job: left alone, blended out and in, drawn on demand, named at the end."""

from dataclasses import replace

import numpy as np
import pytest

from common import notes
from faces.outline import lower_face_mask
from pipeline.drivers import load_driver
from pipeline.driving import Driving
from pipeline.frames import draw_frames
from pipeline.masks import Masks
from pipeline.options import DriveOptions, FaceOptions
from pipeline.output import CropOutput, FrameOutput
from pipeline.plan import make_plan, make_scene
from pipeline.playback.source import FaceSource
from pipeline.references.light import light_of
from pipeline.sound import Sound
from pipeline.tracking import TrackStore, prepare
from tests.inference_kit import PUBLIC, infer, moving_portrait, read_video, save_tiny, tone, write_video, write_wav
from tests.test_faces_covering import boxed

HIDDEN = range(8, 17)


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """Folder with a face video of 24 frames whose mouth a box covers in HIDDEN, a sound, checkpoints, and the video's track."""
    folder = tmp_path_factory.mktemp("covered")
    frames = [boxed(frame) if at in HIDDEN else frame for at, frame in enumerate(moving_portrait(24))]
    write_video(folder / "face.mp4", frames)
    write_wav(folder / "a.wav", tone(24 / 25))
    save_tiny(folder / "own.safetensors")
    save_tiny(folder / "public.safetensors", PUBLIC)
    source = FaceSource(folder / "face.mp4", FaceOptions())
    return folder, source, prepare(source, FaceOptions(), store=TrackStore(folder / "cache"))


def planned(kit, **options):
    """(Driver, Plan) of a job with a checkpoint of aligned crops."""
    folder, source, track = kit
    driver = load_driver(folder / "own.safetensors", device="cpu", precision="fp32")
    return driver, make_plan(source, track, Driving(Sound.read(folder / "a.wav")), 24, driver, DriveOptions(**options))


def test_covered_frames_stay_to_the_last_bit_and_the_mouth_is_blended_out_and_in(kit):
    driver, plan = planned(kit)
    assert not set(plan.scene.references) & set(HIDDEN)  # nor is one of them the reference
    frames, crops = FrameOutput(plan), CropOutput(plan)
    for one in draw_frames(plan, driver):
        made, cut = frames(one), crops(one)
        away = min(abs(one.index - at) for at in HIDDEN)
        if away == 0:
            assert one.face is None
            np.testing.assert_array_equal(made, one.frame)
            np.testing.assert_array_equal(cut, one.crop.extract(one.frame))
        else:
            np.testing.assert_allclose(one.mask, plan.masks(one.index) * min(away / 4, 1), atol=1e-6)
            assert (made != one.frame).any()


def test_what_covers_a_mouth_does_not_tell_how_the_face_is_lit(kit):
    driver, plan = planned(kit)
    track = plan.scene.track
    light = np.where(track.covered[:, None], track.light * (0.3, 0.6, 2.0), track.light)
    scene = replace(plan.scene, track=replace(track, light=light.astype(np.float32)))
    assert light_of(replace(scene, track=replace(scene.track, covered=None))) is not None
    assert light_of(scene) is None


def test_drawn_on_demand(kit):
    driver, plan = planned(kit, covered="draw")
    assert plan.scene.opacity is None and not set(plan.scene.references) & set(HIDDEN)
    assert all(one.face is not None for one in draw_frames(plan, driver))


@pytest.mark.parametrize(("covered", "kept"), [(None, False), ("keep", True), ("draw", False)])
def test_a_mouth_that_is_covered_throughout_is_drawn_unless_it_shall_be_kept(kit, capfd, monkeypatch, covered, kept):
    monkeypatch.setattr(notes, "_said", set())
    folder, source, track = kit
    driver = load_driver(folder / "own.safetensors", device="cpu", precision="fp32")
    scene = make_scene(source, replace(track, covered=track.present.copy()), 24, driver, DriveOptions(covered=covered))
    assert (scene.opacity is not None) == kept and (not kept or not scene.opacity.any())
    said = capfd.readouterr().err
    assert said == ("" if covered else f"note: {source.path}: the mouth looks covered in every frame, so all are drawn; "
                    "--covered keep leaves them as they are\n")  # fmt: skip


@pytest.mark.parametrize(("flags", "words"), [((), "left as they are (--covered draw draws them): 8-16"),
                                              (("--covered", "draw"), "drawn nevertheless: 8-16")])  # fmt: skip
def test_the_last_line_names_them(kit, tmp_path, capfd, flags, words):
    folder, *_ = kit
    paths = ("--face", folder / "face.mp4", "--audio", folder / "a.wav", "--outfile", tmp_path / "r.mp4")
    assert infer(*paths, "--checkpoint_path", folder / "own.safetensors", "--cache_dir", folder / "cache", *flags) == 0
    assert f"the mouth is covered in 9 frames, {words}" in capfd.readouterr().out
    change = np.abs(read_video(tmp_path / "r.mp4").astype(int) - read_video(folder / "face.mp4"))[12, 120:180, 80:180].mean()
    assert change < 2 if not flags else change > 4


@pytest.mark.parametrize(("flags", "code", "words"), [
    (("--covered", "hide"), 2, "value of --covered"),
    (("--compat", "wav2lip", "--covered", "keep"), 2, "computes what the public script computes; leave --covered keep out"),
    (("--box", "40", "190", "60", "190", "--covered", "keep"), 0, "with --box nobody looks whether a mouth is covered"),
])  # fmt: skip
def test_what_cannot_be_is_said(kit, tmp_path, capfd, flags, code, words):
    folder, *_ = kit
    paths = ("--face", folder / "face.mp4", "--audio", folder / "a.wav", "--outfile", tmp_path / "r.mp4")
    assert infer(*paths, "--checkpoint_path", folder / "public.safetensors", "--no_cache", *flags) == code
    assert words in capfd.readouterr().err


@pytest.mark.parametrize("name", ["own", "public"])
def test_a_place_given_by_hand_is_pasted_along_the_outline_of_a_mean_face(kit, name):
    folder, source, track = kit
    driver = load_driver(folder / f"{name}.safetensors", device="cpu", precision="fp32")
    given = make_scene(source, None, 1, driver, DriveOptions(box=(30, 185, 75, 185)))
    found = make_scene(source, track, 24, driver, DriveOptions())
    weights = Masks(given, driver)(0)
    assert (weights <= driver.feather).all() and weights.max() > 0.9
    corner = slice(-len(weights) // 8, None), slice(None, len(weights) // 8)
    assert weights[corner].max() < 0.01 < driver.feather[corner].max()  # no collar
    usual = lower_face_mask(found.landmarks([2])[0], found.size)
    assert (np.minimum(weights, usual).sum() / weights.sum()) > 0.75  # it lies where faces lie

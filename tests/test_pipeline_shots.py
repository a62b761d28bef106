"""A video of several shots, and one whose light drifts, on its way through a driver."""

from types import SimpleNamespace

import numpy as np
import pytest

from common import notes
from common.errors import InputError
from faces.crops import CropSpec
from faces.tracking.track import FaceSelection
from faces.tracking.tracked import FaceTrack
from pipeline.drivers import load_driver
from pipeline.frames import draw_frames
from pipeline.options import FaceOptions
from pipeline.playback.source import FaceSource
from pipeline.references.pictures import ReferencePictures
from pipeline.scene import Scene
from pipeline.tracking import TrackStore, prepare
from tests.inference_kit import (
    PUBLIC,
    blank,
    infer,
    moving_portrait,
    planned,
    portrait,
    read_video,
    save_tiny,
    tone,
    write_video,
    write_wav,
)

CUT, FRAMES = 7, 16


def other_portrait():
    """The portrait mirrored, in other colours and before another wall: another person for all that a tracker sees."""
    face = portrait()[:, ::-1]
    return np.ascontiguousarray(np.clip(face[..., [0, 2, 1]] * (0.8, 0.9, 1.1) + 10, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """Folder: cut.mp4 (two people), fade.mp4 (light that rises), even.mp4, a.wav, own and public checkpoints, their tracks."""
    folder = tmp_path_factory.mktemp("shots")
    first = moving_portrait(CUT)
    write_video(folder / "cut.mp4", first + [other_portrait()] * (FRAMES - CUT))
    even = moving_portrait(FRAMES)
    write_video(folder / "even.mp4", even)
    rise = np.clip(np.linspace(0.2, 1.4, FRAMES), 0, 1)
    write_video(folder / "fade.mp4", [np.rint(frame * share).astype(np.uint8) for frame, share in zip(even, rise, strict=True)])
    write_wav(folder / "a.wav", tone(FRAMES / 25))
    save_tiny(folder / "own.safetensors")
    save_tiny(folder / "public.safetensors", PUBLIC)
    return folder


def driven(kit, video, checkpoint="own.safetensors", compat=None, **options):
    """(Plan, Driver) of a job on the kit."""
    driver = load_driver(kit / checkpoint, device="cpu", compat=compat)
    return planned(kit, driver, video, **options), driver


def test_each_shot_has_its_reference_and_no_batch_holds_two(kit, monkeypatch):
    plan, driver = driven(kit, "cut.mp4")
    first, second = plan.scene.references
    assert first < CUT <= second and plan.scene.track.cuts() == [CUT]
    states, drawn = [], []
    look = driver.look

    def looking(scene, codes):
        states.append((scene.references, look(scene, codes)))
        return states[-1][1]

    def drawing(state, codes, frames, numbers):
        drawn.append((next(references for references, own in states if own is state), list(numbers)))
        return frames.copy()

    monkeypatch.setattr(driver, "look", looking)
    monkeypatch.setattr(driver, "draw", drawing)
    passes, frames_of = [], plan.scene.source.frames
    monkeypatch.setattr(plan.scene.source, "frames", lambda *span: passes.append(span) or frames_of(*span))
    assert len(list(draw_frames(plan, driver))) == FRAMES
    assert [references for references, _ in states] == [(first,), (second,)]
    assert len(passes) == 2, "the references of all shots are read in one pass, then comes that over the video"
    for references, numbers in drawn:
        assert all((number >= CUT) == (references == (second,)) for number in numbers)
    assert sorted(number for _, numbers in drawn for number in numbers) == list(range(FRAMES))
    pictures = plan.scene.pictures(plan.scene.references)
    for (_, state), picture in zip(states, pictures, strict=True):
        np.testing.assert_array_equal(state.reference[0], picture)


def test_one_frame_that_is_named_serves_all_shots(kit):
    plan, _ = driven(kit, "cut.mp4", reference=12)
    assert plan.scene.references == (12,) and plan.scene.reference_of(0) == plan.scene.reference_of(15) == 12


def test_texture_is_taken_from_the_shots_own_reference(kit):
    plan, _ = driven(kit, "cut.mp4", optimise_face=True)
    faces = np.stack([plan.scene.crops[number].extract(frame) for number, frame in enumerate(read_video(kit / "cut.mp4"))])
    dull = np.uint8(faces * 0.5 + 50)
    for number in (3, 12):
        better, theirs = plan.optimiser(dull[number], number), plan.optimiser(dull[number], 15 - number)
        away = [np.abs(one.astype(int) - faces[number]).mean() for one in (better, theirs)]
        assert away[0] < away[1]


def test_light_that_rises_is_shown_to_the_network_as_one_and_comes_back(kit, monkeypatch):
    plan, driver = driven(kit, "fade.mp4")
    seen = []
    monkeypatch.setattr(driver, "draw", lambda state, codes, frames, numbers: seen.extend(frames) or frames.copy())
    drawn = list(draw_frames(plan, driver))
    light = np.array([face[:48].mean() for face in seen])
    assert np.abs(np.log(light / np.median(light)))[1:].max() < 0.06
    for one in drawn:
        cut = one.crop.extract(one.frame)
        assert np.abs(plan.finish(one).astype(int) - cut).mean() < 1.5  # what was drawn is the frame itself, in its own light


def test_even_light_and_another_programs_pixels_are_left_alone(kit):
    assert driven(kit, "even.mp4")[0].light is None
    assert driven(kit, "fade.mp4", reference="same")[0].light is None
    plan, _ = driven(kit, "fade.mp4", "public.safetensors", "wav2lip")
    assert plan.light is None and plan.scene.references == ()


def test_the_crops_of_another_program_reach_over_cuts_as_it_does(kit):
    """Its smoothing is a promise of pixels; ours ends at the cut."""
    spec = CropSpec("box", 96)
    for compat, same in (("wav2lip", False), (None, True)):
        plan, driver = driven(kit, "cut.mp4", "public.safetensors", compat)
        track = plan.scene.track
        whole = driver.lay_crops(track, spec, 25, True)[CUT - 1].box
        alone = driver.lay_crops(track.first(CUT), spec, 25, True)[-1].box
        assert (whole == alone) == same


@pytest.mark.parametrize(("flags", "served"), [((), ""), (("--reference", "5"), "; one reference (frame 5) serves all")])
def test_a_result_says_once_that_there_are_shots(kit, tmp_path, capfd, monkeypatch, flags, served):
    monkeypatch.setattr(notes, "_said", set())
    given = ("--face", kit / "cut.mp4", "--audio", kit / "a.wav", "--checkpoint_path", kit / "own.safetensors", *flags)
    assert infer(*given, "--outfile", tmp_path / "o.mp4", "--cache_dir", kit / "cache") == 0
    assert infer(*given, "--outfile", tmp_path / "p.mp4", "--cache_dir", kit / "cache") == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if "shots" in line]
    assert lines == [f"note: {kit / 'cut.mp4'}: 2 shots, cut at frame 7; the face is chosen anew in each{served}"]
    driven(kit, "even.mp4")
    assert "cut at" not in capfd.readouterr().err


def test_a_shot_without_a_face_is_left_as_it_is(kit, tmp_path):
    write_video(tmp_path / "gap.mp4", moving_portrait(8) + [blank()] * 4 + [other_portrait()] * 10)
    face = FaceOptions(selection=FaceSelection())
    track = prepare(FaceSource(tmp_path / "gap.mp4", face), face, store=TrackStore(None))
    assert track.cuts() == [12] and track.present.tolist() == [True] * 8 + [False] * 4 + [True] * 10
    assert not track.interpolated.any() and len(np.unique(track.shots)) == 3


def track_with(shots):
    count = len(shots)
    return FaceTrack(np.zeros((count, 68, 2), np.float32), np.ones(count, bool), np.zeros(count, bool), 8, 8, shots=shots)


def test_pictures_of_many_references_are_read_forward_and_few_are_held(monkeypatch):
    count, side, passes = 40, 8, []

    def frames(start=0, stop=None):
        passes.append(start)
        yield from (np.full((side, side, 3), number, np.uint8) for number in range(start, count if stop is None else stop))

    monkeypatch.setattr(ReferencePictures, "GROUP", 4)
    track = track_with(np.arange(count) // 2)
    crop = SimpleNamespace(extract=lambda frame: frame.copy())
    source = SimpleNamespace(frames=frames, path="a.mp4", still=False)
    references = tuple(range(0, count, 2))
    scene = Scene(source, track, [crop] * count, side, count, "pingpong", references)
    for number in references:
        one = scene.for_reference(scene.reference_of(number + 1))
        assert one.references == (number,) and (one.pictures([number]) == number).all()
        assert len(scene.reference_pictures) <= 8
    assert passes == [0], "one pass serves all groups as long as shots come in order"
    for number in reversed(references):
        assert (scene.for_reference(number).pictures([number]) == number).all()
    assert len(passes) == 1 + (len(references) - 8) // 4 and len(scene.reference_pictures) <= 8


def test_a_reference_that_the_source_does_not_have_is_named():
    source = SimpleNamespace(frames=lambda first: (np.zeros((8, 8, 3), np.uint8) for _ in range(1)), path="a.mp4", still=False)
    crops = [SimpleNamespace(extract=lambda frame: frame)] * 3
    scene = Scene(source, track_with(np.arange(3)), crops, 8, 3, "hold", (0, 1, 2))
    with pytest.raises(InputError, match="frame 1 of a.mp4: .*no such frame"):
        scene.for_reference(0).pictures([0])

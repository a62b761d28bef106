"""Whole videos before a judge: which pictures and which sound meet, tracks, and verdicts on real clips."""

from dataclasses import replace
from fractions import Fraction
from math import floor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.peers.syncnet_checkout import syncnet_state
from common.errors import InputError
from faces.crops import CropSpec, face_boxes
from faces.detectors import build_detector
from faces.tracking.track import track_face
from faces.tracking.tracked import FaceTrack
from media import VideoReader, decode_audio, probe
from metrics.footage import Footage, open_footage
from metrics.sync.crops import TrackRules, cut_square, find_tracks, jpeg_colours, recolour, track_squares, whole_frame
from metrics.sync.judges import load_judge
from metrics.sync.score import OVERLAP, PADDED, score_sync
from metrics.sync.video import judge_video
from models import build_model
from tests.conftest import ROOT
from tests.inference_kit import OWN
from tests.sync_kit import HEIGHT, RATE, RULES, WIDTH, Level, RedSpot, clicks, draw, flashes, write
from training.checkpoint import save_checkpoint

# which picture is on screen when


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([25, 24, 30, 50, 60, 100, 120, 240, 12, 15, "30000/1001", "24000/1001", "60000/1001", "1/2", "37/3"]),
       st.integers(1, 200))
def test_the_frames_at_25_a_second_are_the_readers(fps, count):
    fps, track = Fraction(fps), FaceTrack(np.zeros((count, 68, 2), np.float32), *np.ones((2, count), bool), WIDTH, HEIGHT)
    found = Footage("x", SimpleNamespace(fps=fps), track).sync_frames()
    begun = [floor((time + Fraction(1, 4)) / 25 * fps) for time in range(len(found))]
    assert found.tolist() == [min(at, count - 1) for at in begun]  # the last that has begun, at most 10 ms early
    assert abs(len(found) - max(1, count / fps * 25)) <= Fraction(3, 4)


@pytest.mark.parametrize("fps", [30, 50, 60, "30000/1001"])
@pytest.mark.parametrize("crop", ["tracked", "whole"])
def test_other_rates_are_judged_on_the_pictures_of_25_a_second(tmp_path, fps, crop):
    count = round(1.2 * Fraction(fps))
    path = write(tmp_path / "clip.mp4", [draw(at) for at in range(count)], fps)
    sound = clicks(1.2, [0.5])
    native, direct = Level(), Level()
    found = judge_video(open_footage(path, RedSpot()), (sound, RATE), native, crop, RULES)
    expected = judge_video(open_footage(path, RedSpot(), fps=25), (sound, RATE), direct, crop, RULES)
    frames = list(VideoReader(path, fps=25))
    assert len(frames) == 30 and found.score.windows == expected.score.windows == 25
    if crop == "whole":
        by_hand = [whole_frame(frame) for frame in frames]
    else:
        track = track_face(frames, RedSpot())
        squares = track_squares(find_tracks(face_boxes(track), RULES)[0], RULES)
        by_hand = [cut_square(frame, square) for frame, square in zip(frames, squares, strict=True)]
    by_hand = [recolour(one, jpeg_colours(probe(path).luma)) for one in by_hand]
    np.testing.assert_array_equal(native.shown[0], by_hand[:29])
    np.testing.assert_array_equal(direct.shown[0], by_hand[:29])
    np.testing.assert_array_equal(found.score.curve, expected.score.curve)


@pytest.mark.parametrize(("fps", "late"), [(25, 0), (30, 0), (50, 0), (25, 3), (50, 3), (30, -2)])
def test_a_flash_meets_its_click(tmp_path, fps, late):
    times = [0.2, 0.52, 0.8, 1.4]
    frames = [draw(*one) for one in enumerate(flashes(2 * fps, times, fps))]
    sound = clicks(2, [time + late / 25 for time in times])
    footage = open_footage(write(tmp_path / "clip.mp4", frames, fps), RedSpot())
    score = judge_video(footage, (sound, RATE), Level(), "whole").score
    assert score.offset == -late
    assert score.distance < 0.03 and (score.zero_distance > 0.1) == (late != 0)


def test_a_second_track_meets_its_own_sound(tmp_path):
    times, hidden = [0.2, 0.52, 2.2, 2.6], range(20, 50)
    frames = [draw(at, level, at not in hidden) for at, level in enumerate(flashes(80, times))]
    footage = open_footage(write(tmp_path / "clip.mp4", frames), RedSpot())
    samples = clicks(3.2, times, 44100)
    judge = Level()
    found = judge_video(footage, (samples, 44100), judge, "tracked", RULES)
    assert found.tracks == 2 and found.score.windows == 15 + 25 and found.lips.shape == (40, 1)
    assert [len(shown) for shown in judge.shown] == [19, 29] and found.score.offset == 0
    np.testing.assert_array_equal(judge.heard[0], samples[:, : 20 * 1764])
    np.testing.assert_array_equal(judge.heard[1], samples[:, 50 * 1764 :])
    single = [score_sync(*parts, PADDED) for parts in ((found.lips[:15], judge.sound(judge.heard[0], 44100, 15)),
                                               (found.lips[15:], judge.sound(judge.heard[1], 44100, 25)))]  # fmt: skip
    curve = (15 * single[0].curve + 25 * single[1].curve) / 40
    np.testing.assert_allclose(found.score.curve, curve, rtol=1e-6)
    assert found.score.distance == pytest.approx(curve.min()) and found.score.zero_distance == pytest.approx(curve[15])
    assert found.score.confidence == pytest.approx(np.median(curve) - curve.min(), abs=1e-6)
    assert found.notes == ("2 face tracks were judged together, each window with the same weight",)


def test_the_offset_is_that_of_all_tracks_together(tmp_path):
    times, hidden = [0.2, 0.52, 2.2, 2.6], range(20, 50)
    frames = [draw(at, level, at not in hidden) for at, level in enumerate(flashes(80, times))]
    footage = open_footage(write(tmp_path / "clip.mp4", frames), RedSpot())
    sound = clicks(3.2, [0.32, 2.32, 2.72])
    assert judge_video(footage, (sound, RATE), Level(), "tracked", RULES).score.offset == -3


def test_short_runs_between_gaps_do_not_count_and_are_noted(tmp_path):
    """A face that is lost now and then: the scraps between the gaps have sound of their own, and the long run decides."""
    scraps = [range(at, at + 12) for at in (0, 24, 48)]  # 12 frames, 7 windows each, 12 frames without a face between them
    seen = {frame for scrap in scraps for frame in scrap} | set(range(72, 160))
    times = [0.08, 1.04, 2.0, 3.2, 3.6, 4.2, 4.6, 5.0]
    frames = [draw(at, level, at in seen) for at, level in enumerate(flashes(160, times))]
    footage = open_footage(write(tmp_path / "clip.mp4", frames), RedSpot())
    late = [0.28, 1.24, 2.2]  # in the scraps the sound is five frames late, in the long run it is not
    judge = Level(CropSpec("aligned", 96), OVERLAP)
    found = judge_video(footage, (clicks(6.4, late + times[3:]), RATE), judge)
    assert found.score.windows == 83 and found.score.left_out == 21 and found.tracks == 1 and len(found.lips) == 104
    assert found.notes == ("21 windows of 3 face tracks were left out of the sync figures: each of these is shorter than 25 "
                           "windows",)
    alone = score_sync(found.lips[21:], judge.sound(judge.heard[3], RATE, 83), OVERLAP)
    np.testing.assert_array_equal(found.score.curve, alone.curve)
    assert found.score.offset == 0 and found.score.distance < 0.03
    with pytest.raises(InputError, match=r"clip\.mp4: too short to be judged: the longest run has 12 frames; .* needs 45"):
        judge_video(open_footage(footage.path, RedSpot(), limit=70), (clicks(2.8, late), RATE), judge)


def test_a_judge_with_a_crop_of_its_own_gets_runs_with_a_face(tmp_path):
    frames = [draw(at, seen=at not in range(30, 42) and at != 10) for at in range(70)]
    footage = open_footage(write(tmp_path / "clip.mp4", frames), RedSpot())
    judge, spec = Level(CropSpec("aligned", 96)), CropSpec("aligned", 96)
    found = judge_video(footage, (clicks(2.8, [0.5]), RATE), judge, "whole")  # the crop is the judge's own affair
    assert found.tracks == 2 and [len(shown) for shown in judge.shown] == [29, 27]
    plan = footage.crops(spec)
    read = list(footage.frames())
    np.testing.assert_array_equal(judge.shown[0], [plan[at].extract(read[at]) for at in range(29)])
    np.testing.assert_array_equal(judge.shown[1], [plan[at].extract(read[at]) for at in range(42, 69)])


def test_a_crop_of_its_own_lies_on_the_same_frames_at_50_a_second(tmp_path):
    path = write(tmp_path / "clip.mp4", [draw(at, seen=not 40 <= at < 80) for at in range(120)], 50)
    footage, judge, spec = open_footage(path, RedSpot()), Level(CropSpec("aligned", 96)), CropSpec("aligned", 96)
    assert judge_video(footage, (clicks(2.4, [0.5]), RATE), judge).tracks == 2
    plan, read = footage.crops(spec), list(footage.frames())
    np.testing.assert_array_equal(judge.shown[0], [plan[at].extract(read[at]) for at in range(0, 38, 2)])
    np.testing.assert_array_equal(judge.shown[1], [plan[at].extract(read[at]) for at in range(80, 118, 2)])


def test_rules_reach_the_crop(tmp_path):
    footage = open_footage(write(tmp_path / "clip.mp4", [draw(at) for at in range(12)]), RedSpot())
    wide, narrow = Level(), Level()
    judge_video(footage, (clicks(0.48, []), RATE), wide, "tracked", RULES)
    judge_video(footage, (clicks(0.48, []), RATE), narrow, "tracked", replace(RULES, crop_scale=0.1))
    assert np.abs(np.float32(wide.shown[0]) - narrow.shown[0]).mean() > 5


# what cannot be judged


def test_what_is_too_short_or_too_small_is_refused(tmp_path):
    path = write(tmp_path / "clip.mp4", [draw(at) for at in range(40)])
    footage = open_footage(path, RedSpot())
    for sound in (clicks(0.2, []), np.zeros((1, 0), np.float32)):
        for judge in (Level(), Level(CropSpec("aligned", 96))):
            with pytest.raises(InputError, match=r"clip\.mp4: too short to be judged.*at least 6 frames"):
                judge_video(footage, (sound, RATE), judge, "whole")
    short = open_footage(path, RedSpot(), limit=5)
    with pytest.raises(InputError, match=r"clip\.mp4: too short to be judged"):
        judge_video(short, (clicks(2, []), RATE), Level(), "whole")
    assert judge_video(open_footage(path, RedSpot(), limit=6), (clicks(2, []), RATE), Level(), "whole").score.windows == 1
    with pytest.raises(InputError, match=r"clip\.mp4: the longest face track has 40 detections; more than 100"):
        judge_video(footage, (clicks(2, []), RATE), Level())
    with pytest.raises(InputError, match=r"clip\.mp4: the face is 84 pixels large"):
        judge_video(footage, (clicks(2, []), RATE), Level(), "tracked", TrackRules(min_track=20))


def test_a_track_without_sound_is_left_out(tmp_path):
    frames = [draw(at, seen=at not in range(20, 50)) for at in range(80)]
    footage = open_footage(write(tmp_path / "clip.mp4", frames), RedSpot())
    found = judge_video(footage, (clicks(1, [0.2]), RATE), Level(), "tracked", RULES)
    assert found.tracks == 1 and found.score.windows == 15


# the judges themselves


@pytest.fixture(scope="module")
def judges(tmp_path_factory):
    """Both kinds, with seeded weights."""
    folder = tmp_path_factory.mktemp("judges")
    torch.save(syncnet_state(), folder / "syncnet_v2.model")
    torch.manual_seed(0)
    config = {"name": "syncnet_color", "face_size": 96, "width": 0.25}
    save_checkpoint(folder / "expert.safetensors", build_model(config), {"model": config, "data": OWN, "training": {}})
    return [load_judge(folder / name) for name in ("syncnet_v2.model", "expert.safetensors")]


@pytest.mark.parametrize(("which", "crop"), [(0, "tracked"), (0, "whole"), (1, "tracked")])
def test_a_real_judge_from_file_to_verdict(tmp_path, judges, which, crop):
    judge, count = judges[which], 45 if which else 24
    footage = open_footage(write(tmp_path / "clip.mp4", [draw(at) for at in range(count)]), RedSpot())
    samples = np.random.default_rng(0).normal(0, 0.1, (2, count * 1764)).astype(np.float32)
    found = judge_video(footage, (samples, 44100), judge, crop, RULES)
    frames = list(footage.frames())
    if which:
        crops = [one.extract(frame) for one, frame in zip(footage.crops(judge.crop_spec), frames, strict=True)]
    elif crop == "whole":
        crops = [whole_frame(frame) for frame in frames]
    else:
        squares = track_squares(find_tracks(footage.boxes(), RULES)[0], RULES)
        crops = [cut_square(frame, square) for frame, square in zip(frames, squares, strict=True)]
    if not which:
        crops = [recolour(one, jpeg_colours(footage.info.luma)) for one in crops]
    lips, sound = judge.lips(crops[:-1]), judge.sound(samples, 44100, count - 5)
    expected = score_sync(lips, sound, judge.rule)
    assert found.tracks == 1 and found.lips.shape == (count - 5, judge.dimension) and found.lips.dtype == np.float32
    np.testing.assert_allclose(found.lips, lips, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.score.curve, expected.curve, rtol=1e-5)
    flat = 1e-4 if which else 1e-3  # zeros beyond the ends, which the published rule has, make a curve uneven
    assert found.score.windows == count - 5 and np.ptp(found.score.curve) > flat


@pytest.fixture(scope="module")
def spoken(shared_media, request):
    """[(Footage, sound)] of two GRID clips, and the expert that was trained on GRID."""
    clips = sorted((shared_media / "grid" / "s1" / "video").iterdir())[:2]
    detector = build_detector("mediapipe")
    request.addfinalizer(detector.close)
    expert = load_judge(request.config.rootpath / "checkpoints" / "expert_grid.safetensors")
    return [(open_footage(clip, detector), decode_audio(clip)) for clip in clips], expert


@pytest.mark.media
def test_the_expert_knows_real_speech(spoken):
    clips, expert = spoken
    own = []
    for footage, (samples, rate) in clips:
        own.append(judge_video(footage, (samples, rate), expert).score)
        assert own[-1].offset == 0 and own[-1].windows >= 65
        late = np.pad(samples, ((0, 0), (rate // 5, 0)))
        shifted = judge_video(footage, (late, rate), expert).score
        assert abs(shifted.offset + 5) <= 1 and shifted.zero_distance > own[-1].zero_distance + 0.1
        assert shifted.distance == pytest.approx(own[-1].distance, abs=0.1)
    for at, other in ((0, 1), (1, 0)):
        strange = judge_video(clips[at][0], clips[other][1], expert).score
        assert strange.zero_distance > own[at].zero_distance + 0.1  # at its best shift another GRID sentence may be as near
    read = decode_audio(ROOT / "samples" / "speech.wav")
    for (footage, _), mine in zip(clips, own, strict=True):
        strange = judge_video(footage, read, expert).score
        assert strange.distance > mine.distance and strange.zero_distance > mine.zero_distance
        assert strange.confidence < mine.confidence


@pytest.mark.media
def test_a_held_real_face_says_nothing(spoken):
    (footage, sound), expert = spoken[0][0], spoken[1]
    moving, still = judge_video(footage, sound, expert).score, judge_video(footage.held(0), sound, expert).score
    assert still.zero_distance > moving.zero_distance and still.confidence < moving.confidence

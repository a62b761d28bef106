"""Head pose, eyes, brows and trembling from landmarks: made geometry with known answers, and real clips looked at."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces.detectors import build_detector
from faces.landmarks import CANONICAL_STABLE, MIRROR, STABLE
from faces.tracking.tracked import FaceTrack
from metrics.footage import Footage, open_footage
from metrics.formulas.eyes import brow_height, eye_opening
from metrics.formulas.head_pose import MEAN_HEAD, angle_difference, head_angles, head_rotation
from metrics.formulas.series import LEAST_FRAMES, correlate, spread_ratio
from metrics.measures.base import Pair, View
from metrics.measures.expression import Expression
from metrics.measures.head_pose import HeadPose
from metrics.measures.jitter import Jitter
from tests.faces_kit import plain_face

ANGLES = st.floats(-60, 60)


def rotation_of(yaw, pitch, roll):
    """(3, 3) float64 rotation with these angles in degrees: what `head_angles` takes apart."""
    yaw, pitch, roll = np.radians([yaw, pitch, roll])
    about_y = [[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]]
    about_x = [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    about_z = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    return np.array(about_y) @ about_x @ about_z


def turned(yaw, pitch, roll, scale=40.0, middle=(100.0, 80.0)):
    """(68, 2) landmarks of the mean head in this pose; the points that no fit uses are NaN-free, but anywhere."""
    points = np.random.default_rng(0).uniform(0, 200, (68, 2))
    points[list(STABLE)] = (MEAN_HEAD @ rotation_of(yaw, pitch, roll).T)[:, :2] * scale + middle
    return points


def pair(made, real):
    """Pair of two sequences of landmarks, (n, 68, 2)."""
    return Pair(None, None, np.arange(len(made)), [], np.asarray(made, float), np.asarray(real, float))


def footage(landmarks, present=None, interpolated=None):
    """Footage of a track alone."""
    count = len(landmarks)
    there = np.ones(count, bool) if present is None else np.asarray(present)
    filled = np.zeros(count, bool) if interpolated is None else np.asarray(interpolated)
    track = FaceTrack(np.asarray(landmarks, np.float32), there, filled, 200, 200)
    return Footage("x", SimpleNamespace(fps=Fraction(25)), track)


def jitter_of(made, real):
    return Jitter().look(View(made, real, None, "", None, None)).values


# head pose


@settings(deadline=None, max_examples=100)
@given(ANGLES, ANGLES, ANGLES, st.floats(5, 200), st.floats(-50, 300), st.floats(-50, 300))
def test_the_angles_of_a_projected_head_are_found_exactly(yaw, pitch, roll, scale, x, y):
    found = head_angles(turned(yaw, pitch, roll, scale, (x, y)))
    np.testing.assert_allclose(found, [yaw, pitch, roll], atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(ANGLES, ANGLES, ANGLES)
def test_a_rotation_and_its_angles_belong_together(yaw, pitch, roll):
    rotation = head_rotation(turned(yaw, pitch, roll))
    np.testing.assert_allclose(rotation, rotation_of(yaw, pitch, roll), atol=1e-9)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_the_signs_are_those_that_are_documented():
    """Nose tip against the eyes: right of them for yaw > 0, higher for pitch > 0; the left eye is lower for roll > 0."""
    tip, bridge, right_eye, left_eye = (STABLE.index(one) for one in (30, 27, 36, 45))
    at_rest = MEAN_HEAD[:, :2]
    for angles, moved in (((20, 0, 0), (1, 0)), ((-20, 0, 0), (-1, 0)), ((0, 20, 0), (0, -1)), ((0, -20, 0), (0, 1))):
        shown = (MEAN_HEAD @ rotation_of(*angles).T)[:, :2]
        drift = (shown[tip] - shown[bridge]) - (at_rest[tip] - at_rest[bridge])
        assert drift @ moved > 0.05
    shown = (MEAN_HEAD @ rotation_of(0, 0, 20).T)[:, :2]
    assert shown[left_eye, 1] > shown[right_eye, 1], "clockwise as one sees it: the eye on the right of the picture sinks"


def test_a_mirrored_face_turns_the_other_way():
    points = turned(15, -8, 5)
    mirrored = points[list(MIRROR)] * [-1, 1]
    np.testing.assert_allclose(head_angles(mirrored), [-15, -8, -5], atol=1e-6)


def test_the_mean_head_is_the_mean_face_with_a_depth():
    np.testing.assert_allclose(MEAN_HEAD[:, :2], CANONICAL_STABLE, atol=0.015)
    np.testing.assert_allclose(MEAN_HEAD[[9, 10]] * [-1, 1, 1], MEAN_HEAD[[8, 7]], atol=1e-9)
    assert MEAN_HEAD[STABLE.index(30), 2] < MEAN_HEAD[STABLE.index(27), 2] < 0 < MEAN_HEAD[STABLE.index(36), 2]


def test_noise_of_a_pixel_moves_the_angles_by_degrees_and_no_face_is_no_number():
    random = np.random.default_rng(1)
    noisy = np.stack([turned(10, 5, -3) + random.normal(0, 0.5, (68, 2)) for _ in range(200)])
    assert np.abs(head_angles(noisy).mean(0) - [10, 5, -3]).max() < 0.5 and head_angles(noisy).std(0).max() < 4
    lost = np.full((3, 68, 2), np.nan)
    lost[1] = turned(10, 5, -3)
    found = head_angles(lost)
    assert np.isnan(found[[0, 2]]).all() and np.isfinite(found[1]).all()


def test_differences_go_the_short_way_round():
    np.testing.assert_allclose(angle_difference([179, -179, 10], [-179, 179, -10]), [-2, 2, 20])


def test_errors_and_correlations_of_known_movements():
    time = np.arange(40)
    real = [turned(10 * np.sin(t / 4), 5 * np.cos(t / 3), 0.2 * t) for t in time]
    made = [turned(10 * np.sin(t / 4) + 3, -5 * np.cos(t / 3), 0.2 * t) for t in time]
    found = HeadPose().compare(pair(made, real))
    assert found["yaw_error"] == pytest.approx(3) and found["roll_error"] == pytest.approx(0, abs=1e-6)
    assert found["pitch_error"] == pytest.approx(np.abs(10 * np.cos(time / 3)).mean())
    assert found["yaw_correlation"] == pytest.approx(1) and found["pitch_correlation"] == pytest.approx(-1)
    held = HeadPose().compare(pair([real[0]] * 40, real))
    assert held["yaw_error"] == pytest.approx(np.abs(10 * np.sin(time / 4)).mean())
    assert {held[f"{name}_correlation"] for name in ("yaw", "pitch", "roll")} == {None}
    itself = HeadPose().compare(pair(real, real))
    assert {round(value, 9) for value in itself.values()} == {0.0, 1.0}
    assert set(found) == {column.key for column in HeadPose.columns}


def test_a_head_that_lies_upside_down_is_followed_over_180_degrees():
    real = [turned(0, 0, 170 + t) for t in range(20)]
    found = HeadPose().compare(pair([turned(0, 0, 172 + t) for t in range(20)], real))
    assert found["roll_error"] == pytest.approx(2) and found["roll_correlation"] == pytest.approx(1)


# eyes and brows


def face(eyes=0.3, brows=0.0):
    """(68, 2): a plain face whose eyes have this opening and whose brows are raised by so many eye distances."""
    points = plain_face(100, 80, 40).astype(np.float64)
    for start in (36, 42):
        left, right = points[start], points[start + 3]
        width = np.linalg.norm(right - left)
        for lid, (above, below) in enumerate(((1, 5), (2, 4)), 1):
            middle = left + (right - left) * lid / 3
            points[start + above], points[start + below] = middle - (0, eyes * width / 2), middle + (0, eyes * width / 2)
    points[17:27, 1] = points[36, 1] - (0.2 + brows) * np.linalg.norm(points[45] - points[36])
    return points


@pytest.mark.parametrize("turn", [0, 30, -75])
def test_eye_opening_and_brow_height_do_not_depend_on_place_size_and_roll(turn):
    angle = np.radians(turn)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * 2.5
    points = face(0.25, 0.05) @ matrix.T + (30, -20)
    assert eye_opening(points) == pytest.approx(0.25) and eye_opening(points[None]).shape == (1,)
    level = face(0.25, 0.05)
    assert brow_height(points) == pytest.approx(brow_height(level)) and brow_height(level) > 0.2
    assert brow_height(face(0.1, 0.1)) - brow_height(face(0.4, 0.0)) == pytest.approx(0.1)
    assert np.isnan(eye_opening(np.full((2, 68, 2), np.nan))).all() and np.isnan(brow_height(np.full((68, 2), np.nan)))


def test_blinks_and_brows_against_the_real_ones():
    time = np.arange(60)
    blink = 0.3 - 0.2 * (time % 20 < 3)
    raised = 0.03 * np.sin(time / 5)
    real = [face(*one) for one in zip(blink, raised, strict=True)]
    half = [face(*one) for one in zip(0.3 - (0.3 - blink) / 2, raised, strict=True)]
    found = Expression().compare(pair(half, real))
    assert found["eyes_range"] == pytest.approx(0.5) and found["eyes_correlation"] == pytest.approx(1)
    assert found["brows_range"] == pytest.approx(1) and found["brows_correlation"] == pytest.approx(1)
    late = Expression().compare(pair([face(*one) for one in zip(np.roll(blink, 7), -raised, strict=True)], real))
    assert late["eyes_range"] == pytest.approx(1) and abs(late["eyes_correlation"]) < 0.3
    assert late["brows_correlation"] == pytest.approx(-1)
    stare = Expression().compare(pair([real[5]] * 60, real))
    assert stare == {"eyes_correlation": None, "eyes_range": 0, "brows_correlation": None, "brows_range": 0}


# trembling


def test_jitter_is_the_second_difference_over_the_real_ones():
    random, still = np.random.default_rng(2), plain_face(100, 80, 40).astype(np.float64)
    noise = random.normal(0, 1, (60, 68, 2))
    real, triple = (footage(still + 2 * np.arange(60)[:, None, None] + size * noise) for size in (0.2, 0.6))
    found = jitter_of(triple, real)
    assert found["jitter"] == pytest.approx(3, rel=1e-3) and found["jitter_mouth"] == pytest.approx(3, rel=1e-3)
    assert jitter_of(real, real) == {"jitter": 1, "jitter_mouth": 1}
    assert jitter_of(footage(np.repeat(still[None], 60, 0)), real) == {"jitter": 0, "jitter_mouth": 0}
    mouth = noise.copy()
    mouth[:, 48:] *= 2
    found = jitter_of(footage(still + 0.2 * mouth), footage(still + 0.2 * noise))
    assert found["jitter"] == pytest.approx(1) and found["jitter_mouth"] == pytest.approx(2, rel=1e-3)
    doubled = footage(2 * (still + 0.2 * noise))
    assert jitter_of(doubled, footage(still + 0.2 * noise))["jitter"] == pytest.approx(1, rel=1e-3), "the size does not count"
    even = footage(still + np.arange(60)[:, None, None])
    assert jitter_of(even, real)["jitter"] < 1e-3, "a head that moves evenly does not tremble"


def test_jitter_leaves_out_frames_beside_gaps_and_is_undefined_for_too_few():
    still = plain_face(100, 80, 40).astype(np.float64)
    moved = still + np.random.default_rng(3).normal(0, 0.2, (60, 68, 2))
    wild, present = moved.copy(), np.ones(60, bool)
    wild[30:33] += 500
    present[30:33] = False
    found = jitter_of(footage(wild, present), footage(moved))
    assert 0.9 < found["jitter"] < 1.1
    assert 0.9 < jitter_of(footage(wild, interpolated=~present), footage(moved))["jitter"] < 1.1, "interpolated is not seen"
    assert jitter_of(footage(moved[: LEAST_FRAMES + 1]), footage(moved))["jitter"] is None
    assert jitter_of(footage(moved[: LEAST_FRAMES + 2]), footage(moved))["jitter"] is not None
    assert jitter_of(footage(moved), footage(np.repeat(still[None], 60, 0)))["jitter"] is None


# short clips count as much as long ones, so they give no correlation by chance


def test_a_correlation_and_a_spread_need_ten_frames():
    series = np.sin(np.arange(30.0))
    assert correlate(series[:9], series[:9]) is None and spread_ratio(series[:9], series[:9]) is None
    assert correlate(series[:10], 2 * series[:10]) == pytest.approx(1) and spread_ratio(2 * series[:10], series[:10]) == 2
    assert correlate(series, np.ones(30)) is None and spread_ratio(series, np.ones(30)) is None
    assert spread_ratio(np.ones(30), series) == 0


# real clips


@pytest.mark.media
def test_real_heads_turn_by_believable_angles(shared_media, request):
    detector = build_detector("mediapipe")
    request.addfinalizer(detector.close)
    clip = sorted((shared_media / "grid" / "s1" / "video").iterdir())[0]
    seen = open_footage(clip, detector)
    angles = head_angles(seen.track.landmarks[seen.detected])
    assert np.abs(angles).max() < 20, "a GRID speaker looks into the camera"
    assert np.abs(np.diff(angles, axis=0)).max() < 5
    points = seen.track.landmarks[seen.detected].astype(float)
    mirrored = points[:, list(MIRROR)] * [-1, 1]
    np.testing.assert_allclose(head_angles(mirrored), angles * [-1, 1, -1], atol=1e-4)
    assert 0.1 < np.median(eye_opening(points)) < 0.5 and 0.05 < np.median(brow_height(points)) < 0.5
    held = seen.held(int(np.flatnonzero(seen.detected)[0]))
    assert jitter_of(held, seen) == {"jitter": 0, "jitter_mouth": 0} and jitter_of(seen, seen)["jitter"] == 1

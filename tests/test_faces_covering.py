"""Covered mouths: which frames are named, how the drawn mouth goes and comes back, and what a track keeps of it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.faces.covers import KINDS, Thing
from faces.detectors import build_detector
from faces.tracking.covering import (
    LIKELY,
    RISE,
    SIDE,
    SURE,
    CoverDetector,
    cover_scores,
    covered_frames,
    lower_face,
    paste_opacity,
)
from faces.tracking.track import track_face
from faces.tracking.tracked import FaceTrack
from tests.faces_kit import plain_face
from tests.inference_kit import moving_portrait


@pytest.fixture(scope="module")
def detector():
    found = build_detector("mediapipe")
    yield found
    found.close()


def boxed(frame, colour=(70, 70, 70)):
    """The portrait with a box before its mouth."""
    out = frame.copy()
    cv2.rectangle(out, (88, 128), (172, 172), colour, -1)
    return out


def test_a_box_before_the_mouth_is_named_with_its_frames(detector, tmp_path):
    frames = moving_portrait(24)
    assert not track_face(frames, detector).covered.any()
    track = track_face([boxed(frame) if 8 <= at < 17 else frame for at, frame in enumerate(frames)], detector)
    assert np.flatnonzero(track.covered).tolist() == list(range(8, 17))
    track.save(tmp_path / "track.npz")
    np.testing.assert_array_equal(FaceTrack.load(tmp_path / "track.npz").covered, track.covered)
    np.testing.assert_array_equal(track.first(10).covered, track.covered[:10])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mask"])  # some of these it takes for skin
def test_things_before_a_portrait_raise_its_score(detector, kind):
    frame = moving_portrait(1)[0]
    (face, *_) = detector.detect(frame)
    points = face.landmarks.astype(np.float64)
    made = [Thing(kind, seed, (0, 0), 1.1, 0, 1, 0, 0.0).on(frame, points, 0) for seed in range(3)]
    assert all(share > 0.9 for _, share in made)
    free, *covered = cover_scores(np.stack([lower_face(one, points) for one in (frame, *(one for one, _ in made))]))
    assert np.median(covered) > max(free + 6, 5)


def test_a_rise_in_a_shot_is_named_a_face_that_looks_so_all_along_is_not():
    free, hidden = LIKELY - RISE - 1.0, LIKELY + 0.5
    scores = np.full(60, free)
    scores[20:40] = hidden
    assert np.flatnonzero(covered_frames(scores, 25)).tolist() == list(range(20, 40))
    assert not covered_frames(np.full(60, hidden), 25).any()
    assert covered_frames(np.full(60, SURE + 0.5), 25).all()
    assert covered_frames([SURE + 0.5], 25).all()  # a picture
    shots = np.repeat([0, 1], 30)
    assert not covered_frames(np.where(shots == 1, hidden, free), 25, shots).any()


def test_a_single_wrong_score_names_nothing_and_a_short_gap_is_closed():
    scores = np.full(50, -5.0)
    scores[10] = 12
    assert not covered_frames(scores, 25).any()
    scores[20:40] = 9
    scores[30:32] = -5
    assert np.flatnonzero(covered_frames(scores, 25)).tolist() == list(range(20, 40))
    scores[30:32] = np.nan
    scores[41:] = np.nan
    named = covered_frames(scores, 25)
    assert named[20:30].all() and named[32:40].all() and not named[41:].any()
    assert not covered_frames(np.full(5, np.nan), 25).any() and not len(covered_frames([], 25))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.booleans(), max_size=60), st.floats(5, 120))
def test_shares_are_0_where_covered_and_come_back_over_a_tenth_of_a_second(covered, fps):
    opacity = paste_opacity(covered, fps)
    assert opacity.dtype == np.float32 and len(opacity) == len(covered)
    np.testing.assert_array_equal(opacity == 0, np.asarray(covered, bool))
    step = 1 / (max(1, round(0.12 * fps)) + 1)
    assert np.abs(np.diff(opacity)).max(initial=0) <= step + 1e-6
    assert any(covered) or (opacity == 1).all()


def test_the_fade_beside_covered_frames_ends_at_a_cut():
    covered, shots = np.zeros(20, bool), np.repeat([0, 1], 10)
    covered[8:10] = True
    opacity = paste_opacity(covered, 25, shots)
    assert (opacity[10:] == 1).all() and 0 < opacity[7] < 1
    assert (paste_opacity(~covered, 25, shots)[8:10] > 0).all() and not paste_opacity(~covered, 25, shots)[10:].any()
    np.testing.assert_array_equal(opacity[:10], paste_opacity(covered[:10], 25))


def test_the_detector_keeps_a_number_a_frame_and_takes_faces_anywhere():
    detector, frame = CoverDetector(), np.full((60, 80, 3), 90, np.uint8)
    lost = np.full((68, 2), np.nan)
    places = [plain_face(40, 25, 15), None, plain_face(-400, 9000, 2), lost, np.zeros((68, 2)), plain_face(40, 25, 4000)]
    for points in places * 12:
        detector.add(frame, points)
    scores = detector.scores()
    assert scores.shape == (72,) and scores.dtype == np.float32
    known = [points is not None and bool(np.isfinite(points).all()) for points in places]
    np.testing.assert_array_equal(np.isfinite(scores), known * 12)
    assert lower_face(frame, places[0]).shape == (SIDE, SIDE, 5)
    assert CoverDetector().scores().shape == (0,)

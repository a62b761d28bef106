import time

import numpy as np
import pytest

from common.errors import InputError
from faces.landmarks import INNER_LIP_BOTTOM, INNER_LIP_TOP
from faces.tracking.tracked import FaceTrack
from pipeline.references.choice import choose_reference, choose_references


def head(opening, yaw=0.0, scale=1.0):
    """(68, 2) float32 of a plain face with eyes 60 pixels apart and a mouth that is open by `opening` eye distances."""
    points = np.zeros((68, 2), np.float32)
    points[36], points[45] = (-30, 0), (30, 0)
    points[30] = (60 * yaw, 30)
    points[48:68] = (0, 60)
    points[INNER_LIP_TOP], points[INNER_LIP_BOTTOM] = (0, 60), (0, 60 + 60 * opening)
    return points * scale + 128


def track_of(heads, absent=(), guessed=()):
    landmarks = np.stack(heads).astype(np.float32)
    present, interpolated = np.ones(len(heads), bool), np.zeros(len(heads), bool)
    present[list(absent)], interpolated[list(guessed)] = False, True
    landmarks[~present] = np.nan
    return FaceTrack(landmarks, present, interpolated, 256, 256)


def test_a_mouth_at_rest_and_a_usual_pose_are_taken():
    heads = [head(0.25 + 0.1 * np.sin(t)) for t in range(40)]
    heads[7] = head(0.16, yaw=0.5)  # at rest, but turned away
    heads[11] = head(0.16, scale=1.6)  # at rest, but much nearer
    heads[13] = head(0.0)  # shut tighter than usual
    chosen = choose_reference(track_of(heads))
    opening = 0.25 + 0.1 * np.sin(chosen)
    assert chosen not in (7, 11, 13)
    assert 0.14 < opening < 0.21


def test_only_frames_that_were_really_seen_are_taken():
    heads = [head(0.3)] * 20
    heads[4] = heads[5] = head(0.1)
    assert choose_reference(track_of(heads, absent=[4], guessed=range(6, 20))) in (0, 1, 2, 3, 5)
    assert choose_reference(track_of(heads, absent=range(1, 20))) == 0


def test_a_track_without_a_face_is_refused():
    with pytest.raises(InputError, match="reference"):
        choose_reference(track_of([head(0.1)] * 3, absent=[0, 1, 2]))


BEST = 18


def ordinary(count=30):
    """Track of a face that speaks in constant light, equally sharp in all frames; frame BEST is the one by its landmarks."""
    heads = [head(0.25 + 0.05 * np.sin(t)) for t in range(count)]
    track = track_of(heads)
    track.light = np.full((count, 3), (120.0, 90.0, 80.0), np.float32) + np.random.default_rng(0).normal(0, 1, (count, 3))
    track.detail = np.full(count, 0.1, np.float32)
    assert choose_reference(track) == BEST
    return track


def spoil_light(track, frames):
    track.light[frames] *= 0.6


def spoil_detail(track, frames):
    track.detail[frames] *= 0.6


def cover(track, frames):
    track.covered = np.isin(np.arange(len(track)), frames)


def move_out(track, frames):
    track.landmarks[frames, 0] = (-30, 100)


def jerk(track, frames):
    track.landmarks[frames[::2]] += (9, 0)


@pytest.mark.parametrize("spoil", [spoil_light, spoil_detail, cover, move_out, jerk])
def test_a_frame_that_is_dark_blurred_covered_cut_off_or_moved_is_not_taken(spoil):
    track = ordinary()
    spoil(track, [BEST - 1, BEST, BEST + 1])
    assert choose_reference(track) not in (BEST - 1, BEST, BEST + 1)
    spoil(track, list(range(30)))  # where all are alike, one is taken still
    assert choose_reference(track) in range(30)


def test_each_shot_has_its_own():
    track = ordinary()
    track.shots = (np.arange(30) >= 20).astype(int)
    track.present[20:24] = False
    track.landmarks[20:24] = np.nan
    found = choose_references(track)
    assert found[0] < 20 and found[1] >= 24 and choose_reference(track) == found[0]
    spoil_light(track, slice(0, 20))  # a shot is compared with itself
    assert choose_references(track) == found


def test_where_nothing_was_measured_landmarks_decide():
    track = ordinary()
    track.light = track.detail = None
    assert choose_reference(track) == BEST
    track.light, track.detail = np.full((30, 3), np.nan, np.float32), np.full(30, np.nan, np.float32)
    assert choose_reference(track) == BEST


def test_the_time_grows_with_the_length_not_with_its_square():
    count, noise = 20_000, np.random.default_rng(0)
    track = track_of([head(0.25)] * count)
    track.landmarks += noise.normal(size=track.landmarks.shape)
    track.shots, track.covered = np.arange(count) // 75, np.zeros(count, bool)
    began = time.process_time()
    assert len(choose_references(track)) == 267
    assert time.process_time() - began < 3

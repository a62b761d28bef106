import numpy as np
import pytest

from common.errors import InputError
from faces.landmarks import INNER_LIP_BOTTOM, INNER_LIP_TOP
from faces.track import FaceTrack
from pipeline.reference import choose_reference


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

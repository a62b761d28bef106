"""AV offsets by the judge: found where they are known, doubted where there are none, sure only where a clip is long enough."""

import pickle

import numpy as np
import pytest

import prepare
from datasets.av_judge import MIN_FRAMES, JudgeOffset
from datasets.av_offset import NOTHING
from faces.mouth import canonical_mouth
from tests.synthetic import RATE, opening_track, voice
from tests.test_av_offset import SECONDS, face_of, moved
from training.checkpoint import load_checkpoint

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def judge():
    return JudgeOffset([load_checkpoint(path, expect="lip_sync").model for path in prepare.AV_JUDGES], "judge")


@pytest.fixture(scope="module")
def talk():
    """(mouth opening at 16 kHz, its sound)."""
    opening = opening_track(SECONDS, 5)
    return opening, voice(opening, 5).astype(np.float32)


@pytest.mark.parametrize(("fps", "late"), [(25, -0.32), (25, 0.0), (30, -0.12), (50, 0.36)])
def test_moved_sound_is_found(judge, talk, fps, late):
    """Positive: the sound trails the picture; counted in frames of the clip's own rate."""
    opening, sound = talk
    found = judge(moved(sound, late), face_of(opening, fps), fps)
    assert found.sure and found.frames == pytest.approx(late * fps, abs=fps / 25)


def test_other_sound_is_not_sure(judge, talk):
    opening, sound = talk
    face = face_of(opening, 25)
    assert not judge(voice(opening_track(SECONDS, 6), 6).astype(np.float32), face, 25).sure
    assert not judge(np.ascontiguousarray(sound[::-1]), face, 25).sure


def test_nothing_to_measure(judge, talk):
    opening, sound = talk
    face = face_of(opening, 25)
    assert judge(sound, face_of(0 * opening, 25), 25) == NOTHING, "a still mouth"
    assert judge(sound[: MIN_FRAMES * 640 - 1], face, 25) == NOTHING and judge(sound, face[: MIN_FRAMES - 1], 25) == NOTHING
    assert judge(0 * sound, face, 25) == NOTHING and judge(sound[:0], face[:0], 25) == NOTHING
    short = judge(sound[: MIN_FRAMES * 640], face[:MIN_FRAMES], 25)
    assert abs(short.frames) <= 9 and short.confidence < judge(sound, face, 25).confidence, "short clips need more"
    assert judge(sound[: int(RATE * 1.7)], face_of(opening, 59.94), 59.94).confidence > 0


def test_place_and_size_of_the_face_do_not_matter(judge, talk):
    opening, sound = talk
    face = face_of(opening, 25)
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    one, other = judge(sound, face, 25), judge(sound, 3.7 * face @ turn + 200, 25)
    assert one.frames == pytest.approx(other.frames, abs=1e-2) and one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_it_can_be_sent_to_another_process(judge, talk):
    opening, sound = talk
    copy = pickle.loads(pickle.dumps(judge))
    assert copy(sound, face_of(opening, 25), 25) == judge(sound, face_of(opening, 25), 25)


def test_points_and_features_are_compared_alike(judge, talk):
    opening, sound = talk
    face = face_of(opening, 25)
    assert judge.compare(canonical_mouth(face), judge.hear(sound, 250)) == judge(sound, face, 25)

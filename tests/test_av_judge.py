"""AV offsets by the judge: found where they are known, doubted where there are none, sure only where a clip is long enough."""

import pickle

import numpy as np
import pytest

import prepare
from common.cli import run
from common.errors import InputError
from datasets.av_judge import MIN_FRAMES, JudgeOffset
from datasets.av_offset import NOTHING
from datasets.preparing import av_rows
from faces.mouth import canonical_mouth
from tests.synthetic import RATE, opening_track, voice
from tests.test_av_offset import SECONDS, face_of, moved
from training.checkpoint import load_checkpoint


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


def test_a_judge_that_was_asked_for_is_not_replaced(monkeypatch, capsys):
    def missing(self):
        raise InputError("the package livekit-wakeword is missing")

    monkeypatch.setattr(JudgeOffset, "check", missing)
    asked = ["--out", "x", "--measure_av_offset"]
    assert prepare._av_measure(prepare.parse_arguments(asked)).name == "mel" and "warning" in capsys.readouterr().err
    assert prepare._av_measure(prepare.parse_arguments([*asked, "--av_judge", "mel"])).name == "mel"
    with pytest.raises(InputError, match=r"--av_judge.*livekit-wakeword.*--av_judge mel"):
        prepare._av_measure(prepare.parse_arguments([*asked, "--av_judge", str(prepare.AV_JUDGES[0])]))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ("--texture --sound_delay 0.1", "--sound_delay"),
        ("--texture --voices 5", "--voices"),
        ("--texture --av_judge nosuch", "--av_judge"),
        ("--texture --av_offset measure", "--av_offset"),
        ("--texture --retry_failed", "--retry_failed"),
        ("--texture --size 96", "--size"),
        ("--speech_features --clusters 9", "--clusters"),
        ("--corpus folder --root x --av_offset off --av_judge nosuch", "--av_judge"),
        ("--corpus folder --root x --voices 5", "--voices"),
        ("--corpus folder --root x --compactness 5", "--compactness"),
    ],
)
def test_options_without_effect_are_refused(tmp_path, capsys, arguments, word):
    assert run(prepare.main, ["--out", str(tmp_path / "none"), *arguments.split()]) == 2
    assert word in capsys.readouterr().err and not (tmp_path / "none").exists()


def test_workers_get_the_judges_once(small_corpus, judge, monkeypatch):
    given = []
    monkeypatch.setattr(av_rows, "write_rows", lambda folder, task, jobs, workers: given.append((task, jobs)) or [])
    av_rows.measure_corpus(small_corpus, judge)
    (task, jobs), *_ = given
    assert task.arguments == (judge,) and jobs and len(pickle.dumps(jobs[0])) < 5000

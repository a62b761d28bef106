"""benchmarks/davs: figures whose truth is known, and what is refused."""

import json

import numpy as np
import pytest

import models
from benchmarks.davs import words
from benchmarks.davs.sentences import heard_frames
from benchmarks.davs.words_measure import accuracy, retrieval
from common.cli import run
from tests.davs_speech_kit import KnowingDavs, make_spoken_corpus, save_knowing


@pytest.fixture(autouse=True)
def knowing(monkeypatch):
    monkeypatch.setitem(models.MODELS, "davs", KnowingDavs)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_spoken_corpus(tmp_path_factory.mktemp("davs") / "corpus")


def measured(program, tmp_path, *flags):
    """(exit code, figures, table) of a benchmark."""
    out = tmp_path / "out"
    code = run(program.main, [*(str(flag) for flag in flags), "--out", str(out)])
    return code, json.loads(out.with_name("out.json").read_text()), out.with_name("out.md").read_text()


def test_the_middle_heard_frame_is_the_middle_of_the_word():
    assert heard_frames(30, 60).tolist() == list(range(19, 42, 2))
    assert heard_frames(2, 60)[0] == 0
    assert heard_frames(59, 60).tolist() == list(range(37, 60, 2))


def test_accuracy_counts_words_and_classes_and_letters_apart():
    truth, answers = np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 1, 0])
    found = accuracy(answers, truth, np.array(["x", "x", "x", "y", "y"]), ("a", "b", "bin"))
    assert found["all"]["share"] == pytest.approx(0.6)
    assert found["all"]["per_class"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert (found["letters"]["share"], found["letters"]["words"], found["letters"]["chance"]) == (0.75, 4, 1 / 3)
    assert (found["others"]["share"], found["all"]["most"]) == (0, pytest.approx(0.6))


def test_retrieval_knows_codes_that_belong_together_from_noise():
    rng = np.random.default_rng(0)
    own = rng.standard_normal((120, 40)).astype(np.float32)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    noise = rng.standard_normal((120, 40)).astype(np.float32)
    labels, people = np.arange(120) % 5, np.arange(120) // 60
    exact = retrieval(own, own, labels, people)
    assert all(one["r1"] == 1 and one["median"] == 1 for one in exact.values())
    guessed = retrieval(own, noise, labels, people)["anywhere"]
    assert guessed["r1"] < 0.06 and 20 < guessed["median"] < 31 and guessed["queries"] == 120
    constant = np.ones_like(own)
    assert retrieval(constant, constant, labels, people)["anywhere"]["r1"] == 0  # equal cosines are no hit


def test_retrieval_within_a_word_is_chance_where_codes_tell_the_word_alone():
    labels = np.arange(120) % 2
    codes = np.eye(2, dtype=np.float32)[labels] + 1e-4 * np.random.default_rng(0).standard_normal((120, 2)).astype(np.float32)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    other = codes + 1e-4 * np.random.default_rng(1).standard_normal((120, 2)).astype(np.float32)
    found = retrieval(codes, other, labels, np.zeros(120))
    assert found["same word excluded"]["r1"] == 1
    assert found["anywhere"]["r1"] < 0.2


def test_words_that_are_known_hold_the_bars(corpus, tmp_path, capsys):
    good = save_knowing(tmp_path / "a.safetensors")
    code, figures, table = measured(words, tmp_path, "--corpus", corpus, "--checkpoint", good)
    assert code == 0
    assert list(figures["splits"]) == ["test", "unseen"]
    found = figures["splits"]["test"]["networks"]["knowing"]
    assert {side: found["accuracy"][side]["all"]["share"] for side in ("audio", "video")} == {"audio": 1, "video": 1}
    assert found["accuracy"]["audio"]["letters"]["words"] == 3
    assert found["retrieval"]["sound to lips"]["anywhere"] is None  # six windows: none are drawn
    assert figures["protocol"]["splits"]["train"] == {"sentences": 4, "people": {"s1": 2, "s2": 1, "s3": 1}}
    assert figures["protocol"]["networks"]["knowing"]["seed"] == 3
    assert "people never seen" in table and "100.0%" in capsys.readouterr().out


def test_words_that_are_not_heard_miss_the_bar(corpus, tmp_path):
    deaf, good = save_knowing(tmp_path / "d.safetensors", "deaf", deaf=True), save_knowing(tmp_path / "a.safetensors")
    flags = ("--corpus", corpus, "--checkpoint", deaf, good, "--split", "test", "--untrained")
    code, figures, _ = measured(words, tmp_path, *flags)
    assert code == 1
    assert list(figures["splits"]["test"]["networks"]) == ["deaf", "knowing", "untrained"]
    assert figures["splits"]["test"]["networks"]["deaf"]["accuracy"]["audio"]["all"]["share"] == 0.5
    assert [bar["holds"] for bar in figures["bars"]] == [False, True]


@pytest.mark.parametrize(("options", "says"), [
    ({"crop": "box"}, "holds box crops of 64 pixels"),
    ({"vocabulary": ("a", "bin", "c")}, "has 3 words, but knowing knows 2 classes"),
    ({"vocabulary": ("bin", "zoo")}, "'bin' stands where the network has 'a'"),
])  # fmt: skip
def test_a_corpus_that_does_not_fit_is_refused(tmp_path, capsys, options, says):
    folder = make_spoken_corpus(tmp_path / "corpus", splits=("test",), **options)
    assert run(words.main, ["--corpus", str(folder), "--checkpoint", str(save_knowing(tmp_path / "a.safetensors"))]) == 2
    assert says in capsys.readouterr().err


def test_people_stand_apart(tmp_path):
    folder = make_spoken_corpus(tmp_path / "corpus", splits=("test",) * 4)
    deaf = save_knowing(tmp_path / "d.safetensors", "deaf", deaf=True)
    _, figures, table = measured(words, tmp_path, "--corpus", folder, "--checkpoint", deaf)
    people = figures["splits"]["test"]["networks"]["deaf"]["per_person"]
    assert people == {"s1": {"audio": 0.5, "video": 1, "words": 4}, "all others": {"audio": 0.5, "video": 1, "words": 4},
                      "s2": {"audio": 0.5, "video": 1, "words": 2}, "s3": {"audio": 0.5, "video": 1, "words": 2}}  # fmt: skip
    assert "| network | from | s1 (4 words) | all others (4 words) | s2 (2 words) | s3 (2 words) |" in table
    assert "| deaf | sound | 50.0% | 50.0% | 50.0% | 50.0% |" in table


def test_a_speaker_who_is_several_people_is_refused(tmp_path, capsys):
    folder = make_spoken_corpus(tmp_path / "corpus", splits=("test",) * 2, people=1, named="unknown")
    assert run(words.main, ["--corpus", str(folder), "--checkpoint", str(save_knowing(tmp_path / "a.safetensors"))]) == 2
    said = capsys.readouterr().err
    assert "the speaker 'unknown' (2 clips) may be several people" in said and "--root without that folder" in said
    assert len(said.strip().splitlines()) == 1


def test_a_split_without_sentences_is_refused(tmp_path, capsys):
    folder = make_spoken_corpus(tmp_path / "corpus", splits=("train",))
    assert run(words.main, ["--corpus", str(folder), "--checkpoint", str(save_knowing(tmp_path / "a.safetensors"))]) == 2
    assert "split test has no sentence with words" in capsys.readouterr().err

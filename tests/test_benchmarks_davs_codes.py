"""benchmarks/davs/disentangle: fresh classifiers find what is there, and nothing where nothing is."""

import json

import numpy as np
import pytest

import models
from benchmarks.davs import disentangle, probes
from benchmarks.davs.probes import Readings, read_with
from common.cli import run
from tests.davs_speech_kit import KnowingDavs, make_spoken_corpus, save_knowing


@pytest.fixture(autouse=True)
def knowing(monkeypatch):
    monkeypatch.setitem(models.MODELS, "davs", KnowingDavs)
    monkeypatch.setattr(probes, "EPOCHS", 25)
    monkeypatch.setattr(probes, "FORMS", probes.FORMS[1:2])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_spoken_corpus(tmp_path_factory.mktemp("davs") / "corpus", splits=("train",) * 12 + ("val",) * 3 + ("test",) * 3)


def made(seed, count, told, classes=4):
    """Readings of noise with the class told in it: "in a mean", "in a product", or not at all."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    inputs = rng.standard_normal((count, 12))
    if told == "in a mean":
        inputs[:, :classes] += 4 * np.eye(classes)[labels]
    elif told == "in a product":
        signs = np.where(rng.random((count, 2)) < 0.5, -1, 1)
        inputs[:, 0], inputs[:, 1] = 3 * signs[:, 0], 3 * signs[:, 0] * np.where(labels % 2, 1, -1)
        inputs[:, 2], inputs[:, 3] = 3 * signs[:, 1], 3 * signs[:, 1] * np.where(labels // 2, 1, -1)
    return Readings((100 * inputs + 7).astype(np.float32), labels, np.arange(count) // 6)


@pytest.mark.parametrize(("told", "linear", "deep"), [
    ("in a mean", (0.9, 1), (0.9, 1)), ("in a product", (0.1, 0.4), (0.85, 1)), ("not at all", (0.1, 0.4), (0.1, 0.4)),
])  # fmt: skip
def test_classifiers_find_what_is_there(told, linear, deep):
    given = [made(seed, count, told) for seed, count in ((0, 1200), (1, 300), (2, 300))]
    for kind, (low, high) in (("linear", linear), ("MLP", deep)):
        found = read_with(kind, *given[:2], {"test": given[2]}, 4, seeds=1)
        assert low <= found["test"]["balanced"] <= high, (kind, found)
        assert found["test"]["low"] <= found["test"]["balanced"] <= found["test"]["high"]
        assert found["test"]["chance"] == 0.25


def test_frequent_classes_do_not_count_more():
    labels = np.array([0] * 90 + [1] * 10)
    found = probes.figures_of(Readings(np.zeros((100, 1)), labels, np.arange(100)), [np.zeros(100, int)], 2)
    assert (found["balanced"], found["plain"], found["most"]) == (0.5, 0.9, 0.9)
    rng = np.random.default_rng(0)
    train, val = (Readings(rng.standard_normal((400, 3)).astype(np.float32) + labels[:, None], labels, np.arange(400))
                  for labels in (np.repeat([0, 1], (380, 20)), np.repeat([0, 1], (200, 200))))  # fmt: skip
    for kind in probes.KINDS:
        assert read_with(kind, train, val, {"test": val}, 2, seeds=1)["test"]["balanced"] > 0.7  # one class alone is 0.5


def test_chance_counts_all_classes_that_may_be_answered():
    found = probes.figures_of(Readings(np.zeros((4, 1)), np.array([0, 0, 1, 1]), np.arange(4)), [np.zeros(4, int)], 10)
    assert (found["chance"], found["classes"], found["balanced"]) == (0.1, 2, 0.5)


def measured(tmp_path, *flags):
    """(exit code, figures, table)."""
    out = tmp_path / "out"
    code = run(disentangle.main, [*(str(flag) for flag in flags), "--out", str(out), "--seeds", "1"])
    return code, json.loads(out.with_name("out.json").read_text()), out.with_name("out.md").read_text()


def test_a_leak_is_found_and_a_clean_code_is_not_accused(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "EPOCHS", 5)
    leaky = save_knowing(tmp_path / "l.safetensors", "leaky", leaks=True)
    clean = save_knowing(tmp_path / "c.safetensors", "clean")
    first = save_knowing(tmp_path / "s.safetensors", "first", stage="words")
    code, figures, table = measured(tmp_path, "--corpus", corpus, "--checkpoint", clean, leaky, "--stage1", first)
    read = {name: {key: kinds["MLP"]["test"]["balanced"] for key, kinds in one.items() if key != "own"}
            for name, one in figures["networks"].items()}  # fmt: skip
    assert code == 1  # people cannot be read from the speech codes of the control, so no bar can be set for them
    assert [bar["holds"] for bar in figures["bars"]][1:] == [None] * 4 + [True, True]
    assert figures["bars"][0]["what"] == "word from the identity codes of a window, above chance, over that of leaky"
    assert (read["leaky"]["word_identity"], read["leaky"]["word_audio"], read["leaky"]["word_video"]) == (1, 1, 1)
    assert read["clean"]["word_identity"] <= 0.7 and read["clean"]["person_identity"] == 1
    assert read["clean"]["person_audio"] <= 0.5 and read["clean"]["person_audio_window"] <= 0.5
    assert "word_identity" not in read["first"] and list(read) == ["clean", "leaky", "first", "untrained"]
    assert figures["networks"]["clean"]["own"]["audio"]["test"]["balanced"] == 1
    assert figures["people"] == ["s1", "s2", "s3"] and figures["counts"]["s2"] == {"train": 4, "val": 1, "test": 1}
    assert figures["speech_of"] == 12, "all sentences of training"
    assert "| word from the identity maps of a window (6 readings) | 50.0% |" in table
    assert "People who are read (their sentences of training, held-out ones): s1 (4, 1), s2 (4, 1), s3 (4, 1)." in table
    assert "person from one speech code of sound: 33.3%, no bar can be set: the control tells" in table


@pytest.fixture(scope="module")
def eight():
    """{whether the class is told: figures of a fresh classifier, of eight classes}."""
    found = {}
    for told, name in ((True, "in a mean"), (False, "not at all")):
        given = [made(seed, count, name, 8) for seed, count in ((0, 800), (1, 200), (2, 800))]
        found[told] = dict.fromkeys(probes.KINDS, read_with("linear", *given[:2], {"test": given[2]}, 8))
    return found


@pytest.mark.parametrize(("leaks", "controls", "code", "times", "left"), [
    (True, (True,), 1, False, False), (False, (True,), 0, True, True),
    (False, (False,), 1, True, None), (False, (), 1, True, None), (True, (), 1, False, None),
])  # fmt: skip
def test_bars_of_eight_classes(corpus, tmp_path, monkeypatch, eight, leaks, controls, code, times, left):
    """Of the words in the identity codes; people are read from no code but from those of the control."""
    nets = [save_knowing(tmp_path / f"{number}.safetensors", f"net{number}") for number in range(1 + len(controls))]
    told = {"net0": leaks, **{f"net{number}": one for number, one in enumerate(controls, 1)}}

    def measure(tested, material, seeds):
        own = {key: eight[tested.name == "net1" and told["net1"]] for key in ("word_audio", "word_video", *disentangle.CLEANED)}
        figures = eight[told[tested.name]]["MLP"]
        return own | {"word_identity": eight[told[tested.name]], "own": {side: figures for side in ("audio", "video")}}

    monkeypatch.setattr(disentangle, "measure", measure)
    exit_code, figures, table = measured(tmp_path, "--corpus", corpus, "--checkpoint", *nets, "--no_untrained")
    holds = [bar["holds"] for bar in figures["bars"]]
    assert exit_code == code and holds[:2] == [times, left]
    assert holds[2:] == [True, {(True,): True}.get(controls)] * 4
    assert figures["bars"][0]["bar"] == "at most 37.5% (3 x chance)"
    says = {(): "a control is needed, as the second --checkpoint", (False,): "no bar can be set: the control tells"}
    assert says.get(controls, "at most 20% is asked") in table


def test_of_few_classes_three_times_chance_is_no_bar(corpus, tmp_path):
    only = save_knowing(tmp_path / "c.safetensors", "clean")
    code, figures, table = measured(tmp_path, "--corpus", corpus, "--checkpoint", only, "--no_untrained")
    assert code == 1 and [bar["holds"] for bar in figures["bars"]] == [None] * 5 and "no bar can be set" in table


def test_a_network_without_identity_is_refused(corpus, tmp_path, capsys):
    first = save_knowing(tmp_path / "s.safetensors", stage="words")
    assert run(disentangle.main, ["--corpus", str(corpus), "--checkpoint", str(first)]) == 2
    assert "is of stage words; --checkpoint needs one of stage disentangle" in capsys.readouterr().err

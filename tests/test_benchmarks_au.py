"""benchmarks/au: figures whose truth is known, and what is refused."""

import json
from types import SimpleNamespace

import cv2
import pytest

import models
from benchmarks.au import audio, classifier, fusion, fusion_measure
from benchmarks.tested import groups_of
from common.cli import run
from tests.au_benchmark_kit import KnowingRenderer, KnowingUnits, make_unit_corpus, read_mouths, save_units
from tests.davs_speech_kit import SIDE, Colour, make_spoken_corpus


@pytest.fixture(autouse=True)
def knowing(monkeypatch):
    monkeypatch.setitem(models.MODELS, "action_units", KnowingUnits)
    monkeypatch.setitem(models.MODELS, "action_units_diffusion", KnowingRenderer)
    monkeypatch.setattr(fusion_measure, "read_crops", read_mouths)
    monkeypatch.setattr("metrics.networks.face_embedding.FaceEmbedder", Colour)
    monkeypatch.setattr("faces.detectors.build_detector", lambda name: SimpleNamespace(close=lambda: None))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_unit_corpus(tmp_path_factory.mktemp("au") / "corpus")


def measured(program, tmp_path, *flags):
    """(exit code, figures, table) of a benchmark."""
    out = tmp_path / "out"
    code = run(program.main, [*(str(flag) for flag in flags), "--out", str(out)])
    return code, json.loads(out.with_name("out.json").read_text()), out.with_name("out.md").read_text()


def test_units_that_are_heard_hold_the_bars(corpus, tmp_path):
    good = save_units(tmp_path / "a.safetensors", stage="audio")
    code, figures, table = measured(audio, tmp_path, "--corpus", corpus, "--checkpoint", good)
    assert code == 0, figures["bars"]
    assert list(figures["splits"]) == ["test", "unseen"] and figures["labels"] == {"geometry": 5}
    assert "labels: geometry of landmarks, no FACS coding: 5 clips" in table
    ways = figures["splits"]["test"]["networks"]["units"]
    own, swapped = ways["own"]["units"]["AU25"], ways["swapped"]["units"]["AU25"]
    assert own["f1"] > 0.95 and own["f1_low"] <= own["f1"] <= own["f1_high"] and ways["own"]["frames"] == 4 * 57
    assert swapped["f1"] < 0.7 and ways["silence"]["units"]["AU25"]["f1"] == 0 == ways["silence"]["mean"]["said"]
    assert own["always"] == pytest.approx(2 * own["rate"] / (1 + own["rate"]))
    assert "| units | own sound | 228 |" in table and "F1 of AU25: 1.000, 0.850 is asked: holds." in table


def test_a_network_that_always_says_all_units_misses_the_bars_and_seeds_are_put_together(corpus, tmp_path):
    paths = [save_units(tmp_path / f"{n}.safetensors", run=f"deaf_s{n}", stage="audio", deaf=True) for n in range(2)]
    flags = ("--limit", "3", "--split", "test")
    code, figures, table = measured(audio, tmp_path, "--corpus", corpus, "--checkpoint", *paths, *flags)
    own = figures["splits"]["test"]["networks"]["deaf_s0"]["own"]["units"]["AU26"]
    assert code == 1 and own["f1"] == own["always"]
    assert [one["what"] for one in figures["bars"] if one["holds"]] == ["F1 of AU26"], "0.637 where the unit is often there"
    assert len(figures["splits"]["test"]["sentences"]) == 3 and "| deaf | 2 | " in table


def test_units_that_are_seen(corpus, tmp_path):
    good = save_units(tmp_path / "a.safetensors", stage="classifier")
    code, figures, table = measured(classifier, tmp_path, "--corpus", corpus, "--checkpoint", good)
    assert "no FACS coding: 5 clips" in table
    ways = figures["splits"]["test"]["networks"]["units"]
    assert code == 0 and ways["own"]["mean"]["f1"] == 1 == ways["own"]["mean"]["accuracy"]
    assert ways["still"]["mean"]["f1"] == 0 and ways["swapped"]["mean"]["f1"] < 0.7


def test_drawn_faces_that_follow_the_sound(corpus, tmp_path):
    judge = save_units(tmp_path / "judge.safetensors", run="judge", stage="classifier")
    paths = [save_units(tmp_path / f"{run}.safetensors", run, stiff=run == "stiff") for run in ("good", "stiff")]
    code, figures, table = measured(fusion, tmp_path, "--corpus", corpus, "--checkpoint", *paths, "--classifier", judge)
    assert code == 0, figures["bars"]
    drawers = figures["splits"]["test"]["drawers"]
    assert list(drawers) == ["real clip", "first frame held still", "good", "stiff"]
    real, held, good, stiff = (drawers[name] for name in drawers)
    assert real["summary"]["psnr"]["mean"] == 100 and real["summary"]["r"]["mean"] == pytest.approx(1)
    assert good["summary"]["r"]["mean"] > 0.9 and good["summary"]["swapped_heard"]["mean"] > 0.9
    assert good["summary"]["swapped_r"]["mean"] < 0.3 and good["summary"]["quiet_spread"]["mean"] < 1e-6
    assert good["summary"]["psnr"]["mean"] > held["summary"]["psnr"]["mean"] and good["summary"]["nearer"]["mean"] == 1
    assert held["summary"]["r"]["count"] == stiff["summary"]["r"]["count"] == 0
    for judge_name, units in (("classifier", ("AU10", "AU25")), ("geometry", ("AU25", "AU26"))):
        for unit in units:
            assert good["scores"][judge_name]["own"]["units"][unit]["f1"] > 0.9
            assert good["scores"][judge_name]["swapped"]["units"][unit]["f1"] < 0.7
            assert stiff["scores"][judge_name]["own"]["units"][unit]["f1"] == 0
    assert figures["taught"] == ["good", "stiff"] and "It taught good, stiff" in table, "their classifiers have its weights"
    sheet = cv2.imread(str(tmp_path / "out_sheet.png"))
    rows = 2 * 5 + 3  # of two held-out clips the real one, and own and other sound of two networks; one clip has no other
    assert sheet.shape == (rows * (2 * SIDE + 22), 8 * 2 * SIDE, 3)


def test_without_a_classifier_geometry_judges_and_a_mouth_that_does_not_move_misses_the_bar(corpus, tmp_path):
    stiff = save_units(tmp_path / "stiff.safetensors", stiff=True)
    flags = ("--limit", "1", "--sheet", "0", "--split", "test")
    code, figures, table = measured(fusion, tmp_path, "--corpus", corpus, "--checkpoint", stiff, *flags)
    assert code == 1 and figures["classifier"] is None and "by geometry alone" in table
    assert figures["labels"] == {"geometry": 3} and "labels: geometry of landmarks, no FACS coding: 3 clips" in table
    assert list(figures["splits"]["test"]["drawers"]["units"]["scores"]) == ["geometry"]
    assert not (tmp_path / "out_sheet.png").exists()


def test_a_renderer_that_samples_is_drawn_with_each_number_of_steps(corpus, tmp_path):
    path = save_units(tmp_path / "a.safetensors", "soft", KnowingRenderer, "action_units_diffusion")
    flags = ("--limit", "1", "--sheet", "0", "--split", "test", "--steps", "5", "20")
    code, figures, _ = measured(fusion, tmp_path, "--corpus", corpus, "--checkpoint", path, *flags)
    drawers = figures["splits"]["test"]["drawers"]
    few, many = drawers["soft, 5 steps"], drawers["soft, 20 steps"]
    assert (few["steps"], many["steps"]) == (5, 20) and few["summary"]["psnr"]["mean"] < many["summary"]["psnr"]["mean"]
    assert figures["bars"][0]["least"] == fusion.LEAST_SAMPLED and few["summary"]["seconds"]["mean"] > 0


def test_runs_that_differ_in_their_seeds():
    assert groups_of(["a_s0", "b", "a_s1", "c_s0", "a_sx"]) == {"a": ["a_s0", "a_s1"]}
    drawn = [f"a_s{seed}, {steps} steps" for seed in (0, 1) for steps in (5, 20)]
    assert groups_of(drawn) == {"a, 5 steps": drawn[::2], "a, 20 steps": drawn[1::2]}


@pytest.mark.parametrize(
    ("program", "options", "said"),
    [
        (audio, {"stage": "classifier"}, "has no audio_to_units; give a checkpoint of configs/au_audio.yaml"),
        (classifier, {"stage": "audio"}, "has no unit_classifier; give a checkpoint of configs/au_classifier.yaml"),
        (fusion, {"stage": "audio"}, "is of stage audio and draws no face from sound; give a checkpoint of configs/au_fus"),
    ],
)
def test_a_network_of_another_stage_is_refused(program, options, said, corpus, tmp_path, capsys):
    path = save_units(tmp_path / "a.safetensors", **options)
    assert run(program.main, ["--corpus", str(corpus), "--checkpoint", str(path)]) == 2
    assert said in capsys.readouterr().err


def test_what_cannot_be_measured_is_refused(corpus, tmp_path, capsys):
    path = save_units(tmp_path / "a.safetensors")

    def refused(said, *flags, folder=corpus, program=fusion):
        assert run(program.main, ["--corpus", str(folder), "--checkpoint", str(path), *flags]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1

    refused("--steps: no --checkpoint samples", "--steps", "5")
    refused("--steps must be numbers from 1 to 1000", "--steps", "0")
    refused("--limit must be 1 or more", "--limit", "0")
    refused("--sheet must be 0 or more", "--sheet", "-1")
    refused("split val has no clip with action units", "--split", "val", program=audio)
    unlabelled = make_spoken_corpus(tmp_path / "plain", splits=("test",))
    refused("no clip has action units; run prepare.py on it with --action_units geometry", folder=unlabelled)
    other = make_unit_corpus(tmp_path / "other", crop="au112", splits=("test",))
    refused("holds au112 crops of 64 pixels, but units learned from aligned crops of 64", folder=other, program=classifier)
    save_units(path, data={"raw_crops": True})
    refused("holds smoothed crops, but units did not learn from such ones; prepare the corpus with --raw_crops")


def test_own_leaves_out_other_sounds_and_identity(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(Colour, "load", lambda: pytest.fail("no identity is asked"), raising=False)
    good = save_units(tmp_path / "good.safetensors")
    flags = ("--own", "--limit", "2", "--sheet", "0")
    code, figures, _ = measured(fusion, tmp_path, "--corpus", corpus, "--checkpoint", good, *flags)
    summary = figures["splits"]["test"]["drawers"]["units"]["summary"]
    assert code == 0 and summary["r"]["mean"] > 0.9
    assert {summary[name]["count"] for name in ("swapped_r", "swapped_heard", "quiet_spread", "picture")} == {0}

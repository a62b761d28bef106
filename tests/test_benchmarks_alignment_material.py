"""What the alignment benchmark measures on: what flite prints, sentences and false texts, noise of a known level."""

import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.alignment import __main__ as benchmark
from benchmarks.alignment import material
from common.cli import EXIT_INPUT, run
from common.errors import InputError
from speech.alignment import Interval
from speech.arpabet import SILENCE
from tests.alignment_kit import RATE, made_cases, tier

PRINTED = "pau:0.164 hh:0.255 ax:0.304 l:0.412 ow:0.572 pau:0.800 \n"


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

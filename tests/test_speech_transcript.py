"""Text to words: what people write, and what dictionaries hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.text.transcript import transcript_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("WHEN YOU'RE COOKING CHIPS AT HOME", "when you're cooking chips at home"),
        ("He said: \u2018don\u2019t\u2019!", "he said don't"),
        ("well-known", "well known"),
        ("Mr. Smith & Mrs. Jones", "mister smith and missus jones"),
        ("in the U.S. today", "in the u s today"),
        ("21 people", "twenty one people"),
        ("the 3rd of May", "the third of may"),
        ("50%", "fifty percent"),
        ("caf\u00e9", "cafe"),
        ("", ""),
        ("... ! \u2014", ""),
    ],
)
def test_words_as_dictionaries_have_them(text, words):
    assert " ".join(transcript_words(text).words) == words


def test_tags_are_dropped_and_reported():
    found = transcript_words("{NS} hello [laughter] world <unk> (applause)")
    assert found.words == ("hello", "world")
    assert set(found.dropped) == {"{NS}", "[laughter]", "<unk>", "(applause)"}


def test_foreign_scripts_are_reported():
    found = transcript_words("hello \u4f60\u597d")
    assert found.words == ("hello",) and found.dropped == ("\u4f60\u597d",)


def test_a_known_word_stays_as_it_is_written():
    assert transcript_words("goin' home", {"goin'", "home"}.__contains__).words == ("goin'", "home")
    assert transcript_words("goin' home", {"home"}.__contains__).words == ("goin", "home")


@given(st.text())
def test_any_text_gives_words_of_letters(text):
    for word in transcript_words(text).words:
        assert word and set(word) <= set("abcdefghijklmnopqrstuvwxyz'") and word.strip("'"), word


@given(st.lists(st.sampled_from(["bin", "blue", "at", "don't", "now"]), max_size=8))
def test_plain_words_come_back(words):
    assert transcript_words(" ".join(words).upper()).words == tuple(words)

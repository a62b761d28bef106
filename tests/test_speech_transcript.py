"""Text to words: what people write, and what dictionaries hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.text.numbers import spell_numbers
from speech.text.transcript import transcript_words

FIVES, TO_SEVEN = "five five five", "one two three four five six seven"


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
        ("24/7 or 9/11, 1/2 or 2 1/2", "twenty four seven or nine eleven one half or two and a half"),
        ("call 555-0199", "call five five five zero one nine nine"),
        ("(212) 555-0199; +44 20 7946", "two one two five five five zero one nine nine four four two zero seven nine four six"),
        ("1-800-555-0199 or 9-1-1", "one eight hundred five five five zero one nine nine or nine one one"),
        ("5551234567 or 15551234567", f"{FIVES} {TO_SEVEN} or one {FIVES} {TO_SEVEN}"),
        ("10000000000 and 1500000000", "ten billion and one billion five hundred million"),
        ("(020) 7946 0958", "zero two zero seven nine four six zero nine five eight"),
        ("07946 095 812", "zero seven nine four six zero nine five eight one two"),
        ("Call 555 0199. My number is 555 0199", f"call {FIVES} zero one nine nine my number is {FIVES} zero one nine nine"),
        ("dial 212 555 0199", f"dial two one two {FIVES} zero one nine nine"),
        ("text me on 555 0199", f"text me on {FIVES} zero one nine nine"),
        ("call 911 or dial 112; 911 people", "call nine one one or dial one one two nine hundred and eleven people"),
        ("two PhDs, a Ph. D., a PhD's and an M. Sc.", "two p h d's a p h d a p h d's and an m s c"),
        ("100-1500 in 1999-2003", "one hundred to fifteen hundred in nineteen ninety nine to two thousand and three"),
        ("a Ph.D. and a B.Sc., e.g. hers", "a p h d and a b s c for example hers"),
        ("Dr. Smith of Maple Dr.", "doctor smith of maple drive"),
        ("the dr. of St. Louis, 12 Main St.", "the doctor of saint louis twelve main street"),
        ("$5.20, 50\u00a2, 5\u20ac", "five dollars and twenty cents fifty cents five euros"),
        ("$1.5bn", "one point five billion dollars"),
        ("3:45pm, 3 P.M., 10:00", "three forty five p m three p m ten o'clock"),
        ("the 2nd of the 1990s", "the second of the nineteen nineties"),
        ("2020-01-15, 12/25/2020", "january fifteenth twenty twenty twelve twenty five twenty twenty"),
        ("version 2.0.1", "version two point zero point one"),
        ("5km, 100 km/h, 20\u00b0C", "five kilometers one hundred kilometers per hour twenty degrees celsius"),
        ("https://www.example.org/a-b.", "w w w dot example dot org slash a dash b"),
        ("a.b@c.com! The end.Next", "a dot b at c dot com the end next"),
        ("the US", "the u s"),
        ("ALL OF US", "all of us"),
        ("and/or", "and or"),
        ("", ""),
        ("... ! \u2014", ""),
    ],
)
def test_words_as_dictionaries_have_them(text, words):
    assert " ".join(transcript_words(text).words) == words


def test_capitals_that_the_dictionary_lacks_are_letters():
    known = {"a", "ibm", "nasa", "stick", "and"}.__contains__
    assert transcript_words("IBM and NASA and a QXZ stick", known).words == tuple("ibm and nasa and a q x z stick".split())
    assert transcript_words("A QXZ STICK", known).words == ("a", "qxz", "stick"), "where all is capitals they say nothing"
    assert transcript_words("Dr. a", {"dr"}.__contains__).words[0] == "dr", "both readings are in the dictionary"


ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
VALUES = {word: number for number, word in enumerate(ONES.split())} | {word: 10 * at for at, word in enumerate(TENS.split(), 2)}


def value(words):
    """The number that English words name."""
    total = part = 0
    for word in words:
        if word in VALUES:
            part += VALUES[word]
        elif word == "hundred":
            part *= 100
        elif word != "and":
            total, part = total + part * 1000 ** (1 + "thousand million billion trillion".split().index(word)), 0
    return total + part


@given(st.integers(0, 10**15 - 1))
def test_a_number_reads_back(number):
    assert value(transcript_words(f"{number:,}").words) == number
    assert transcript_words(f"${number:,}").words[-1] == ("dollar" if number == 1 else "dollars")


@given(st.integers(1100, 2099))
def test_a_year_reads_back(number):
    words = " ".join(transcript_words(str(number)).words).replace("oh ", "").split()
    centuries = [100 * value(words[:cut]) + value(words[cut:]) for cut in range(1, len(words) + 1)]
    assert number in (value(words), *centuries)


@given(st.text("0123456789 -/.:,$%()+apm\u20ac", max_size=24))
def test_digits_leave_nothing_unread(text):
    spoken = spell_numbers(text)
    assert not any(character.isdigit() for character in spoken)
    assert sum(character.isdigit() for character in text) == 0 or transcript_words(text).words


@given(st.from_regex(r"[2-9][0-9]{2}-[0-9]{3}[1-9]", fullmatch=True))
def test_a_telephone_number_is_read_digit_by_digit(text):
    assert [VALUES[word] for word in transcript_words(text.replace("800", "801").replace("900", "901")).words] == [
        int(digit) for digit in text.replace("800", "801").replace("900", "901") if digit != "-"
    ]


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

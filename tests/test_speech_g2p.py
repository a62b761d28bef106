"""Phones of unknown words: endings, compounds, spelling, and the letter-to-sound model."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.arpabet import PHONES, SILENCE
from speech.text.g2p import Pronouncer

KNOWN = {"cat": "K AE T", "dog": "D AO G", "bush": "B UH SH", "bake": "B EY K", "stop": "S T AA P", "need": "N IY D",
         "rain": "R EY N", "happy": "HH AE P IY"}  # fmt: skip


@pytest.fixture(scope="module")
def pronouncer():
    return Pronouncer(lambda word: KNOWN[word].split() if word in KNOWN else None)


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("cats", "K AE T S"),
        ("dogs", "D AO G Z"),
        ("bushes", "B UH SH IH Z"),
        ("cat's", "K AE T S"),
        ("baked", "B EY K T"),
        ("needed", "N IY D IH D"),
        ("stopped", "S T AA P T"),
        ("rained", "R EY N D"),
        ("xtc", "EH K S T IY S IY"),
        ("b", "B IY"),
    ],
)
def test_endings_and_spelling(pronouncer, word, phones):
    assert " ".join(pronouncer.guess(word)) == phones


@pytest.mark.parametrize(
    ("word", "phones"), [("baking", "B EY K IH NG"), ("catness", "K AE T N AH S"), ("rainhappy", "R EY N HH AE P IY")]
)
def test_other_endings_and_compounds_are_among_the_guesses(pronouncer, word, phones):
    assert tuple(phones.split()) in pronouncer.guesses(word)


@pytest.mark.parametrize(
    ("word", "phones"),
    [("blick", "B L IH K"), ("shap", "SH AE P"), ("stent", "S T EH N T"), ("thorpe", "TH AO R P"), ("brane", "B R EY N")],
)
def test_the_model_reads_regular_spellings(pronouncer, word, phones):
    assert " ".join(pronouncer.guess(word)) == phones


ALONE = Pronouncer(lambda _: None)


@settings(deadline=None)  # the first word loads the model
@given(st.text("abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=14).filter(lambda word: word.strip("'")))
def test_every_spelling_has_phones(word):
    found = ALONE.guesses(word)
    assert found and len(set(found)) == len(found)
    for phones in found:
        assert phones and set(phones) <= set(PHONES) - {SILENCE}


@pytest.mark.parametrize("word", ["", "''", "na\u00efve", "two words", "7"])
def test_what_is_no_word_is_refused(pronouncer, word):
    with pytest.raises(ValueError, match="no word"):
        pronouncer.guesses(word)

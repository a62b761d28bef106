"""Text as people write it to words as pronouncing dictionaries have them."""

import re
import unicodedata
from typing import NamedTuple

from speech.text.numbers import spell_numbers

_TAG = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]|<[^<>]*>")
_NOISES = (
    "laughter|laughs?|laughing|chuckles?|applause|applauds?|cheers|cheering|music|noise|inaudible|unintelligible|crosstalk|coughs?|"
    "coughing|sighs?|breath|breathing|breathes|silence|pause|sobs|sobbing|gasps|clears throat|video|audio|singing|sings"
)
_ROUND_TAG = re.compile(rf"\((?:{_NOISES})\)", re.IGNORECASE)
_QUOTES = str.maketrans({mark: "'" for mark in "\u2018\u2019\u201b\u02bc\u02b9\u0060\u00b4\u2032\uff07"})
_LETTERS = str.maketrans({
    "\u00e6": "ae", "\u0153": "oe", "\u00f8": "o", "\u00df": "ss", "\u0142": "l", "\u0111": "d", "\u00f0": "th", "\u00fe": "th",
    "\u0131": "i",
})  # fmt: skip
_FRACTIONS = str.maketrans({"\u00bd": " 1/2 ", "\u00bc": " 1/4 ", "\u00be": " 3/4 "})
_SYMBOLS = {"&": " and ", "+": " plus ", "=": " equals ", "@": " at ", "%": " percent ", "\u00b0": " degrees "}
# Not here: dr, st, sr, jr. Dictionaries hold both readings ("doctor", "drive"), and the aligner takes the one it hears.
_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "messrs": "messieurs", "prof": "professor", "vs": "versus", "etc": "et cetera",
    "e.g": "for example", "i.e": "that is", "lt": "lieutenant",
    "col": "colonel", "gen": "general", "sgt": "sergeant", "capt": "captain", "gov": "governor", "sen": "senator",
    "rev": "reverend", "hon": "honorable", "inc": "incorporated", "ltd": "limited", "corp": "corporation", "dept": "department",
    "approx": "approximately", "ave": "avenue", "blvd": "boulevard", "jan": "january", "feb": "february", "aug": "august",
    "sept": "september", "oct": "october", "nov": "november", "dec": "december",
}  # fmt: skip
_WITHOUT_POINT = {"mr", "mrs", "prof", "vs", "etc", "sgt", "lt", "ltd"}  # of these, what is no word in itself
_POINTED = re.compile(r"(?<![\w'])([a-z]+)\.(?!\w)")
_INITIALS = re.compile(r"(?<![\w'])(?:(?:[a-z]\.){2,}(?:[a-z](?![\w.]))?|[a-z]\.[a-z](?![\w.]))('s\b)?")
_NUMERO = re.compile(r"(?<![\w'])no\.\s*(?=\d)|#\s*(?=\d)|\u2116\s*", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['.-][^\W\d_]+)*'?|'[^\W\d_]+(?:['-][^\W\d_]+)*")


class Words(NamedTuple):
    """What `transcript_words` found.

    Attributes:
        words: tuple of str, lower case a-z and the apostrophe; () where the text holds no speakable word.
        dropped: tuple of str, what was left out because it is no speech or cannot be read: noise tags, foreign scripts.
    """

    words: tuple[str, ...]
    dropped: tuple[str, ...]


def transcript_words(text, known=None):
    """Words of a transcript as dictionaries have them.

    Lower case; apostrophes inside words are kept, hyphens part words, other punctuation goes. Numbers, money, years and the
    like are spelt out (`speech.text.numbers`), "&" is "and", "Mr." is "mister", "U.S." is the letters "u s". Accents are folded
    ("caf\u00e9" is "cafe"). Tags in {}, [] and <>, and noises in () such as "(laughter)", are dropped and reported.

    Args:
        text: str in any case.
        known: function of a word that says whether the dictionary holds it, or None. A word it knows stays as it is written:
            with an accent, or with an apostrophe at its edge ("goin'", "'cause").

    Returns:
        Words.
    """
    known = known or (lambda word: False)
    dropped = []

    def drop(match):
        dropped.append(match.group())
        return " "

    text = unicodedata.normalize("NFKC", text.translate(_FRACTIONS)).translate(_QUOTES)
    text = _ROUND_TAG.sub(drop, _TAG.sub(drop, text))
    text = _NUMERO.sub(" number ", text).lower()
    text = spell_numbers(_INITIALS.sub(_letters, text))
    text = _POINTED.sub(_abbreviation, text)
    for symbol, name in _SYMBOLS.items():
        text = text.replace(symbol, name)
    words = []
    for written in _WORD.findall(text):
        found = _pieces(written, known)
        words += found
        if not found:
            dropped.append(written)
    return Words(tuple(words), tuple(dropped))


def _letters(match):
    """ "u.s." as single letters; "e.g." is left to the abbreviations."""
    written, tail = match.group(), match.group(1) or ""
    if written.rstrip(".") in _ABBREVIATIONS:
        return written
    return f" {' '.join(written.removesuffix(tail).replace('.', ''))}{tail} "


def _abbreviation(match):
    return _ABBREVIATIONS.get(match.group(1), match.group())


def _pieces(written, known):
    """A run of letters with apostrophes, hyphens and points inside -> words."""
    if written in _ABBREVIATIONS and ("." in written or written in _WITHOUT_POINT):
        return _ABBREVIATIONS[written].split()
    words = []
    for part in re.split(r"([-.])", written):
        if part == ".":
            words.append("dot")
        elif part and part != "-":
            words += _piece(part, known)
    return words


def _piece(part, known):
    if known(part):
        return [part]
    folded = unicodedata.normalize("NFKD", part.translate(_LETTERS))
    folded = "".join(character for character in folded if not unicodedata.combining(character))
    bare = folded.strip("'")
    for word in (folded, bare):
        if known(word):
            return [word]
    return [bare] if re.fullmatch(r"[a-z]+(?:'[a-z]+)*", bare) else []

"""Text as people write it to words as pronouncing dictionaries have them."""

import re
import unicodedata
from typing import NamedTuple

from speech.text.addresses import spell_addresses
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
# Not here: dr, st, sr, jr. Where the dictionary holds both readings ("doctor", "drive") the aligner takes the one it hears;
# where it does not, `_TITLES` decides.
_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "messrs": "messieurs", "prof": "professor", "vs": "versus", "etc": "et cetera",
    "e.g": "for example", "i.e": "that is", "lt": "lieutenant",
    "col": "colonel", "gen": "general", "sgt": "sergeant", "capt": "captain", "gov": "governor", "sen": "senator",
    "rev": "reverend", "hon": "honorable", "inc": "incorporated", "ltd": "limited", "corp": "corporation", "dept": "department",
    "approx": "approximately", "ave": "avenue", "blvd": "boulevard", "jan": "january", "feb": "february", "aug": "august",
    "sept": "september", "oct": "october", "nov": "november", "dec": "december", "jr": "junior", "mt": "mount",
    "vol": "volume", "mon": "monday", "tue": "tuesday", "thu": "thursday", "fri": "friday",
    "ph.d": "p h d", "phd": "p h d", "phds": "p h d's", "ph.ds": "p h d's", "ph.d.s": "p h d's",
    "phd's": "p h d's", "ph.d's": "p h d's",
    "m.sc": "m s c", "b.sc": "b s c", "ed.d": "e d d", "d.phil": "d phil", "ll.m": "l l m",
    "ll.b": "l l b", "m.phil": "m phil",
}  # fmt: skip
_TITLES = {"dr": ("doctor", "drive"), "st": ("saint", "street")}  # before a name, after one
_WITHOUT_POINT = {"mr", "mrs", "prof", "vs", "etc", "sgt", "lt", "ltd", "phd", "phds", "phd's"}  # no words
_POINTED = re.compile(r"(?<![\w'])([a-z]+)\.(?!\w)")
_TITLE = re.compile(
    r"(?P<before>[A-Z0-9][\w']*\s+)?(?<![\w'.])(?P<title>[Dd][Rr]|[Ss][Tt])\b\.?(?!['\w])(?=(?P<after>\s*\w)?)"
)
_DEGREE = re.compile(r"(?<![\w'])(ph|ed|ll|[bdm])\.\s+(d|sc|m|b|phil)\b")  # "Ph. D.", with a space
_INITIALS = re.compile(r"(?<![\w'])(?:(?:[a-z]\.){2,}(?:[a-z](?![\w.]))?|[a-z]\.[a-z](?![\w.]))('s\b)?")
_ACRONYM = re.compile(r"(?<![\w'.-])([A-Z]{2,5})('?s)?(?![\w'-])")
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


def without_tags(text):
    """(text, tags): what stands in {}, [] and <>, and noises in () such as "(laughter)", taken out of a text."""
    dropped = []

    def drop(match):
        dropped.append(match.group())
        return " "

    return _ROUND_TAG.sub(drop, _TAG.sub(drop, text)), dropped


def transcript_words(text, known=None):
    """Words of a transcript as dictionaries have them.

    Lower case; apostrophes inside words are kept, hyphens part words, other punctuation goes. Numbers, money, years and the
    like are spelt out (`speech.text.numbers`), and so are addresses of the web (`speech.text.addresses`); "&" is "and", "Mr."
    is "mister", "U.S." is the letters "u s", and so are capitals among small letters that the dictionary does not hold ("USB").
    Accents are folded ("caf\u00e9" is "cafe"). Tags in {}, [] and <>, and noises in () such as "(laughter)", are dropped and
    reported.

    Args:
        text: str in any case.
        known: function of a word that says whether the dictionary holds it, or None. A word it knows stays as it is written:
            with an accent, or with an apostrophe at its edge ("goin'", "'cause").

    Returns:
        Words.
    """
    has_dictionary, known = known is not None, known or (lambda word: False)
    text, dropped = without_tags(unicodedata.normalize("NFKC", text.translate(_FRACTIONS)).translate(_QUOTES))
    text = spell_addresses(text)
    text = _TITLE.sub(lambda match: _title(match, known), text)
    if text.upper() != text:
        text = _ACRONYM.sub(lambda match: _acronym(match, known if has_dictionary else None), text)
    text = spell_numbers(_NUMERO.sub(" number ", text).lower())
    text = _DEGREE.sub(_degree, text)
    text = _INITIALS.sub(_letters, text)
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


def _degree(match):
    """ "ph. d" as "ph.d", where that is a degree."""
    written = f"{match[1]}.{match[2]}"
    return written if written in _ABBREVIATIONS else match.group()


def _letters(match):
    """ "u.s." as single letters; "e.g." is left to the abbreviations."""
    written, tail = match.group(), match.group(1) or ""
    if written.rstrip(".") in _ABBREVIATIONS:
        return written
    return f" {' '.join(written.removesuffix(tail).replace('.', ''))}{tail} "


def _abbreviation(match):
    return _ABBREVIATIONS.get(match.group(1), match.group())


def _title(match, known):
    """ "Dr." and "St." where the dictionary does not hold them: what they stand for depends on what is beside them."""
    title = match["title"].lower()
    if known(title):
        return match.group()
    before, after = match["before"] or "", (match["after"] or "").strip()
    last = not after or (before and after.islower())
    return f"{before}{_TITLES[title][1 if last and (before or title == 'st') else 0]}"


def _acronym(match, known):
    """Capitals among small letters that are no word of the dictionary, letter by letter: "a USB stick"; and "the US"."""
    letters, tail = match.group(1), match.group(2) or ""
    word = letters.lower()
    if letters != "US" and (known is None or known(word) or known(word + tail)):
        return match.group()
    return f" {' '.join(word)}{chr(39) + 's' if tail else ''} "


def _pieces(written, known):
    """A run of letters with apostrophes, hyphens and points inside -> words. A point there is a full stop without a space."""
    if written in _ABBREVIATIONS and ("." in written or written in _WITHOUT_POINT):
        return _ABBREVIATIONS[written].split()
    words = []
    for part in re.split(r"[-.]", written):
        if part:
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

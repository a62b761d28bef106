"""Words of transcripts in other languages than English: as they are written, for a pronouncer that knows the language."""

import re
import unicodedata

from speech.text.transcript import Words, without_tags

_DIGITS = re.compile(r"\d+")
_HAN = re.compile(r"([\u3400-\u9fff\uf900-\ufaff])")  # no spaces part these words, and each sign is a syllable
_INNER = "'\u2019-"


def is_english(language):
    """Whether a language code, such as "en-gb", is one of English."""
    return re.split("[-_]", language.lower())[0] == "en"


def language_words(text, language, spell=False):
    """Words of a transcript in any language: lower case, without punctuation and tags.

    Args:
        text: str.
        language: code such as "de".
        spell: True to write whole numbers out where num2words knows the language; False leaves digits to the pronouncer.

    Returns:
        speech.text.transcript.Words; `words` hold letters of any script with their marks, digits, and apostrophes and hyphens
        inside; a Han sign is a word.
    """
    text, dropped = without_tags(unicodedata.normalize("NFC", text))
    text = _HAN.sub(r" \1 ", text).lower()
    if spell:
        text = _DIGITS.sub(lambda match: f" {_spelt(match.group(), language)} ", text)
    words, word = [], ""
    for character in f"{text} ":
        if unicodedata.category(character)[0] in "LNM" or (word and character in _INNER):
            word += character
        elif word:
            words.append(word.strip(_INNER))
            word = ""
    return Words(tuple(words), tuple(dropped))


def _spelt(digits, language):
    from num2words import num2words

    try:
        return num2words(int(digits), lang=language.replace("-", "_"))
    except (NotImplementedError, ValueError, ArithmeticError):
        return digits

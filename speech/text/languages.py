"""Words of transcripts in other languages than English: as they are written, for a pronouncer that knows the language."""

import re
import unicodedata

from speech.text.transcript import Words, without_tags

_DIGITS = re.compile(r"\d+")
_HAN = re.compile(r"([\u3400-\u9fff\uf900-\ufaff])")  # no spaces part these words, and each sign is a syllable
_INNER = "'\u2019-"
_LONGEST = 15  # digits that are one number


def is_english(language):
    """Whether a language code, such as "en-gb", is one of English."""
    return re.split("[-_]", language.lower())[0] == "en"


def language_words(text, language, spell=False):
    """Words of a transcript in any language: lower case, without punctuation and tags.

    Args:
        text: str.
        language: code such as "de".
        spell: True to write whole numbers out, in languages that num2words knows; more than 15 digits are read one by one.
            False, and another language, leave the digits as they are.

    Returns:
        speech.text.transcript.Words; `words` hold letters of any script with their marks, digits, and apostrophes and hyphens
        inside; a Han sign is a word.
    """
    text, dropped = without_tags(unicodedata.normalize("NFC", text))
    text = _HAN.sub(r" \1 ", text).lower()
    if spell and (code := _number_language(language)):
        text = _DIGITS.sub(lambda match: f" {_spelt(match.group(), code)} ", text)
    words, word = [], ""
    for character in f"{text} ":
        if unicodedata.category(character)[0] in "LNM" or (word and character in _INNER):
            word += character
        elif word:
            words.append(word.strip(_INNER))
            word = ""
    return Words(tuple(words), tuple(dropped))


def _number_language(language):
    """The code of num2words for a language, or that of the language without its region; None where it has neither."""
    from num2words import CONVERTER_CLASSES

    known, code = {name.lower(): name for name in CONVERTER_CLASSES}, language.lower().replace("-", "_")
    return known.get(code) or known.get(code.partition("_")[0])


def _spelt(digits, code):
    from num2words import num2words

    numbers = [digits] if len(digits) <= _LONGEST else digits
    return " ".join(num2words(int(number), lang=code) for number in numbers)

"""Phones of words that the pronouncing dictionary does not hold: cheap analyses first, then a letter-to-sound model."""

from speech.text.letters import MODEL, LetterModel

_NAMES = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH", "i": "AY",
    "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY", "q": "K Y UW",
    "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW", "x": "EH K S", "y": "W AY",
    "z": "Z IY",
}  # fmt: skip
_VOWEL_LETTERS = set("aeiouy")
_HISSES = {"S", "Z", "SH", "ZH", "CH", "JH"}
_VOICELESS = {"P", "T", "K", "F", "TH", "S", "SH", "CH", "HH"}
_ENDINGS = (("ness", "N AH S"), ("less", "L AH S"), ("ful", "F AH L"), ("ers", "ER Z"), ("er", "ER"), ("ly", "L IY"))
_SHORTEST = 3  # letters of a stem
_SHORTEST_PART = 4  # letters of each part of a compound


class Pronouncer:
    """Guesses phones from the spelling.

    Measured on words held out of the dictionary (`tools/learn_letters.py --measure`), a known word with 's, -s or -ed is
    more often right than the letter-to-sound model, the model more often than other endings and compounds, so the guesses come
    in that order. Words without a vowel are spelt out.

    Args:
        lookup: function of a word that gives its phones (a sequence of ARPAbet labels without stress), or None where the
            dictionary does not hold it.
        model: path of the letter-to-sound model.
    """

    def __init__(self, lookup, model=MODEL):
        self._lookup, self._path, self._model = lookup, model, None

    def guess(self, word):
        """The first of `guesses`."""
        return self.guesses(word)[0]

    def guesses(self, word):
        """Ways to say a word, the most probable first.

        Args:
            word: lower case a-z and apostrophes, with at least one letter.

        Returns:
            tuple of at least one different tuples of ARPAbet labels without stress, none of them empty.

        Raises:
            ValueError: no letter, or another character, is in it.
        """
        bare = word.strip("'")
        if not bare or not set(bare) <= _NAMES.keys() | {"'"}:
            raise ValueError(f"{word!r} is no word of a-z and apostrophes")
        ways = (self._inflected, self._spelt, self._by_letters, self._derived, self._compound)
        found = dict.fromkeys(tuple(phones) for phones in (way(word) for way in ways) if phones)
        return tuple(found) or (self._named(bare),)

    def _inflected(self, word):
        """A known word with 's, -s, -d; of an unknown word before 's the guess."""
        if word.endswith("'s") and word[:-2].strip("'"):
            return _with_s(self._lookup(word[:-2]) or self.guess(word[:-2]))
        if word.endswith("'"):
            return self._lookup(word[:-1])
        if word.endswith("ies"):
            return _with_s(self._lookup(word[:-3] + "y"))
        if word.endswith("es") and len(word) > _SHORTEST + 1:
            return _with_s(self._lookup(word[:-1]) or self._lookup(word[:-2]))
        if word.endswith("s") and not word.endswith("ss") and len(word) > _SHORTEST:
            return _with_s(self._lookup(word[:-1]))
        if word.endswith("ied"):
            return _with_d(self._lookup(word[:-3] + "y"))
        if word.endswith("ed"):
            return _with_d(self._stem(word[:-2], "", vowel=True))
        return None

    def _derived(self, word):
        """A known word with another ending."""
        if word.endswith("ing"):
            return self._stem(word[:-3], "IH NG", vowel=True)
        if word.endswith("in'"):
            return self._stem(word[:-3], "AH N", vowel=True)
        for ending, phones in _ENDINGS:
            if word.endswith(ending):
                return self._stem(word.removesuffix(ending), phones, vowel=ending.startswith("e"))
        return None

    def _stem(self, stem, phones, vowel):
        """Phones of a known stem and an ending; before a vowel the stem may have lost its e or doubled its last letter."""
        if len(stem) < _SHORTEST:
            return None
        spellings = [stem]
        if vowel:
            spellings = [stem[:-1]] if stem[-1] == stem[-2] and stem[-1] not in _VOWEL_LETTERS else []
            spellings += [stem, stem + "e"]
        for spelling in spellings:
            found = self._lookup(spelling)
            if found:
                return (*found, *phones.split())
        return None

    def _compound(self, word):
        """Two known words; of several splits the one whose shorter part is longest."""
        best = None
        for at in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
            one, two = self._lookup(word[:at]), self._lookup(word[at:])
            if one and two and (best is None or min(at, len(word) - at) > best[0]):
                best = min(at, len(word) - at), (*one, *two)
        return best and best[1]

    def _spelt(self, word):
        return None if set(word) & _VOWEL_LETTERS else self._named(word)

    def _named(self, word):
        return tuple(phone for letter in word if letter in _NAMES for phone in _NAMES[letter].split())

    def _by_letters(self, word):
        if self._model is None:
            self._model = LetterModel(self._path)
        return self._model.phones(word.strip("'"))


def _with_s(phones):
    if not phones:
        return None
    return (*phones, *(("IH", "Z") if phones[-1] in _HISSES else ("S",) if phones[-1] in _VOICELESS else ("Z",)))


def _with_d(phones):
    if not phones:
        return None
    return (*phones, *(("IH", "D") if phones[-1] in {"T", "D"} else ("T",) if phones[-1] in _VOICELESS else ("D",)))

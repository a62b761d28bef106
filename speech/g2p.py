"""Phones of words that the pronouncing dictionary does not hold."""

_LETTERS = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH", "i": "AY",
    "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY", "q": "K Y UW",
    "r": "AA R", "s": "EH S",
    "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW", "x": "EH K S", "y": "W AY", "z": "Z IY",
}  # fmt: skip


class Pronouncer:
    """Guesses phones from the spelling.

    Args:
        lookup: function of a word that gives its phones (a sequence of ARPAbet labels without stress), or None where the
            dictionary does not hold it.
    """

    def __init__(self, lookup):
        self._lookup = lookup

    def guess(self, word):
        """Phones of a word (lower case a-z and apostrophes) -> tuple of ARPAbet labels without stress, never empty."""
        return tuple(phone for letter in word if letter in _LETTERS for phone in _LETTERS[letter].split())

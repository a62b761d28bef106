"""Which words an utterance has and how they are said, for PocketSphinx, whose model knows the phones of English."""

from speech.text.espeak import EspeakPronouncer
from speech.text.g2p import Pronouncer
from speech.text.languages import is_english, language_words
from speech.text.transcript import Words, transcript_words

_FOREIGN = 0.6  # from this share of words on that no English dictionary holds, a transcript is taken for another language
_ENOUGH = 5  # different words that such a judgement needs
_HOW = "give its language with --language, such as de (needs espeak-ng, or --aligner mfa)"


def build_lexicon(decoder, language="en"):
    """Lexicon of a language for a decoder.

    Raises:
        InputError: eSpeak NG, which other languages than English need, is not installed or does not know the language.
    """
    return EnglishLexicon(decoder) if is_english(language) else ForeignLexicon(decoder, language)


class EnglishLexicon:
    """The dictionary of PocketSphinx's wheel; what it lacks is guessed from the spelling.

    Attributes:
        language: code of the language.
    """

    language = "en"

    def __init__(self, decoder):
        self._decoder, self._guessed = decoder, set()
        self._pronouncer = Pronouncer(decoder.lookup)

    def words(self, text):
        """speech.text.transcript.Words of a text; what cannot be spoken is dropped."""
        return transcript_words(text, self._known)

    def refusal(self, found):
        """Why Words cannot be aligned: most of them are in another script; or ""."""
        foreign = [part for part in found.dropped if any(map(str.isalpha, part)) and part[0] not in "{[<("]
        return f"the transcript is not English ({', '.join(foreign[:3])}): {_HOW}" if len(foreign) > len(found.words) else ""

    def learn(self, words):
        """Put words into the decoder's dictionary -> their keys there."""
        for word in words:
            if word not in self._guessed and self._decoder.lookup(word) is None:
                self._decoder.add(word, self._pronouncer.guesses(word))
                self._guessed.add(word)
        return list(words)

    def word(self, key):
        """The word of a key."""
        return key

    def unknown(self, words):
        """Words whose phones were guessed from the spelling, each once."""
        return tuple(dict.fromkeys(word for word in words if word in self._guessed))

    def doubt(self, words, failed=False):
        """A sentence that says that the words are hardly English; or "".

        Args:
            words: of the transcript.
            failed: the words do not fit the sound, so that one unknown word is reason enough.
        """
        different, unknown = set(words), self.unknown(words)
        if not unknown or (not failed and (len(different) < _ENOUGH or len(unknown) < _FOREIGN * len(different))):
            return ""
        return f"{len(unknown)} of {len(different)} words are in no English dictionary; if this is not English, {_HOW}"

    def _known(self, word):
        return word not in self._guessed and self._decoder.lookup(word) is not None


class ForeignLexicon:
    """Words of another language as eSpeak NG pronounces them, each phone as the nearest of English.

    Attributes:
        language: code of the language.
    """

    def __init__(self, decoder, language):
        self.language = language
        self._decoder, self._phones = decoder, {}
        self._pronouncer = EspeakPronouncer(language)

    def words(self, text):
        """speech.text.transcript.Words of a text; what cannot be spoken is dropped."""
        found = language_words(text, self.language)
        new = [word for word in dict.fromkeys(found.words) if word not in self._phones]
        if new:
            self._phones |= zip(new, self._pronouncer.phones(new), strict=True)
        mute = tuple(word for word in dict.fromkeys(found.words) if not self._phones[word])
        return Words(tuple(word for word in found.words if self._phones[word]), found.dropped + mute)

    def refusal(self, found):
        """Nothing."""
        return ""

    def learn(self, words):
        """Put words into the decoder's dictionary -> their keys there, which no English word has."""
        keys = [f"{word}@{self.language}" for word in words]
        for key, word in dict(zip(keys, words, strict=True)).items():
            if self._decoder.lookup(key) is None:
                self._decoder.add(key, [self._phones[word]])
        return keys

    def word(self, key):
        """The word of a key."""
        return key.removesuffix(f"@{self.language}")

    def unknown(self, words):
        """No word is guessed from its spelling alone."""
        return ()

    def doubt(self, words, failed=False):
        """Nothing."""
        return ""

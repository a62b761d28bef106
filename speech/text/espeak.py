"""Phones of words in other languages by eSpeak NG, a program of its own (GPL), as the classes of English speech."""

import os
import re
import shutil
import subprocess
import unicodedata

from common.errors import InputError
from speech.arpabet import SILENCE
from speech.text.phone_labels import to_arpabet

VARIABLE = "TALKINGFACE_ESPEAK"  # path of the program, where it is not on the PATH
INSTALL = "install it (Debian, Ubuntu: apt-get install espeak-ng; macOS: brew install espeak-ng)"
_SECONDS = 60
_OTHER_LANGUAGE = re.compile(r"\([a-z-]+\)")  # "(en)" where the program changes the language inside a text
_TONES = re.compile(r"[0-9]+")
_STRESS = re.compile("[\u02c8\u02cc]")
_LONGEST = 4  # letters and marks of one symbol of IPA
# Affricates are two classes here, a glottal stop is none, and the open vowel of other languages is no "a" of English "cat".
_PARTS = {"ts": ("T", "S"), "dz": ("D", "Z"), "pf": ("P", "F"), "ʦ": ("T", "S"), "a": ("AA",), "ε": ("EH",), "ʔ": ()}


class EspeakPronouncer:
    """Pronounces words of one language.

    Args:
        language: a voice of eSpeak NG, such as "de", "fr", "pt-br", "cmn".
        executable: path of `espeak-ng`; default: the variable TALKINGFACE_ESPEAK, or the PATH.

    Attributes:
        unknown: set of IPA symbols that no class was found for.

    Raises:
        InputError: the program is not installed, or does not know the language.
    """

    def __init__(self, language, executable=None):
        self.language, self.unknown = language, set()
        self._program = _find(executable)
        self._say([])  # tells whether it knows the language

    def phones(self, words):
        """Phones of words.

        Args:
            words: sequence of str, each without white space.

        Returns:
            list, for each word a tuple of labels of speech.arpabet.PHONES, () where the program cannot read it.

        Raises:
            InputError: the program fails.
        """
        lines = self._say(words)
        if len(lines) != len(words):  # a word of several clauses: each alone
            lines = [" ".join(self._say([word])) for word in words]
        return [self._classes(line, word) for line, word in zip(lines, words, strict=True)]

    def _say(self, words):
        """Lines of IPA that the program prints of words, one a line with an empty line between, which ends a clause."""
        command = [self._program, "-v", self.language, "-q", "--ipa", "--sep=_", "--stdin"]
        try:
            done = subprocess.run(
                command, input="\n\n".join(words) + "\n", capture_output=True, timeout=_SECONDS, check=False,
                encoding="utf-8", errors="replace",
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"{self._program}: does not run ({error}); {INSTALL}") from error
        if done.returncode:
            said = " ".join(done.stderr.split())[:200]
            raise InputError(
                f"--language {self.language}: eSpeak NG does not know it ({said}); `espeak-ng --voices` lists what it knows"
            )
        return [line for line in done.stdout.split("\n") if line.strip()]

    def _classes(self, line, word):
        if "(en)" in line and not any("a" <= character <= "z" for character in word):
            return ()  # it names the letters of a script that it does not read, in English
        symbols = re.split(r"[\s_]+", _OTHER_LANGUAGE.sub(" ", line))
        return tuple(phone for symbol in symbols for phone in self._symbol(symbol))

    def _symbol(self, symbol):
        """Classes of one symbol; of one that is not known, those of its parts, the longest first."""
        rest, found = unicodedata.normalize("NFD", _TONES.sub("", _STRESS.sub("", symbol))), []
        while rest:
            for length in range(min(len(rest), _LONGEST), 0, -1):
                classes = _classes_of(rest[:length])
                if classes is not None:
                    found += classes
                    break
            else:
                self.unknown.add(rest[0])
                length = 1
            rest = rest[length:]
        return found


def _classes_of(symbol):
    """Classes of a symbol; () for a mark that stands alone, None for an unknown one."""
    bare = "".join(character for character in symbol if not unicodedata.combining(character))
    if bare in _PARTS:
        return _PARTS[bare]
    if not any(unicodedata.category(character) in ("Ll", "Lo") for character in symbol):
        return ()
    known = to_arpabet(symbol)
    return None if known is None or known[0] == SILENCE else (known[0],)


def _find(given):
    named = given or os.environ.get(VARIABLE)
    found = shutil.which(str(named) if named else "espeak-ng")
    if found:
        return found
    if named:
        raise InputError(f"{named}: no such program (espeak-ng); {INSTALL}")
    raise InputError(f"no program espeak-ng on the PATH, which pronounces other languages than English: {INSTALL}")

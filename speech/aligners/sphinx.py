"""Forced alignment with PocketSphinx: works straight after installation, without downloads."""

from speech.align import Aligner
from speech.aligners.sphinx_decoder import DecodingError, SphinxDecoder
from speech.alignment import Alignment, AlignmentError, cover
from speech.g2p import Pronouncer
from speech.transcript import transcript_words
from speech.waveform import SAMPLE_RATE


class SphinxAligner(Aligner):
    """PocketSphinx's two-pass alignment with the English model and dictionary of its wheel.

    Raises:
        InputError: PocketSphinx is not installed.
    """

    name = "pocketsphinx"

    def __init__(self):
        self._decoder = SphinxDecoder()
        self._pronouncer = Pronouncer(self._decoder.lookup)
        self._guessed = set()

    def align(self, utterance):
        """Alignment of one utterance, see `speech.align.Aligner.align`."""
        seconds = len(utterance.waveform) / SAMPLE_RATE
        found = transcript_words(utterance.transcript, self._known)
        if not found.words:
            raise AlignmentError(f"{utterance.id}: the transcript holds no word that can be spoken")
        self._learn(found.words)
        try:
            path = self._decoder.align(utterance.waveform, found.words)
        except DecodingError as error:
            raise AlignmentError(f"{utterance.id}: the sound and the transcript do not fit: {error}") from error
        phones = cover([phone for _, phones in path.words for phone in phones], seconds)
        words = cover([word for word, _ in path.words], seconds, blank="")
        unknown = tuple(dict.fromkeys(word for word in found.words if word in self._guessed))
        return Alignment(phones, words, seconds, "pocketsphinx", path.score, unknown)

    def _known(self, word):
        return word not in self._guessed and self._decoder.lookup(word) is not None

    def _learn(self, words):
        for word in words:
            if word not in self._guessed and self._decoder.lookup(word) is None:
                self._decoder.add(word, self._pronouncer.guesses(word))
                self._guessed.add(word)

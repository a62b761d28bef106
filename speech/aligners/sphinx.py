"""Forced alignment with PocketSphinx: works straight after installation, without downloads."""

from dataclasses import replace

import numpy as np

from speech.aligners.aligner import Aligner
from speech.aligners.sphinx_decoder import DecodingError, PhoneListener, SphinxDecoder
from speech.alignment import POOR_FIT, Alignment, AlignmentError, Interval, cover
from speech.arpabet import SILENCE
from speech.text.g2p import Pronouncer
from speech.text.transcript import transcript_words
from speech.waveform import SAMPLE_RATE

NO_FIT = -10.0  # below it the transcript is that of another sound, see speech.alignment.POOR_FIT
_QUIET = 1e-3  # full scale 1: a sound whose 99.9th percentile lies below holds no speech
_SHORTEST = 0.1  # seconds
_RECOGNISED = "no words were known: the phones are what the decoder heard, no alignment"


class SphinxAligner(Aligner):
    """PocketSphinx's two-pass alignment with the English model and dictionary of its wheel.

    With word times given, the words are aligned as a whole and the phones of each word are then brought into its given time;
    with neither words nor transcript phones are recognised. Deterministic; no result depends on what was aligned before.

    Raises:
        InputError: PocketSphinx is not installed.
    """

    name = "pocketsphinx"

    def __init__(self):
        self._decoder, self._listener = SphinxDecoder(), None
        self._pronouncer = Pronouncer(self._decoder.lookup)
        self._guessed = set()

    def align(self, utterance):
        """Alignment of one utterance, see `speech.aligners.aligner.Aligner.align`."""
        _require_sound(utterance)
        try:
            if any(word.label for word in utterance.words):
                return self._align_inside(utterance)
            if utterance.transcript.strip():
                return self._align_text(utterance, utterance.transcript)
            return self._recognise(utterance)
        except DecodingError as error:
            raise AlignmentError(f"{utterance.id}: the sound and the words do not fit: {error}") from error

    def _align_text(self, utterance, text):
        found = transcript_words(text, self._known)
        if not found.words:
            raise AlignmentError(f"{utterance.id}: the transcript holds no word that can be spoken")
        self._learn(found.words)
        path = self._decoder.align(utterance.waveform, found.words)
        if path.score < NO_FIT:
            raise AlignmentError(f"{utterance.id}: the sound is not what the transcript says (score {path.score:.1f}, speech "
                                 f"that fits has {POOR_FIT:.1f} or more)")  # fmt: skip
        seconds = len(utterance.waveform) / SAMPLE_RATE
        phones = cover([phone for _, phones in path.words for phone in phones], seconds)
        words = cover([word for word, _ in path.words], seconds, blank="")
        unknown = tuple(dict.fromkeys(word for word in found.words if word in self._guessed))
        notes = [f"left out of the transcript: {', '.join(found.dropped)}"] if found.dropped else []
        if path.score < POOR_FIT:
            notes.append(f"the words fit the sound poorly (score {path.score:.2f}, {POOR_FIT:.1f} or more is good)")
        return Alignment(phones, words, seconds, "pocketsphinx", path.score, unknown, tuple(notes))

    def _align_inside(self, utterance):
        """Phones inside given word times: those of the free alignment, stretched so that each word begins and ends as given."""
        given = [word for word in utterance.words if word.label]
        spoken = [transcript_words(word.label, self._known).words for word in given]
        aligned = self._align_text(utterance, " ".join(word.label for word in given))
        groups, at = [], 0
        heard = [word for word in aligned.words if word.label]
        for words in spoken:
            groups.append(heard[at : at + len(words)])
            at += len(words)
        if at != len(heard) or not all(groups):
            raise AlignmentError(f"{utterance.id}: the given words are not those that were found in the sound")
        phones = []
        for word, group in zip(given, groups, strict=True):
            start, end = group[0].start, group[-1].end
            own = [phone for phone in aligned.phones if start <= (phone.start + phone.end) / 2 < end]
            scale = (word.end - word.start) / (end - start)
            phones += [_stretched(phone, start, word.start, scale) for phone in own if phone.label != SILENCE]
        phones = cover(phones, aligned.seconds)
        return replace(aligned, phones=phones, words=tuple(utterance.words), source="given words, pocketsphinx")

    def _recognise(self, utterance):
        if self._listener is None:
            self._listener = PhoneListener()
        seconds = len(utterance.waveform) / SAMPLE_RATE
        phones = cover(self._listener.phones(utterance.waveform), seconds)
        if all(phone.label == SILENCE for phone in phones):
            raise AlignmentError(f"{utterance.id}: no speech in the sound")
        return Alignment(phones, (), seconds, "recognised", notes=(_RECOGNISED,))

    def _known(self, word):
        return word not in self._guessed and self._decoder.lookup(word) is not None

    def _learn(self, words):
        for word in words:
            if word not in self._guessed and self._decoder.lookup(word) is None:
                self._decoder.add(word, self._pronouncer.guesses(word))
                self._guessed.add(word)


def _stretched(phone, old, new, scale):
    return Interval(new + (phone.start - old) * scale, new + (phone.end - old) * scale, phone.label, phone.stress)


def _require_sound(utterance):
    """Refuse what cannot hold speech before the decoder sees it."""
    if len(utterance.waveform) < _SHORTEST * SAMPLE_RATE:
        raise AlignmentError(f"{utterance.id}: the sound is shorter than {_SHORTEST} s")
    if float(np.quantile(np.abs(utterance.waveform), 0.999)) < _QUIET:
        raise AlignmentError(f"{utterance.id}: no speech in the sound, it is silent")

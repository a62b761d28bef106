"""Forced alignment with PocketSphinx: English works straight after installation; other languages need eSpeak NG beside it."""

from dataclasses import replace

import numpy as np

from speech.aligners.aligner import Aligner
from speech.aligners.lexicon import build_lexicon
from speech.aligners.sphinx_decoder import DecodingError, PhoneListener, SphinxDecoder
from speech.alignment import Alignment, AlignmentError, Interval, cover, poor_limit
from speech.arpabet import SILENCE
from speech.text.languages import is_english
from speech.text.transcript import Words
from speech.waveform import SAMPLE_RATE

# Below these the transcript is that of another sound, see speech.alignment.intervals.POOR_FIT and POOR_FIT_FOREIGN.
NO_FIT, NO_FIT_FOREIGN = -10.0, -11.0
_QUIET = 1e-3  # full scale 1: a sound whose 99.9th percentile lies below holds no speech
_SHORTEST = 0.1  # seconds
_RECOGNISED = "no words were known: the phones are what the decoder heard, no alignment"


class SphinxAligner(Aligner):
    """PocketSphinx's two-pass alignment with the English model and dictionary of its wheel.

    With word times given, the words are aligned as a whole and the phones of each word are then brought into its given time;
    with neither words nor transcript phones are recognised. Deterministic; no result depends on what was aligned before.

    Args:
        language: of transcripts and words, "en" or a voice of eSpeak NG, whose phones are then aligned as the nearest English
            ones.

    Raises:
        InputError: PocketSphinx is not installed; another language without eSpeak NG, or one that it does not know.
    """

    name = "pocketsphinx"

    def __init__(self, language="en"):
        self._decoder, self._listener = SphinxDecoder(), None
        self._lexicon = build_lexicon(self._decoder, language)
        english = is_english(language)
        self._source = "pocketsphinx" if english else f"pocketsphinx, {language}"
        self._no_fit, self._poor = NO_FIT if english else NO_FIT_FOREIGN, poor_limit(self._source)

    def align(self, utterance):
        """Alignment of one utterance, see `speech.aligners.aligner.Aligner.align`."""
        _require_sound(utterance)
        try:
            if any(word.label for word in utterance.words):
                return self._align_inside(utterance)
            if utterance.transcript.strip():
                return self._align_words(utterance, self._lexicon.words(utterance.transcript))
            return self._recognise(utterance)
        except DecodingError as error:
            raise AlignmentError(f"{utterance.id}: the sound and the words do not fit: {error}") from error

    def _align_words(self, utterance, found):
        """Alignment by speech.text.transcript.Words alone."""
        lexicon = self._lexicon
        if refusal := lexicon.refusal(found):
            raise AlignmentError(f"{utterance.id}: {refusal}")
        if not found.words:
            raise AlignmentError(f"{utterance.id}: the transcript holds no word that can be spoken")
        keys = lexicon.learn(found.words)
        doubt, why = (lexicon.doubt(found.words, failed) for failed in (False, True))
        try:
            path = self._decoder.align(utterance.waveform, keys)
        except DecodingError as error:
            raise DecodingError(f"{error}; {why}" if why else str(error)) from error
        if path.score < self._no_fit:
            raise AlignmentError(f"{utterance.id}: the sound is not what the transcript says (score {path.score:.1f}, speech "
                                 f"that fits has {self._poor:.1f} or more){'; ' + why if why else ''}")  # fmt: skip
        seconds = len(utterance.waveform) / SAMPLE_RATE
        phones = cover([phone for _, phones in path.words for phone in phones], seconds)
        spoken = [replace(word, label=lexicon.word(word.label)) for word, _ in path.words]
        notes = [f"left out of the transcript: {', '.join(found.dropped)}"] if found.dropped else []
        notes += [doubt] if doubt else []
        if path.score < self._poor:
            notes.append(f"the words fit the sound poorly (score {path.score:.2f}, {self._poor:.1f} or more is good)")
        unknown = lexicon.unknown(found.words)
        return Alignment(phones, cover(spoken, seconds, blank=""), seconds, self._source, path.score, unknown, tuple(notes))

    def _align_inside(self, utterance):
        """Phones inside given word times: those of the free alignment, stretched so that each word begins and ends as given."""
        given = [word for word in utterance.words if word.label]
        found = [self._lexicon.words(word.label) for word in given]
        spoken = [one.words for one in found]
        every = Words(sum(spoken, ()), sum((one.dropped for one in found), ()))
        if mute := [word.label for word, words in zip(given, spoken, strict=True) if not words]:
            why = self._lexicon.refusal(every) or f"these given words cannot be spoken: {', '.join(mute[:3])}"
            raise AlignmentError(f"{utterance.id}: {why}")
        aligned = self._align_words(utterance, every)
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
        return replace(aligned, phones=phones, words=tuple(utterance.words), source=f"given words, {self._source}")

    def _recognise(self, utterance):
        if self._listener is None:
            self._listener = PhoneListener()
        seconds = len(utterance.waveform) / SAMPLE_RATE
        phones = cover(self._listener.phones(utterance.waveform), seconds)
        if all(phone.label == SILENCE for phone in phones):
            raise AlignmentError(f"{utterance.id}: no speech in the sound")
        return Alignment(phones, (), seconds, "recognised", notes=(_RECOGNISED,))


def _stretched(phone, old, new, scale):
    return Interval(new + (phone.start - old) * scale, new + (phone.end - old) * scale, phone.label, phone.stress)


def _require_sound(utterance):
    """Refuse what cannot hold speech before the decoder sees it."""
    if len(utterance.waveform) < _SHORTEST * SAMPLE_RATE:
        raise AlignmentError(f"{utterance.id}: the sound is shorter than {_SHORTEST} s")
    if float(np.quantile(np.abs(utterance.waveform), 0.999)) < _QUIET:
        raise AlignmentError(f"{utterance.id}: no speech in the sound, it is silent")

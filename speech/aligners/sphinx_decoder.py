"""PocketSphinx behind three calls: look up or add a word, align words to sound, hear phones without words. All in seconds."""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from speech.alignment import Interval
from speech.arpabet import NUMBER, SILENCE
from speech.waveform import SAMPLE_RATE

PAD = 0.2  # seconds of digital silence at both ends: without it 9 of 160 utterances found no way to their last word
FRAME = 0.01
# A window is 25.625 ms long. What begins between the middles of the windows of frames k - 1 and k begins here after 10 ms x k.
# Measured on 248 utterances of flite's four voices, starts without it lay 7.0 ms too early in the mean.
_SHIFT = (0.025625 - FRAME) / 2
_LEVEL = 0.3  # full scale 1: what the 99.9th percentile of the samples' size is brought to
_INSTALL = "PocketSphinx is not installed: pip install pocketsphinx (the version is in pyproject.toml)"


class DecodingError(Exception):
    """The decoder found no path; the message says at which step."""


@dataclass(frozen=True)
class Path:
    """What the decoder found.

    Attributes:
        words: list of (Interval, list of phone Intervals), silences left out; labels are the words as in the transcript and
            phones of speech.arpabet; times in seconds of the sound without padding, not clipped to it.
        score: mean over the frames of speech of log P(aligned state) - log P(best state of all), in nats; at most 0.
    """

    words: list
    score: float


class SphinxDecoder:
    """One loaded PocketSphinx decoder; results do not depend on what was decoded before (means are taken per utterance).

    Args:
        config: settings of PocketSphinx that differ from ours.

    Raises:
        InputError: PocketSphinx is not installed.
    """

    def __init__(self, **config):
        self._decoder = _load(**config)

    def lookup(self, word):
        """Phones of a word as the dictionary has it first: tuple of labels, or None where it does not hold it."""
        phones = self._decoder.lookup_word(word)
        return tuple(phones.split()) if phones else None

    def add(self, word, pronunciations):
        """Put a word into the dictionary of this decoder, with all ways to say it (tuples of labels)."""
        for number, phones in enumerate(pronunciations, 1):
            self._decoder.add_word(word if number == 1 else f"{word}({number})", " ".join(phones), False)

    def align(self, waveform, words):
        """Forced alignment in two passes: words first, then the phones inside them.

        Args:
            waveform: (n,) float32, 16 kHz mono.
            words: sequence of words, all of them in the dictionary.

        Returns:
            Path.

        Raises:
            DecodingError: no path through all words, or none through their phones.
        """
        raw = _padded_pcm(waveform)
        self._decoder.set_align_text(" ".join(words))
        self._run(raw, "the words")
        segments = self._decoder.seg()
        if self._decoder.hyp() is None or segments is None:
            raise DecodingError("no path through the words")
        found = [_plain(segment.word) for segment in segments]
        if [word for word in found if word not in _FILLERS] != list(words):
            raise DecodingError("the path leaves words out")
        try:
            self._decoder.set_alignment()
        except RuntimeError as error:
            raise DecodingError("the words cannot be split into phones") from error
        self._run(raw, "the phones")
        alignment = self._decoder.get_alignment()
        if alignment is None:
            raise DecodingError("no path through the phones")
        return _path(alignment, list(words))

    def _run(self, raw, what):
        try:
            self._decoder.start_utt()
            self._decoder.process_raw(raw, full_utt=True)
        except RuntimeError as error:
            raise DecodingError(f"decoding {what} failed ({error})") from error
        finally:
            try:
                self._decoder.end_utt()
            except RuntimeError as error:
                raise DecodingError(f"decoding {what} did not reach the end ({error})") from error


class PhoneListener:
    """PocketSphinx's phone decoder: phones without any words, by its trigram model of English phones.

    Raises:
        InputError: PocketSphinx is not installed.
    """

    def __init__(self):
        self._decoder = _load(allphone="en-us-phone.lm.bin", lw=2.0)

    def phones(self, waveform):
        """Phones that are heard, silence and noises left out: list of Interval.

        Raises:
            DecodingError: the decoder found no path.
        """
        self._decoder.start_utt()
        self._decoder.process_raw(_padded_pcm(waveform), full_utt=True)
        self._decoder.end_utt()
        segments = self._decoder.seg()
        if segments is None:
            raise DecodingError("no path through the phones")
        found = []
        for segment in segments:
            if segment.word in NUMBER and segment.word != SILENCE:
                start = segment.start_frame * FRAME - PAD + _SHIFT
                found.append(Interval(start, start + (segment.end_frame + 1 - segment.start_frame) * FRAME, segment.word))
        return found


def _load(allphone=None, **config):
    """A decoder of PocketSphinx with the English model of its wheel."""
    try:
        from pocketsphinx import Decoder, get_model_path
    except ImportError as error:
        raise InputError(_INSTALL) from error
    folder = f"{get_model_path()}/en-us"
    settings = {"hmm": f"{folder}/en-us", "dict": f"{folder}/cmudict-en-us.dict", "lm": None, "loglevel": "FATAL"}
    settings |= {"cmn": "batch", "compallsen": True, "bestpath": False} | config
    if allphone:
        settings["allphone"] = f"{folder}/{allphone}"
    return Decoder(**settings)


_FILLERS = {"<s>", "</s>", "<sil>", "[NOISE]", "[SPEECH]", "(NULL)"}


def _plain(word):
    """ "to(2)", the second way to say it, is "to"."""
    return word[: word.rindex("(")] if word.endswith(")") and not word.startswith("(") else word


def _padded_pcm(waveform):
    """16 bit samples at a level that does not depend on how loud the recording is, with silence at both ends."""
    size = float(np.quantile(np.abs(waveform), 0.999))
    level = np.clip(waveform * (_LEVEL / max(size, 1e-9)), -1, 1)
    return np.pad((level * 32767).astype("<i2"), round(PAD * SAMPLE_RATE)).tobytes()


def _path(alignment, words):
    found, total, frames = [], 0, 0
    for entry in alignment:
        if _plain(entry.name) in _FILLERS:
            continue
        phones = []
        for phone in entry:
            phones.append(_interval(phone, phone.name if phone.name in NUMBER else SILENCE))
            total += phone.score
            frames += phone.duration
        found.append((_interval(entry, _plain(entry.name)), phones))
    if [word.label for word, _ in found] != words:
        raise DecodingError("the path through the phones leaves words out")
    return Path(found, total * 0.1024 / max(frames, 1))


def _interval(entry, label):
    start = entry.start * FRAME - PAD + _SHIFT
    return Interval(start, start + entry.duration * FRAME, label)

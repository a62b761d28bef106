"""Material with known phone times: sentences spoken by flite, which says where each of its phones lies; noise; false texts."""

import random
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np

from common.errors import InputError
from datasets.corpora import GRID_WORDS
from speech.alignment import Interval, cover
from speech.arpabet import SILENCE
from speech.text.phone_labels import to_arpabet
from speech.waveform import SAMPLE_RATE, load_waveform

SENTENCES = Path(__file__).with_name("sentences.txt")
VOICES = ("slt", "rms", "awb", "kal16")
_SEGMENT = re.compile(r"(\S+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Case:
    """One sound whose borders are known from elsewhere than the aligner.

    Attributes:
        id: unique in the run.
        group: what the tables divide by: a voice, a speaker, a file.
        text: what is said.
        waveform: (n,) float32 in [-1, 1], 16 kHz.
        phones: tuple of Interval, the reference; () where it has none.
        words: tuple of Interval, the reference, silence labelled ""; () where it has none.
    """

    id: str
    group: str
    text: str
    waveform: np.ndarray
    phones: tuple = ()
    words: tuple = ()

    @property
    def seconds(self):
        return len(self.waveform) / SAMPLE_RATE


def read_sentences(path=SENTENCES):
    """The lines of a text file, without blank ones and those that begin with "#"."""
    lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def grid_sentences(count, seed=0):
    """`count` different sentences built as those of GRID are: command, colour, preposition, letter, digit, adverb."""
    draw, made = random.Random(seed), {}
    letters = {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"}  # GRID leaves w out
    while len(made) < count:
        made[" ".join(draw.choice(sorted((table or letters).values())) for table in GRID_WORDS)] = True
    return list(made)


def find_flite(name):
    """Path of the synthesiser.

    Raises:
        InputError: there is no such program.
    """
    found = shutil.which(name)
    if found is None:
        raise InputError(
            f"--flite {name}: no such program; install flite (Debian: apt-get install flite) or leave out --parts synthesised"
        )
    return found


def parse_segments(printed):
    """What `flite -psdur` prints, "pau:0.164 hh:0.255 ...", each phone with its end in seconds -> tuple of Interval.

    Labels become phone classes ("ax" is AH, "pau" silence). Segments without length are dropped.

    Raises:
        InputError: nothing of that form is there, a phone is unknown, or times run backwards.
    """
    tier, at = [], 0.0
    for word in printed.split():
        match = _SEGMENT.fullmatch(word)
        if match is None:
            raise InputError(f"flite printed {word!r} where phone:seconds was expected")
        known, end = to_arpabet(match[1]), float(match[2])
        if known is None:
            raise InputError(f"flite printed {match[1]!r}, which is no phone of English")
        if end < at:
            raise InputError(f"flite printed {word!r} after {at} s: times run backwards")
        if end > at:
            tier.append(Interval(at, end, known[0]))
        at = end
    if not tier:
        raise InputError("flite printed no segments; version 2.2 does with -psdur")
    return tuple(tier)


def synthesise(flite, voice, text):
    """Speak `text`.

    Returns:
        (waveform (n,) float32 at 16 kHz, tuple of Interval over all of it: kal16 prints more closing silence than it writes).

    Raises:
        InputError: flite failed or lacks the voice.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = [flite, "-voice", voice, "-psdur", "-t", text, "-o", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not path.is_file():
            raise InputError(f"flite -voice {voice} failed: {done.stderr.strip() or done.returncode}")
        waveform = load_waveform(path)
    return waveform, cover(parse_segments(done.stdout), len(waveform) / SAMPLE_RATE)


def synthesised_cases(flite, sentences, voices=VOICES, jobs=1):
    """A Case for each sentence in each voice; the group is the voice. `jobs` synthesisers run at a time."""

    def speak(voice, number, text):
        waveform, phones = synthesise(flite, voice, text)
        return Case(f"{voice}/{number:03d}", voice, text, waveform, phones)

    wanted = [(voice, number, text) for voice in voices for number, text in enumerate(sentences)]
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(speak, *zip(*wanted, strict=True)))


def speech_power(waveform, phones):
    """Mean square of the samples under phones that are not silence."""
    spoken = np.zeros(len(waveform), bool)
    for phone in phones:
        if phone.label != SILENCE:
            spoken[round(phone.start * SAMPLE_RATE) : round(phone.end * SAMPLE_RATE)] = True
    if not spoken.any():
        raise ValueError("no phone but silence: no power of speech")
    return float(np.square(waveform[spoken], dtype=np.float64).mean())


def add_noise(waveform, phones, snr_db, rng):
    """White Gaussian noise over the whole sound, `snr_db` below the power of the speech in it.

    Where the sum leaves [-1, 1], all of it is scaled down: clipping would be a second disturbance.
    """
    noise = rng.normal(0, np.sqrt(speech_power(waveform, phones) / 10 ** (snr_db / 10)), len(waveform))
    noisy = waveform + noise
    return (noisy / max(1.0, np.abs(noisy).max())).astype(np.float32)


def noisy_cases(cases, snr_db, seed=0):
    """The cases with noise; that of a case depends on the seed, its id and the ratio alone."""
    made = []
    for case in cases:
        rng = np.random.default_rng([seed, crc32(f"{case.id} {snr_db}".encode())])
        made.append(replace(case, waveform=add_noise(case.waveform, case.phones, snr_db, rng)))
    return made


def false_texts(cases, alike=False):
    """{id: the text of another case}: of those of similar length the one with fewest words in common, or, `alike`, with most.

    Similar is a difference of at most a tenth of the letters, or the nearest there is. The text comes from the case's own group
    where that says more than one thing, else from any. Of texts that are as good, the next in the order of length is taken, so
    that they change hands all round.

    Raises:
        InputError: all cases say the same.
    """
    texts, order = {}, sorted(cases, key=lambda case: (len(case.text), case.text, case.id))
    place, words = {case.id: at for at, case in enumerate(order)}, {case.id: _words(case.text) for case in cases}
    for case in cases:
        others = [other for other in order if words[other.id] != words[case.id]]
        if not others:
            raise InputError("all utterances say the same; false transcripts need two different texts")
        near = [other for other in others if other.group == case.group] or others
        apart = {other.id: abs(len(other.text) - len(case.text)) for other in near}
        limit, own, at = max(len(case.text) / 10, min(apart.values())), set(words[case.id]), place[case.id]
        near = [other for other in near if apart[other.id] <= limit]
        sign = -1 if alike else 1
        chosen = min(near, key=lambda other: (sign * len(own & set(words[other.id])), (place[other.id] - at) % len(order)))
        texts[case.id] = chosen.text
    return texts


def _words(text):
    return re.findall(r"[a-z']+", text.lower())

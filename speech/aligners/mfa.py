"""The Montreal Forced Aligner as a backend: one run of `mfa align` over many utterances. MFA is a program of its own."""

import csv
import re
import tempfile
import wave
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import speech.aligners.mfa_program as mfa_program
from common.errors import InputError
from speech.aligners.aligner import Aligner
from speech.alignment import AlignmentError
from speech.alignment.given import read_alignment
from speech.alignment.textgrid import parse_textgrid, pick_tiers
from speech.text.files import read_text
from speech.text.languages import is_english, language_words
from speech.text.phone_labels import is_noise
from speech.text.transcript import transcript_words
from speech.waveform import SAMPLE_RATE

MIN_SECONDS = 0.1  # MFA computes no features for less
# Names of the Montreal Forced Aligner's models by language: the dictionary, and the acoustic model where it has another name.
MODELS = {
    "en": "english_us_arpa",
    "es": "spanish_spain_mfa spanish_mfa", "es-419": "spanish_latin_america_mfa spanish_mfa",
    "pt": "portuguese_portugal_mfa portuguese_mfa", "pt-br": "portuguese_brazil_mfa portuguese_mfa",
    "cmn": "mandarin_china_mfa mandarin_mfa", "zh": "mandarin_china_mfa mandarin_mfa",
    "vi": "vietnamese_hanoi_mfa vietnamese_mfa",
    "bg": "bulgarian_mfa", "cs": "czech_mfa", "de": "german_mfa", "fr": "french_mfa", "ha": "hausa_mfa", "hr": "croatian_mfa",
    "ja": "japanese_mfa", "ko": "korean_mfa", "pl": "polish_mfa", "ru": "russian_mfa", "sv": "swedish_mfa", "sw": "swahili_mfa",
    "ta": "tamil_mfa", "th": "thai_mfa", "tr": "turkish_mfa", "uk": "ukrainian_mfa",
}  # fmt: skip
_UNKNOWN_WORD = "<unk>"
_NO_SPEAKER = "speaker"
_NOTHING_ALIGNED = ("no successful alignments", "No utterances had features")  # MFA's words; the run itself was in order


@dataclass(frozen=True)
class _Entry:
    """One utterance in the corpus: where its files lie, and what its alignment needs once the waveform is gone."""

    id: str
    speaker: str = ""
    name: str = ""
    seconds: float = 0.0
    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: AlignmentError | None = None


def models_of(language):
    """(dictionary, acoustic model) of MFA for a language code; a region that has no models of its own is left out.

    Raises:
        InputError: no such language.
    """
    code = language.lower().replace("_", "-")
    found = MODELS.get(code) or MODELS.get(code.partition("-")[0])
    if found is None:
        raise InputError(f"--language {language}: no models of MFA are known for it; known are {', '.join(sorted(MODELS))}")
    dictionary, _, acoustic = found.partition(" ")
    return dictionary, acoustic or dictionary


class MfaAligner(Aligner):
    """`mfa align` (series 3) with a dictionary and a pretrained acoustic model.

    The score of an alignment is MFA's log-likelihood of its speech frames, per frame. MFA has no mode for known word times:
    utterances with nothing but words are aligned by the transcript that these words make, and a note says so.

    Args:
        language: of the words: "en", or one of MODELS, whose dictionary and acoustic model are then the default.
        dictionary, acoustic_model: names of downloaded models, or paths. english_us_arpa has ARPAbet; the IPA of others is
            mapped to it (speech/text/phone_labels.py).
        g2p_model: name or path of a model that spells out words which the dictionary lacks; without one they become silence,
            and are reported.
        executable: path of `mfa`; default: the variable TALKINGFACE_MFA, or the PATH.
        jobs: processes; default: MFA's own (3).
        beam, retry_beam: width of the search; default: MFA's own (10, 40). Wider finds more and takes longer.
        single_speaker: split the work by utterances instead of speakers; MFA then adapts to no speaker.
        timeout: seconds for one run, or None.
        folder: where the corpus is laid out for the time of a run; default: the system's temporary folder. Needs 32 KB a
            second of sound, and as much again for MFA.

    Raises:
        InputError: MFA is not installed, or an option makes no sense.
    """

    name = "mfa"

    def __init__(
        self, *, language="en", dictionary=None, acoustic_model=None, g2p_model=None, executable=None, jobs=None,
        beam=None, retry_beam=None, single_speaker=False, timeout=None, folder=None,
    ):  # fmt: skip
        for option, value in {"jobs": jobs, "beam": beam, "retry_beam": retry_beam, "timeout": timeout}.items():
            if value is not None and not value > 0:
                raise InputError(f"{option} of the MFA aligner: {value} is not above 0")
        if retry_beam is not None and retry_beam <= (beam or 10):
            raise InputError(f"retry_beam of the MFA aligner: {retry_beam} is not wider than beam {beam or 10}")
        if folder is not None and not Path(folder).is_dir():
            raise InputError(f"{folder}: no such folder (for the corpus of the MFA aligner)")
        self.executable = mfa_program.find_executable(executable)
        usual = ("", "") if dictionary and acoustic_model else models_of(language)
        self._language, self._models = language, [str(dictionary or usual[0]), str(acoustic_model or usual[1])]
        self._options = {"--num_jobs": jobs, "--beam": beam, "--retry_beam": retry_beam, "--g2p_model_path": g2p_model}
        self._flags = ["--single_speaker"] if single_speaker else []
        self._timeout, self._folder = timeout, folder
        self._version = None

    def align(self, utterance):
        ((_, found),) = self.align_many([utterance])
        if isinstance(found, AlignmentError):
            raise found
        return found

    def align_many(self, utterances):
        """Yield (id, Alignment or AlignmentError) of each utterance, in their order, after one run of MFA over all of them.

        Utterances are written to disk one by one, so any number of them may come from an iterator.

        Raises:
            InputError: the run as a whole fails: no such model, a broken installation, timeout.
        """
        if self._version is None:
            self._version = mfa_program.check_version(self.executable)
        with tempfile.TemporaryDirectory(prefix="mfa-", dir=self._folder) as folder:
            folder = Path(folder).absolute()
            entries = list(_lay_out(utterances, folder / "corpus", self._language))
            failure = self._run(folder) if any(entry.error is None for entry in entries) else None
            report = _Report(folder / "output", failure)
            for entry in entries:
                yield entry.id, entry.error or report.result(entry)

    def command(self, folder):
        """The command line of a run in `folder`, list of str."""
        # MFA refuses a corpus whose path begins with the path of its temporary folder: no name here begins another.
        paths = [str(folder / "corpus"), *self._models, str(folder / "output")]
        options = [part for flag, value in self._options.items() if value is not None for part in (flag, str(value))]
        temporary = ["--temporary_directory", str(folder / "temporary")]
        form = ["--output_format", "long_textgrid", "--clean"]
        return [str(self.executable), "align", *paths, *temporary, *form, *options, *self._flags]

    def _run(self, folder):
        """None when MFA ran to its end; its words when it aligned not one utterance."""
        variables = mfa_program.environment(self.executable, mfa_program.own_root(folder / "root"))
        outcome = mfa_program.run(self.command(folder), variables, folder, self._timeout)
        if outcome.code == 0:
            return None
        if any(outcome.says(words) for words in _NOTHING_ALIGNED):
            return outcome.tail
        dictionary, acoustic = self._models
        hint = f"`mfa model download dictionary {dictionary}`, `mfa model download acoustic {acoustic}`"
        missing = f"; download the models: {hint}" if outcome.says("Could not find a model") else ""
        raise InputError(f"mfa align failed (exit code {outcome.code}): {outcome.tail}{missing}")


def _lay_out(utterances, corpus, language):
    """Write the corpus as MFA wants it, a folder a speaker, a .wav and a .lab an utterance; yield an _Entry of each.

    The speaker is the folder part of the id. Numbers in front of all names keep them unique, also beyond their folders.
    """
    corpus.mkdir()
    speakers = {}
    for place, utterance in enumerate(utterances):
        folder, _, clip = utterance.id.rpartition("/")
        speaker = speakers.setdefault(folder, f"{len(speakers):04d}-{_plain(folder) or _NO_SPEAKER}")
        entry = _Entry(utterance.id, speaker, f"{place:07d}-{_plain(clip)}", len(utterance.waveform) / SAMPLE_RATE)
        try:
            words, notes = _words_of(utterance, language)
        except AlignmentError as error:
            yield replace(entry, error=error)
            continue
        (corpus / speaker).mkdir(exist_ok=True)
        _write_wav(corpus / speaker / f"{entry.name}.wav", utterance.waveform)
        (corpus / speaker / f"{entry.name}.lab").write_text(" ".join(words) + "\n", encoding="utf-8")
        yield replace(entry, words=words, notes=notes)


def _words_of(utterance, language):
    """(words, notes) that MFA is given of an utterance."""
    if len(utterance.waveform) < MIN_SECONDS * SAMPLE_RATE:
        raise AlignmentError(f"{utterance.id}: the sound is shorter than {MIN_SECONDS} s, MFA leaves it out")
    notes, text = [], utterance.transcript
    if utterance.words:
        notes.append("MFA takes no word times: the given ones were not used, the words were aligned anew")
        text = text if text.strip() else " ".join(word.label for word in utterance.words if word.label)
    if not text.strip():
        raise AlignmentError(f"{utterance.id}: MFA needs a transcript; without one, the pocketsphinx aligner recognises phones")
    words, dropped = transcript_words(text) if is_english(language) else language_words(text, language, spell=True)
    if not words:
        raise AlignmentError(f"{utterance.id}: the transcript {text.strip()[:40]!r} holds no word")
    if dropped:
        notes.append(f"left out of the transcript: {', '.join(dropped[:5])}")
    if digits := [word for word in dict.fromkeys(words) if any(map(str.isdigit, word))]:
        notes.append(f"numbers that are not written out for {language!r}: {', '.join(digits[:5])}; write them as words")
    return words, tuple(notes)


def _plain(name):
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:60]


def _write_wav(path, waveform):
    samples = np.clip(np.asarray(waveform, np.float32), -1.0, 1.0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(samples * 32767.0).astype("<i2").tobytes())


class _Report:
    """What a run left in its output folder: TextGrids, alignment_analysis.csv, and lists of its troubles.

    Args:
        output: the folder.
        failure: MFA's words when it ended without aligning anything, or None.
    """

    def __init__(self, output, failure):
        self._output, self._failure = output, failure
        self._scores = _scores(output / "alignment_analysis.csv")
        self._unaligned = _lines(output / "unaligned.txt")
        self._unknown = {line.strip().lower() for path in output.glob("oovs_found*.txt") for line in _lines(path)}

    def result(self, entry):
        """Alignment or AlignmentError of an _Entry."""
        path = self._output / entry.speaker / f"{entry.name}.TextGrid"
        if not path.is_file():
            return AlignmentError(f"{entry.id}: MFA did not align it: {self._reason(entry)}")
        try:
            return self._read(entry, path)
        except InputError as error:
            return AlignmentError(f"{entry.id}: MFA's alignment cannot be used: {str(error).removeprefix(f'{path}: ')}")

    def _read(self, entry, path):
        given = read_alignment(path, entry.seconds)
        if not given.phones or not any(word.label for word in given.words):
            raise AlignmentError("it holds no word or no phone")
        words = _named(given.words, entry.words)
        phones = pick_tiers(parse_textgrid(read_text(path, "alignment"), path), path)["phones"]
        unheard = {word.label for word in words if word.label and any(_covers(row, word) for row in phones)}
        listed = self._unknown.intersection(entry.words)
        notes = list(entry.notes)
        if unheard:
            names = ", ".join(sorted(unheard)[:5])
            notes.append(f"words that MFA's dictionary lacks stand as silence: {names}; give g2p_model to spell them out")
        alignment = replace(given, words=words).as_alignment(entry.seconds, source="mfa")
        score = self._scores.get(entry.name)
        return replace(alignment, score=score, unknown=tuple(sorted(unheard | listed)), notes=tuple(notes))

    def _reason(self, entry):
        for line in self._unaligned:
            name, _, reason = line.partition("\t")
            if name.strip().endswith(entry.name):
                return reason.strip() or "it is listed as unaligned"
        if self._failure:
            return self._failure
        if entry.name in self._scores:
            return "no path through the transcript within the beam; wrong words, or try beam=100, retry_beam=400"
        return "it computed no features for it, or wrote no TextGrid"


def _covers(row, word):
    """Whether a row of spoken noise stands for most of a word."""
    return is_noise(row.label) and min(row.end, word.end) - max(row.start, word.start) > 0.5 * (word.end - word.start)


def _named(tier, words):
    """A tier in which the words that MFA wrote as <unk> have their names again, where the count of words tells which."""
    spoken = [word.label for word in tier if word.label]
    if _UNKNOWN_WORD not in spoken or len(spoken) != len(words):
        return tier
    names = iter(words)
    return tuple(replace(word, label=next(names)) if word.label else word for word in tier)


def _scores(path):
    """{file name: log-likelihood a frame, or None where MFA found no alignment} of alignment_analysis.csv."""
    scores = {}
    for row in csv.DictReader(_lines(path)):
        values = [row.get(column) for column in ("speech_log_likelihood", "overall_log_likelihood")]
        numbers = [float(value) for value in values if value and re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", value)]
        scores[row.get("file")] = numbers[0] if numbers else None
    return scores


def _lines(path):
    """Lines of a text file; none where it is absent or empty."""
    if not path.is_file() or not path.stat().st_size:
        return []
    return [line for line in read_text(path, "report of MFA").split("\n") if line.strip()]

"""From a sound and whatever is known of its words to an alignment: the one way in for scripts."""

from dataclasses import dataclass

from common.errors import InputError
from common.suggest import refuse_unknown
from speech.aligners import ALIGNERS, Utterance, build_aligner
from speech.text.languages import is_english
from speech.waveform import SAMPLE_RATE


@dataclass(frozen=True)
class SpeechText:
    """What is known of the words of a sound: at most one of three files, or nothing.

    Attributes:
        transcript: path of a text file with the words.
        align: path of word or phone times, in any form that `speech.alignment.given.read_alignment` reads.
        textgrid: the same, as a Praat TextGrid.
        aligner: name, see `speech.aligners.ALIGNERS`.
        language: of the words, "en" or another that the aligner knows, see `speech.aligners.build_aligner`.
    """

    transcript: str | None = None
    align: str | None = None
    textgrid: str | None = None
    aligner: str = "pocketsphinx"
    language: str = "en"

    def __post_init__(self):
        refuse_unknown([self.aligner], ALIGNERS, "--aligner")
        flags = [f"--{name}" for name in ("transcript", "align", "textgrid") if getattr(self, name) is not None]
        if len(flags) > 1:
            raise InputError(f"{' and '.join(flags)}: give one of them")
        if not flags and not is_english(self.language):
            raise InputError(f"--language {self.language}: give --transcript, too; without words, English phones are heard")

    @property
    def given(self):
        """The flag that was given, "" for none."""
        return next((f"--{name}" for name in ("transcript", "align", "textgrid") if getattr(self, name) is not None), "")

    def check(self, seconds):
        """Read the file that is given, so that a mistake in it is reported before expensive work begins.

        Args:
            seconds: length of the sound.

        Raises:
            InputError: it cannot be read, or does not belong to a sound of this length; or the program that its alignment needs
                is not there, or does not know the language.
        """
        from speech.alignment.given import read_alignment, read_transcript

        if path := self.align or self.textgrid:
            if read_alignment(path, seconds).phones:
                return
        elif self.transcript is not None:
            read_transcript(self.transcript)
        if self.aligner != "pocketsphinx" or not is_english(self.language):
            build_aligner(self.aligner, language=self.language).close()


def align_speech(waveform, text, name="speech"):
    """Phones of a sound: as the file says, by aligning its words or transcript, or, where neither is known, by recognition.

    Args:
        waveform: (n,) float32 in [-1, 1], 16 kHz mono.
        text: SpeechText.
        name: of the sound, for messages.

    Returns:
        speech.alignment.Alignment.

    Raises:
        InputError: a file that cannot be read or does not belong to this sound.
        AlignmentError: the words do not fit the sound, or no speech is in it.
    """
    from speech.alignment.given import read_alignment, read_transcript

    seconds = len(waveform) / SAMPLE_RATE
    transcript, words = "", ()
    if path := text.align or text.textgrid:
        given = read_alignment(path, seconds)
        if given.phones:
            return given.as_alignment(seconds)
        words = given.words
    elif text.transcript is not None:
        transcript = read_transcript(text.transcript)
    aligner = build_aligner(text.aligner, language=text.language)
    try:
        return aligner.align(Utterance(name, waveform, transcript, words))
    finally:
        aligner.close()

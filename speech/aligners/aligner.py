"""What every backend of forced alignment is given, and what it gives."""

from dataclasses import dataclass

import numpy as np

from speech.alignment import AlignmentError


@dataclass(frozen=True)
class Utterance:
    """What an aligner is given.

    Attributes:
        id: unique among the utterances of one call; folders are written with forward slashes.
        waveform: (n,) float32 in [-1, 1], 16 kHz mono.
        transcript: its words as written; "" where none is known.
        words: tuple of Interval with known word times (seconds; label the word, "" for silence), or () where none are known.
    """

    id: str
    waveform: np.ndarray
    transcript: str = ""
    words: tuple = ()


class Aligner:
    """Base of the backends. A backend gives at least `name` and `align`.

    Attributes:
        name: as in `speech.aligners.ALIGNERS`.
    """

    name = ""

    def align(self, utterance):
        """Alignment of one utterance: inside the given word times where there are some, else by its transcript, else, with
        neither, by recognising phones (then `Alignment.recognised` is true).

        Args:
            utterance: Utterance.

        Raises:
            AlignmentError: the sound does not fit the transcript, holds no speech, or is too short.
        """
        raise TypeError(f"{type(self).__name__} is no backend: it has no align()")

    def align_many(self, utterances):
        """Yield (id, Alignment or AlignmentError) of each utterance; a failure does not stop the others."""
        for utterance in utterances:
            try:
                yield utterance.id, self.align(utterance)
            except AlignmentError as error:
                yield utterance.id, error

    def close(self):
        """Let go of what the backend holds."""

"""What a dataset keeps of the clips that it has read, so that the next window of a clip costs little."""

import numpy as np

from datasets.action_units import read_action_units
from datasets.fields.lips import lips_of
from datasets.fields.speech import FULL_SCALE, clip_cepstra
from datasets.limits import most_open
from datasets.speech import SpeechFile
from datasets.texture import open_modules
from datasets.words import frame_words, word_classes
from speech.log_mel import loudness
from speech.phonemes import shuffled_runs

MOST_CEPSTRA = 10_000  # clips whose coefficients are kept, 14 kB for 3 s


class KeptClips:
    """The arrays of clips by their number in a split, and what is computed of them once.

    Args:
        corpus: datasets.prepared.PreparedCorpus.
        rows: ClipRows of the split that serve.
        vocabulary: words in the order of their classes.
        phonemes: "aligned", or "shuffled": the runs of each clip in random order, drawn from `seed`.
        textures: dict of field -> faces.texture.TextureSpec.
    """

    def __init__(self, corpus, rows, vocabulary, phonemes, seed, textures):
        self._corpus, self._rows, self._phonemes, self._seed, self._textures = corpus, rows, phonemes, seed, textures
        self._numbers = {word: number for number, word in enumerate(vocabulary)}
        self._files, self._computed, self._cepstra, self._most = {}, {}, {}, most_open()

    def __len__(self):
        """Number of files that are open."""
        return len(self._files)

    def close(self):
        """Let go of all clips; the next item opens its own again."""
        for kept in (self._files, self._computed, self._cepstra):
            kept.clear()

    def hold(self, number, arrays):
        """Take these arrays by name for clip `number`, in place of its file's."""
        self._files[number] = arrays

    def hold_labels(self, number, name, labels):
        """Take (N, S, S) texture modules for clip `number` and the field `name`, in place of its file's."""
        self._files[number, self._textures[name]] = labels

    def clip(self, number):
        """Arrays of clip `number` by name, kept open."""

        def opened():  # plain arrays: cutting a memory map costs more than cutting an array
            return {name: array.view(np.ndarray) for name, array in self._corpus.open(self._rows[number]).items()}

        return _once(self._files, number, opened, self._most)

    def speech(self, number):
        """datasets.speech.SpeechFile of clip `number`, kept open."""
        key = number, "speech"
        return _once(self._files, key, lambda: SpeechFile(self._corpus.folder, self._rows[number]), self._most)

    def labels(self, number, name):
        """(N, S, S) texture modules of clip `number` for the field `name`."""
        spec = self._textures[name]

        def opened():
            return open_modules(self._corpus.folder, self._rows[number], spec).view(np.ndarray)

        return _once(self._files, (number, spec), opened, self._most)

    def runs(self, number):
        """speech.phonemes.Runs of clip `number`, in the order that `phonemes` asks for."""

        def computed():
            runs = self._corpus.phoneme_runs(self._rows[number])
            return shuffled_runs(runs, self._seed + number) if self._phonemes == "shuffled" else runs

        return _once(self._computed, (number, "runs"), computed)

    def words(self, number):
        """(N,) int32 class of the word in each frame of clip `number`, see `datasets.words.frame_words`."""
        key = number, "words"
        return _once(self._computed, key, lambda: frame_words(self._corpus.folder, self._rows[number], self._numbers))

    def action_units(self, number):
        """datasets.action_units.ActionUnits of clip `number`."""
        key = number, "action_units"
        return _once(self._computed, key, lambda: read_action_units(self._corpus.folder, self._rows[number]))

    def spoken(self, number):
        """((K, 2) float64 seconds, (K,) int64 classes) of the words of clip `number`; none where the clip has no words."""
        row = self._rows[number]
        if "from" not in row.side.get("words", {}):
            return np.zeros((0, 2)), np.zeros(0, np.int64)
        return _once(self._computed, (number, "spoken"), lambda: word_classes(self._corpus.folder, row, self._numbers))

    def lips(self, number):
        """Movements (N, 20, 2) of clip `number`, and the faces.lip_space.Person, computed once."""
        return _once(self._computed, (number, "lips"), lambda: lips_of(self.clip(number)))

    def loudness(self, number):
        """Factor that brings the sound of clip `number` to the loudness of speech.log_mel, computed once."""

        def computed():
            return loudness(np.asarray(self.clip(number)["waveform"]) / np.float32(FULL_SCALE))

        return _once(self._computed, (number, "loudness"), computed)

    def cepstra(self, number, recipe):
        """(C, k) float32 coefficients of the whole sound of clip `number`, by a speech.mfcc.Recipe, computed once."""

        def computed():
            return clip_cepstra(self.clip(number), recipe)

        return _once(self._cepstra, (number, recipe.name), computed, MOST_CEPSTRA)


def _once(kept, key, made, most=None):
    """What `made` gives, once for a key as long as no more than `most` are kept; the oldest goes first."""
    if key not in kept:
        if most is not None and len(kept) >= most:
            kept.pop(next(iter(kept)))
        kept[key] = made()
    return kept[key]

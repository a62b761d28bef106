"""What fresh classifiers are given: codes of one network, beside the words and the people that they are asked for."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from benchmarks.davs.codes import codes_of
from benchmarks.davs.probes import Readings
from benchmarks.davs.sentences import sentences_of, words_of
from benchmarks.held_out.choice import spread

SHIFTS = (-1, 0, 1)  # strides by which windows of training and validation are moved, for more readings of a word
PER_SENTENCE = 12  # codes, or windows of codes, of a sentence that a person is read from
LEAST_SENTENCES = 4  # that training holds of a person who is read
MAPS_EVERY = 2  # of the frames of a window, whose maps are read


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        title: for tables; asks: "word" or "person"; codes: attribute of benchmarks.davs.codes.Codes.
        window: a person is read from the codes of a window, as a word is; else from one code.
    """

    title: str
    asks: str
    codes: str
    window: bool = False


QUESTIONS = {
    "word_identity": Question("word from the identity codes of a window", "word", "identity"),
    "word_maps": Question("word from the identity maps of a window", "word", "maps"),
    "word_audio": Question("word from the speech codes of sound", "word", "audio"),
    "word_video": Question("word from the speech codes of lips", "word", "video"),
    "person_audio": Question("person from one speech code of sound", "person", "audio"),
    "person_video": Question("person from one speech code of lips", "person", "video"),
    "person_audio_window": Question("person from the speech codes of sound in a window", "person", "audio", True),
    "person_video_window": Question("person from the speech codes of lips in a window", "person", "video", True),
    "person_identity": Question("person from one identity code", "person", "identity"),
}


class Material:
    """The sentences of each split, and the words and people in them.

    Args:
        corpus: datasets.prepared.PreparedCorpus; vocabulary: tuple of words.
        frames, stride: that the word classifier hears.
        most: sentences of training whose speech is read, None for all; identities are read from all of them.

    Attributes:
        rows: {split: list of ClipRow}; splits: the read ones, "test" and, where it has words, "unseen".
        left_out: {split: {reason: count}}.
        people: names of the people who are read, in order: those of whom training holds LEAST_SENTENCES sentences, and the
            held-out sentences one at least.
        counts: {person: {split: number of sentences}} of everybody in training, validation and held-out sentences.
    """

    def __init__(self, corpus, vocabulary, frames, stride, most):
        self.corpus, self.vocabulary, self.frames, self.stride = corpus, vocabulary, frames, stride
        window = {"frames": frames, "stride": stride}
        found = {split: sentences_of(corpus, split, **window) for split in ("train", "val", "test", "unseen")}
        self.rows = {split: rows for split, (rows, _) in found.items()}
        self.left_out = {split: left_out for split, (_, left_out) in found.items()}
        self.splits = [split for split in ("test", "unseen") if self.rows[split]]
        self.with_speech = {row.id for row in spread(self.rows["train"], most)}
        counts = {split: Counter(row.speaker for row in self.rows[split]) for split in ("train", "val", "test")}
        everybody = sorted(set().union(*counts.values()))
        self.counts = {person: {split: one[person] for split, one in counts.items()} for person in everybody}
        learned = Counter(row.speaker for row in self.rows["train"] if row.id in self.with_speech)
        self.people = [person for person, own in self.counts.items() if learned[person] >= LEAST_SENTENCES and own["test"]]

    def questions(self, tested):
        """Keys of QUESTIONS that make sense for a network."""
        knows = tested.facts["stage"] != "words"
        return [key for key, one in QUESTIONS.items()
                if (knows or one.codes in ("audio", "video")) and (one.asks == "word" or len(self.people) > 1)]  # fmt: skip

    def read(self, tested):
        """Codes of all sentences.

        Returns:
            {split: {id: benchmarks.davs.codes.Codes of every stride-th frame}}.
        """
        return {
            split: {
                row.id: codes_of(tested, self.corpus, row, identity=True, step=self.stride,
                                 speech=split != "train" or row.id in self.with_speech)
                for row in rows
            }
            for split, rows in self.rows.items()
        }  # fmt: skip

    def readings(self, key, split, codes):
        """Readings of a question in one split; `codes`: what `read` gave for it."""
        question = QUESTIONS[key]
        rows = [row for row in self.rows[split] if getattr(codes[row.id], question.codes) is not None]
        return self._words(question, split, rows, codes) if question.asks == "word" else self._people(question, rows, codes)

    def _words(self, question, split, rows, codes):
        numbers = {word: number for number, word in enumerate(self.vocabulary)}
        shifts = SHIFTS if split in ("train", "val") else (0,)
        step = MAPS_EVERY if question.codes == "maps" else 1
        inputs, labels, sentences = [], [], []
        for row in rows:
            own = getattr(codes[row.id], question.codes)
            for shift in shifts:
                moved = {"shift": shift * self.stride, "aligned": True}
                for one in words_of(self.corpus, row, numbers, self.frames, self.stride, **moved):
                    inputs.append(own[one.frames[::step] // self.stride].reshape(-1))
                    labels.append(one.word)
                    sentences.append(row.id)
        return Readings(np.stack(inputs), np.array(labels, np.int64), np.array(sentences))

    def _people(self, question, rows, codes):
        inputs, labels, sentences = [], [], []
        for row in rows:
            if row.speaker in self.people:
                own = getattr(codes[row.id], question.codes)
                width = self.frames if question.window else 1
                starts = len(own) - width + 1
                places = np.linspace(0, starts - 1, min(PER_SENTENCE, starts)).round().astype(int)
                inputs.append(np.stack([own[place : place + width].reshape(-1) for place in places]))
                labels += [self.people.index(row.speaker)] * len(places)
                sentences += [row.id] * len(places)
        return Readings(np.concatenate(inputs), np.array(labels, np.int64), np.array(sentences))

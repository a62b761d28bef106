"""Windows of prepared clips: what the loader ships, and the batch that is made of it on the device.

An item is a deterministic function of (seed, epoch, index): nothing is drawn that the index does not decide, nothing is
retried, nothing is swallowed.
"""

import numpy as np

from common.errors import InputError
from datasets.centring import centred_start, check_centre, draw_word
from datasets.choice import check_arrays, choose_rows, part_of
from datasets.fields import FIELDS, REFERENCE_GAP, Shipped, Window, check_fields, check_options
from datasets.fields.features import check_changes
from datasets.kept import KeptClips
from datasets.limits import keep_freed_memory
from datasets.negatives import Negatives
from datasets.speech import Voice, check_speech
from datasets.texture import check_modules
from datasets.words import read_vocabulary
from faces.texture import TextureSpec

__all__ = ["REFERENCE_GAP", "Stack", "WindowDataset", "collate", "part_of"]
_MODULES = ("module", "reference_module")
_WORDS = {"word", "spoken_word"}


class WindowDataset:
    """Map-style dataset of windows of T frames from one split of a prepared corpus.

    Items are dicts of numpy arrays as they are shipped to the device; `collate` makes a batch of them, and `complete` makes the
    fields of it, as datasets.fields.FIELDS describes them.

    Args:
        corpus: datasets.prepared.PreparedCorpus.
        split: "train", "val", "test" or "unseen".
        window: T, frames per item.
        fields: names from datasets.fields.FIELDS.
        seed: int.
        length: items per epoch; None takes one item per T frames of the split.
        audio_window: mode of speech.windows.
        mask_top: share of the crop's height from which on `masked_face` is 0; 0.5 is the published half.
        balance: a clip is drawn with probability ~ (clips of its speaker) ** (balance - 1); 1 draws all clips alike, 0 all
            speakers.
        augment: dict of strengths, or None, see datasets.augment.
        exclude: ids, or the beginnings of ids, of clips that are left out.
        speakers: names of the people whose clips serve, so that two networks may learn from disjoint people; None takes all.
        cut: "frames": windows of T frames from anywhere; "phoneme": windows of whole phoneme runs, as many as T frames hold,
            padded with their last frame, `valid` 0 there. A run longer than T frames is cut into pieces of T.
        phonemes: "aligned", or "shuffled": the runs of each clip in random order, the control of the temporal idea.
        sync_frames: frames at the window's start that `sync_mel` and `heard_mel` belong to; None means T.
        textures: dict of field `module` or `reference_module` -> faces.texture.TextureSpec, where not the usual one.
        part: (low, high) in [0, 1]: only clips whose id hashes into it, so that two networks may learn from disjoint halves.
        min_av_confidence: only clips whose AV offset was measured with this confidence, or "sure" (docs/av_offset.md), and is
            made up for to within half a frame; None takes all.
        negatives: datasets.negatives.Negatives: where `heard_mel` comes from when it is not the window's own sound.
        options: dict of field -> dict of its options, where they are not the usual ones.
        centre: "word": each window is centred on a word, and clips without words are left out. "known": those of clips with
            words are, those of others lie anywhere. None: all lie anywhere.
        jitter: frames by which a centred window is moved at most.
        action_units: "required": clips without action units are left out, whether or not a field needs them; None.

    Attributes:
        rows: ClipRows of the split that serve.
        people: names of the speakers of the training split in the order of the field `speaker`.
        kept: datasets.kept.KeptClips of the rows.
        without: dict of "phones", "words" or "action_units", where they are needed -> number of clips that were left out for
            want of them.
        vocabulary: words in the order of the classes of `word` and `spoken_word`; () where nothing asks for words.
    """

    def __init__(
        self,
        corpus,
        split,
        window,
        fields,
        *,
        seed=0,
        length=None,
        audio_window="centred",
        mask_top=0.5,
        balance=1.0,
        augment=None,
        exclude=(),
        speakers=None,
        cut="frames",
        phonemes="aligned",
        sync_frames=None,
        textures=None,
        part=(0.0, 1.0),
        min_av_confidence=None,
        negatives=None,
        options=None,
        centre=None,
        jitter=0,
        action_units=None,
    ):
        self.corpus, self.window, self.fields, self.seed = corpus, int(window), check_fields(fields), seed
        self.audio_window, self.augment, self.negatives = audio_window, augment, negatives or Negatives()
        self.mask_top, self.cut, self.phonemes, self.sync_frames = mask_top, cut, phonemes, sync_frames or self.window
        self.options, self.centre, self.jitter = check_options(options), centre, jitter
        check_centre(centre, cut)
        check_changes(self.fields, self.options, augment)
        needs = {"phones"} if cut == "phoneme" else set()
        needs |= {FIELDS[name].clips for name in self.fields} - {None}
        if centre == "word" or (centre is None and "spoken_word" in self.fields):
            needs.add("words")
        if action_units is not None:
            needs.add("action_units")
        elsewhere = (FIELDS[name].looks_elsewhere(self.options.get(name)) for name in self.fields)
        beside = REFERENCE_GAP + 1 if any(elsewhere) else 0
        self.rows, self.without = choose_rows(
            corpus, split, self.window + beside, exclude=exclude, speakers=speakers, part=part,
            min_av_confidence=min_av_confidence, needs=sorted(needs),
        )  # fmt: skip
        check_arrays(corpus, self.rows[0], self.fields, self.options, augment)
        self.voice = self._checked_voice()
        textures = {name: (textures or {}).get(name, TextureSpec()) for name in _MODULES if name in self.fields}
        for spec in set(textures.values()):
            check_modules(corpus.folder, self.rows, spec)
        self._by_speaker = {}
        for index, row in enumerate(self.rows):
            self._by_speaker.setdefault(row.speaker, []).append(index)
        weights = np.array([len(self._by_speaker[row.speaker]) ** (balance - 1.0) for row in self.rows], np.float64)
        self._cumulative = np.cumsum(weights / weights.sum())
        self.length = int(length or sum(row.frames // self.window for row in self.rows))
        self.people = tuple(sorted({row.speaker for row in corpus.split("train")}))
        self._numbers = {name: number for number, name in enumerate(self.people)}
        self.vocabulary = read_vocabulary(corpus.folder) if centre is not None or _WORDS & set(self.fields) else ()
        self.kept = KeptClips(corpus, self.rows, self.vocabulary, phonemes, seed, textures)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        """Item `index % len` of epoch `index // len`: a run counts its items through, so that resuming needs the step alone."""
        return self._ship(index)

    def __getitems__(self, indices):
        """The items of many indices, as a Stack; a torch loader asks for a batch in this way. Pictures are written but once."""
        if not len(self.kept):
            keep_freed_memory()
        stack = Stack()
        for place, index in enumerate(indices):
            slots = {name: array[place] for name, array in stack.items()}
            for name, value in self._ship(index, slots).items():
                stack.put(name, place, value, len(indices), written=value is slots.get(name))
        return stack

    def complete(self, batch):
        """The fields of a batch, made of what was shipped; nothing waits for the device.

        Args:
            batch: dict of tensors that `collate` gave, on any one device.

        Returns:
            dict of field -> (B, ...) tensor of the shape, dtype and range that datasets.fields.FIELDS states, on that device.
        """
        import torch

        shipped = Shipped(batch, self.window, self.mask_top, self.options)
        made = {}
        for name in self.fields:
            entry = FIELDS[name]
            made[name] = entry.complete(shipped) if entry.complete else batch[name].to(getattr(torch, entry.dtype))
        return made

    def window_of(self, index, slots=None):
        """datasets.fields.Window of an item; `slots`: dict of name -> array that large arrays may be written to."""
        epoch, place = divmod(int(index), self.length)
        rng = np.random.default_rng([self.seed, epoch, place])
        number = int(min(np.searchsorted(self._cumulative, rng.random()), len(self.rows) - 1))
        return Window(self, number, rng, (self.seed, epoch, place), slots)

    def _ship(self, index, slots=None):
        """What is shipped of one item: dict of numpy arrays."""
        window, shipped = self.window_of(index, slots), {}
        for name in self.fields:
            if name in shipped:  # another field has shipped it already
                continue
            window.name = name
            given = FIELDS[name].ship(window)
            for piece, array in given.items() if isinstance(given, dict) else ((name, given),):
                shipped.setdefault(piece, array)
        return shipped

    def runs(self, number):
        """speech.phonemes.Runs of clip `number`, in the order that `phonemes` asks for."""
        return self.kept.runs(number)

    def person(self, speaker):
        """Number of a speaker among those of the training split; -1 for others."""
        return self._numbers.get(speaker, -1)

    def _checked_voice(self):
        """Probability of a changed voice; InputError where fields cannot follow one, or clips have no speech features."""
        chance = (self.augment or {}).get("voice", 0.0)
        if chance and self.cut == "phoneme":
            raise InputError("data.augment.voice: changed voices speak faster or slower; give data.window a number of frames")
        if still := [name for name in self.fields if not FIELDS[name].voices] if chance else ():
            raise InputError(f"data.augment.voice: the field {still[0]} cannot follow a changed voice, which speaks faster or "
                             "slower; set it to 0")  # fmt: skip
        if chance or "speech" in self.fields:
            stored = chance > 0 or self.options["speech"]["features"] == "embedding"
            check_speech(self.corpus.folder, self.rows, stored=stored)
        return chance

    def draw_voice(self, window):
        """datasets.speech.Voice of a window: the clip's own, or with probability data.augment.voice one of the changed ones."""
        own = Voice(0, 1.0, window.row.frames)
        if not self.voice:
            return own
        rng = window.generator("voice")
        fit = [voice for voice in self.kept.speech(window.number).voices[1:] if voice.frames >= self.window]
        return fit[int(rng.integers(len(fit)))] if fit and rng.random() < self.voice else own

    def draw_word(self, number, rng):
        """datasets.centring.Spoken that a window of clip `number` is to be centred on, or None."""
        return None if self.centre is None else draw_word(*self.kept.spoken(number), rng)

    def draw_window(self, number, rng, voice, word=None):
        """(first frame, frames that count) of a window of clip `number`, heard in a voice, centred on a word or anywhere."""
        frames = voice.frames
        if word is not None:
            fps = self.rows[number].fps / voice.speed
            return centred_start(word, fps, frames, self.window, self.jitter, rng), self.window
        if self.cut == "frames":
            return int(rng.integers(frames - self.window + 1)), self.window
        runs = self.runs(number)
        inside = int(rng.integers(frames))  # any frame, so that all frames count alike
        run = int(runs.frame_runs()[inside])
        first = int(runs.starts[run]) + (inside - int(runs.starts[run])) // self.window * self.window
        ends = runs.ends[run:]
        whole = int(np.searchsorted(ends, first + self.window, side="right"))
        return first, (int(ends[whole - 1]) if whole else first + self.window) - first

    def draw_heard(self, rng, number, start):
        """List of (clip, first frame): the sounds of `heard_mel`."""

        def room(clip):
            return self.rows[clip].frames - self.window + 1

        return self.negatives.draw(rng, number, start, room(number), self.clips_of(self.rows[number].speaker), room)

    def clips_of(self, speaker):
        """Numbers of a speaker's clips, in order."""
        return self._by_speaker[speaker]

    def other_speakers(self, speaker):
        """Names of all speakers but one, in order of their first clips."""
        return [one for one in self._by_speaker if one != speaker]

    def close(self):
        """Let go of all clips; the next item opens its own again."""
        self.kept.close()

    def clip(self, number):
        """Arrays of clip `number` by name, kept open."""
        return self.kept.clip(number)


class Stack(dict):
    """Shipped arrays of many items, each (B, ...) with the items in order: a batch of numpy arrays."""

    def put(self, name, place, value, count, *, written=False):
        """Enter `value` of item `place` of `count`; `written`: it lies in its place already.

        Where items differ in dtype, such as labels of one byte and of two, the array takes the larger one.
        """
        if name not in self:
            self[name] = np.empty((count, *value.shape), value.dtype)
        elif not np.can_cast(value.dtype, self[name].dtype):
            self[name] = self[name].astype(np.promote_types(value.dtype, self[name].dtype))
        if not written:
            self[name][place] = value


def collate(items):
    """List of item dicts, or a Stack -> dict of torch tensors with a leading batch axis, as they are shipped."""
    import torch

    stacked = items if isinstance(items, Stack) else {name: np.stack([item[name] for item in items]) for name in items[0]}
    return {name: torch.from_numpy(array) for name, array in stacked.items()}

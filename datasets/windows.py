"""Windows of prepared clips: what a batch holds.

An item is a deterministic function of (seed, epoch, index): nothing is drawn that the index does not decide, nothing is
retried, nothing is swallowed.
"""

import numpy as np

from common.errors import InputError
from common.files import text_share
from datasets.augment import AudioChange, PictureChange
from datasets.fields import check_fields
from datasets.limits import keep_freed_memory, most_open
from datasets.negatives import Negatives
from datasets.texture import check_modules, open_modules
from faces.texture import TextureSpec
from speech.phonemes import shuffled_runs
from speech.windows import mel_window, mel_windows

REFERENCE_GAP = 5  # frames between a window and its reference, at least
_MODULES = ("module", "reference_module")


class WindowDataset:
    """Map-style dataset of windows of T frames from one split of a prepared corpus.

    Args:
        corpus: datasets.prepared.PreparedCorpus.
        split: "train", "val", "test" or "unseen".
        window: T, frames per item.
        cut: "frames": windows of T frames from anywhere; "phoneme": windows of whole phoneme runs, as many as T frames hold,
            padded with their last frame, `valid` 0 there. A run longer than T frames is cut into pieces of T.
        phonemes: "aligned", or "shuffled": the runs of each clip in random order, the control of METHODS 1.6.
        sync_frames: frames at the window's start that `sync_mel` and `heard_mel` belong to; None means T.
        fields: names from datasets.fields.FIELDS.
        seed: int.
        length: items per epoch; None takes one item per T frames of the split.
        audio_window: mode of speech.windows.
        mask_top: share of the crop's height from which on `masked_face` is 0; 0.5 is the published half.
        balance: a clip is drawn with probability ~ (clips of its speaker) ** (balance - 1); 1 draws all clips alike, 0 all
            speakers.
        augment: dict of strengths, or None, see datasets.augment.
        textures: dict of field `module` or `reference_module` -> faces.texture.TextureSpec, where not the usual one.
        exclude: ids, or the beginnings of ids, of clips that are left out.
        min_av_confidence: only clips whose AV offset was measured with this confidence (datasets.av_offset) and is made up for
            to within half a frame; None takes all.
        part: (low, high) in [0, 1]: only clips whose id hashes into it, so that two networks may learn from disjoint halves.
        negatives: datasets.negatives.Negatives: where `heard_mel` comes from when it is not the window's own sound.

    Items are dicts of numpy arrays, see datasets.fields.
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
        cut="frames",
        phonemes="aligned",
        sync_frames=None,
        textures=None,
        part=(0.0, 1.0),
        min_av_confidence=None,
        negatives=None,
    ):
        self.corpus, self.window, self.fields, self.seed = corpus, int(window), check_fields(fields), seed
        self.audio_window, self.augment, self.negatives = audio_window, augment, negatives or Negatives()
        self.mask_top, self.cut, self.phonemes, self.sync_frames = mask_top, cut, phonemes, sync_frames or self.window
        long_enough = [row for row in corpus.split(split) if row.frames >= self.window + REFERENCE_GAP + 1]
        low, high = part
        rows = [row for row in long_enough if not row.id.startswith(tuple(exclude)) and low <= part_of(row.id) < high]
        if min_av_confidence is not None:
            rows = _in_sync(corpus, rows, min_av_confidence)
        self.rows = [row for row in rows if row.phones] if self._wants_phonemes else rows
        self.without_phones = len(rows) - len(self.rows)
        if rows and not self.rows:
            raise InputError(f"{corpus.folder}: its clips hold no phonemes; run prepare.py on it again, which aligns them")
        if not self.rows:
            left_out = " that data.exclude, data.part and data.min_av_confidence leave" if long_enough else ""
            raise InputError(
                f"{corpus.folder}: no clip of split {split!r}{left_out} has {self.window + REFERENCE_GAP + 1} frames or more"
            )
        self._textures = {name: (textures or {}).get(name, TextureSpec()) for name in _MODULES if name in self.fields}
        for spec in set(self._textures.values()):
            check_modules(corpus.folder, self.rows, spec)
        self._by_speaker = {}
        for index, row in enumerate(self.rows):
            self._by_speaker.setdefault(row.speaker, []).append(index)
        weights = np.array([len(self._by_speaker[row.speaker]) ** (balance - 1.0) for row in self.rows], np.float64)
        self._cumulative = np.cumsum(weights / weights.sum())
        self.length = int(length or sum(row.frames // self.window for row in self.rows))
        self._open, self._runs, self._most_open = {}, {}, most_open()

    @property
    def _wants_phonemes(self):
        return self.cut == "phoneme" or bool({"phoneme", "run"} & set(self.fields))

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        """Item `index % len` of epoch `index // len`: a run counts its items through, so that resuming needs the step alone."""
        return self.item(*self._drawn(index))

    def __getitems__(self, indices):
        """The items of many indices, as a Stack; a torch loader asks for a batch in this way. Pictures are written but once."""
        if not self._open:
            keep_freed_memory()
        stack = Stack()
        for place, index in enumerate(indices):
            slots = {name: array[place] for name, array in stack.items()}
            for name, value in self.item(*self._drawn(index), slots=slots).items():
                if name not in stack:
                    stack[name] = np.empty((len(indices), *value.shape), value.dtype)
                if value is not slots.get(name):
                    stack[name][place] = value
        return stack

    def _drawn(self, index):
        """(number of the clip, random generator) of an item."""
        epoch, place = divmod(int(index), self.length)
        rng = np.random.default_rng([self.seed, epoch, place])
        return int(min(np.searchsorted(self._cumulative, rng.random()), len(self.rows) - 1)), rng

    def item(self, number, rng, start=None, slots=None):
        """One window of clip `number`.

        Args:
            number: of the clip; rng: numpy Generator.
            start: first frame; None draws it.
            slots: dict of field -> array that large fields may be written to, in place of a new one.
        """
        row, clip, slots = self.rows[number], self._clip(number), slots or {}
        start, count = self._draw_window(number, rng, start)
        frames = start + np.minimum(np.arange(self.window), count - 1)
        reference = _draw_outside(rng, row.frames, start - REFERENCE_GAP, start + count + REFERENCE_GAP)
        heard = self._draw_heard(rng, number, start)
        span = {"span": self.sync_frames, "mode": self.audio_window}
        sound = AudioChange(self.augment, rng, clip["mel"])
        look = PictureChange(self.augment, rng)
        made, slot = {}, slots.get
        for name in self.fields:
            if name == "face" or (name == "masked_face" and not ("face" in made and look.same_again)):
                made[name] = look(clip["face"][frames], out=slot(name))
            elif name == "masked_face":
                made[name] = _copied(made["face"], slot(name))
            elif name == "reference_face":
                made[name] = self._held(look(clip["face"][reference : reference + 1], moved=False), slot(name))
            elif name == "mel":
                made[name] = sound(mel_windows(clip["mel"], frames, row.fps, mode=self.audio_window))[:, None]
            elif name == "sync_mel":
                made[name] = sound(mel_window(clip["mel"], start, row.fps, **span))[None]
            elif name == "heard_mel":
                made[name] = np.stack([sound(mel_window(self._clip(one)["mel"], at, row.fps, **span)) for one, at in heard])
                made[name] = made[name][:, None]
            elif name == "in_sync":
                made[name] = np.float32([one == (number, start) for one in heard])
            elif name == "landmarks":
                made[name] = look.points(clip["landmarks"][frames], clip["face"].shape[2])
            elif name == "phoneme":
                made[name] = self.runs(number).frame_labels()[frames]
            elif name == "run":
                run = self.runs(number).frame_runs()[frames]
                made[name] = run - run[0]
            elif name == "valid":
                made[name] = (np.arange(self.window) < count).astype(np.float32)
            elif name == "module":
                made[name] = look.labels(self._labels(number, name)[frames], out=slot(name))
            elif name == "reference_module":
                own = look.labels(self._labels(number, name)[reference : reference + 1], moved=False)
                made[name] = self._held(own, slot(name))
            elif name == "clip":
                made[name] = np.int64(number)
            elif name == "frame":
                made[name] = np.int64(start)
            if name == "masked_face":
                made[name][:, :, int(self.mask_top * made[name].shape[2]) :] = 0
        return made

    def _held(self, one, slot):
        """(1, ...) one frame -> (T, ...), the same all through the window, in `slot` where there is one."""
        return np.repeat(one, self.window, axis=0) if slot is None else _copied(one, slot)

    def runs(self, number):
        """speech.phonemes.Runs of clip `number`, in the order that `phonemes` asks for."""
        if number not in self._runs:
            runs = self.corpus.phoneme_runs(self.rows[number])
            self._runs[number] = shuffled_runs(runs, self.seed + number) if self.phonemes == "shuffled" else runs
        return self._runs[number]

    def _draw_window(self, number, rng, start):
        """(first frame, frames that count) of a window; `start` None draws it."""
        frames = self.rows[number].frames
        if self.cut == "frames":
            return int(rng.integers(frames - self.window + 1)) if start is None else start, self.window
        runs = self.runs(number)
        inside = int(rng.integers(frames)) if start is None else start  # any frame, so that all frames count alike
        run = int(runs.frame_runs()[inside])
        first = int(runs.starts[run]) + (inside - int(runs.starts[run])) // self.window * self.window
        ends = runs.ends[run:]
        whole = int(np.searchsorted(ends, first + self.window, side="right"))
        return first, (int(ends[whole - 1]) if whole else first + self.window) - first

    def _draw_heard(self, rng, number, start):
        """List of (clip, first frame): the sounds of `heard_mel`."""
        alike = self._by_speaker[self.rows[number].speaker]

        def room(clip):
            return self.rows[clip].frames - self.window + 1

        return self.negatives.draw(rng, number, start, room(number), alike, room)

    def close(self):
        """Let go of all clips; the next item opens its own again."""
        self._open.clear()
        self._runs.clear()

    def _clip(self, number):
        def opened():  # plain arrays: cutting a memory map costs more than cutting an array
            return {name: array.view(np.ndarray) for name, array in self.corpus.open(self.rows[number]).items()}

        return self._kept(number, opened)

    def _labels(self, number, name):
        spec = self._textures[name]
        return self._kept((number, spec), lambda: open_modules(self.corpus.folder, self.rows[number], spec).view(np.ndarray))

    def _kept(self, key, opened):
        """What `opened` gives, once for a key."""
        if key not in self._open:
            if len(self._open) >= self._most_open:
                self._open.pop(next(iter(self._open)))
            self._open[key] = opened()
        return self._open[key]


def _in_sync(corpus, rows, confidence):
    """Rows whose sound and picture are known to belong together to within half a frame."""
    if rows and all(row.av_confidence is None for row in rows):
        raise InputError(f"data.min_av_confidence: the AV offsets of {corpus.folder} were never measured; run  "
                         f"python prepare.py --out {corpus.folder} --measure_av_offset")  # fmt: skip
    sure = [row for row in rows if row.av_confidence is not None and row.av_confidence >= confidence]
    return [row for row in sure if abs(row.av_offset - row.av_corrected) <= 0.5]


class Stack(dict):
    """Fields of many items, each (B, ...) with the items in order: a batch of numpy arrays."""


def _copied(array, slot):
    """A copy, in `slot` where there is one."""
    if slot is None:
        return array.copy()
    slot[...] = array
    return slot


def part_of(clip_id):
    """A number in [0, 1) by a hash of the clip's id, independent of the one that splits a corpus."""
    return text_share(f"part/{clip_id}")


def collate(items):
    """List of item dicts, or a Stack -> dict of torch tensors with a leading batch axis."""
    import torch

    stacked = items if isinstance(items, Stack) else {name: np.stack([item[name] for item in items]) for name in items[0]}
    return {name: torch.from_numpy(array) for name, array in stacked.items()}


def _draw_outside(rng, count, low, high):
    """A number in [0, count) outside [low, high) where there is one, else the one farthest from the middle of the window."""
    before, after = max(0, min(low, count)), max(0, count - max(0, high))
    if before + after == 0:
        return 0 if (low + high) / 2 > count / 2 else count - 1
    pick = int(rng.integers(before + after))
    return pick if pick < before else count - after + (pick - before)

"""One window of a prepared clip, as the functions of fields see it."""

from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np

from common.errors import InputError
from datasets.augment import AudioChange, PictureChange

REFERENCE_GAP = 5  # frames between a window and its reference, at least
IDENTITIES = ("same", "elsewhere", "clip", "first")  # whose face identity_face may be
SECONDS = ("elsewhere", "same", "other", "clip", "first")  # kinds of a second window


@dataclass(frozen=True)
class Place:
    """Where something lies that does not belong to the window itself.

    Attributes:
        number: of the clip in the split; row: its datasets.prepared.ClipRow; clip: its arrays by name.
        start: first frame; frames: (n,) int64 numbers of the frames.
    """

    number: int
    row: object
    clip: dict
    start: int
    frames: np.ndarray


class Window:
    """T frames of a clip, what is drawn with them, and where large arrays may be written.

    Everything that today's fields need is drawn at once and in a fixed order, so that an item does not depend on which fields
    are asked for, but for the noise of sound and picture, which is drawn in the order of the fields. A second window is drawn
    when a field asks for it, from a generator of its own.

    Args:
        data: datasets.windows.WindowDataset.
        number: of the clip in the split.
        rng: numpy Generator of the item.
        key: (seed, epoch, place) of the item, for further generators.
        slots: dict of name -> array that may be written to, in place of a new one.

    Attributes:
        data, number, rng, key: as given; row, clip: the manifest's row and the arrays of the clip.
        length: T; start: first frame; count: frames that count, the others pad; frames: (T,) int64, the last one repeated.
        voice: datasets.speech.Voice that the window is heard with; start and frames count in its frames, which are those of
            the clip but for a changed voice.
        word: datasets.centring.Spoken that the window is centred on; None where it is centred on none.
        reference: number of a frame of the clip, `REFERENCE_GAP` frames or more away from the window where there is room.
        heard: list of (number of a clip, first frame): the sounds of `heard_mel`.
        look, sound: the one change of picture and the one of sound (datasets.augment).
        name: of the field that is made at present.
    """

    def __init__(self, data, number, rng, key, slots=None):
        self.data, self.number, self.rng, self.key, self._slots = data, number, rng, key, slots or {}
        self.row, self.clip, self.length, self.name = data.rows[number], data.clip(number), data.window, None
        self.voice = data.draw_voice(self)
        self.word = data.draw_word(number, rng)
        self.start, self.count = data.draw_window(number, rng, self.voice, self.word)
        self.frames = self.start + np.minimum(np.arange(self.length), self.count - 1)
        end = self.start + self.count
        self.reference = draw_outside(rng, self.row.frames, self.start - REFERENCE_GAP, end + REFERENCE_GAP)
        self.heard = data.draw_heard(rng, number, self.start)
        self.sound = AudioChange(data.augment, rng, self.clip.get("mel"))
        self.look = PictureChange(data.augment, rng)
        self._seconds = {}

    @property
    def options(self):
        """Options of the field that is made at present."""
        return self.data.options[self.name]

    @property
    def places(self):
        """(T,) float64: where in the clip the window's frames lie, in frames; whole numbers but for a changed voice."""
        return self.frames * self.voice.speed

    def points(self, array, margin=0):
        """What a clip holds of each frame, at the times of the window's frames.

        Args:
            array: (N, ...) float, a row for each frame of the clip.
            margin: so many frames before the window and after it, too; the first and the last one are held beyond the ends.

        Returns:
            (T + 2 margin, ...): rows of the window's frames; for a changed voice interpolated between them by a cubic
            (Catmull-Rom), in float32 at least.
        """
        places = self.places
        if margin:
            beside = np.arange(1, margin + 1)
            frames = np.concatenate([self.start - beside[::-1], self.frames, self.start + self.count - 1 + beside])
            places = np.clip(frames, 0, self.voice.frames - 1) * self.voice.speed
        low = np.floor(places).astype(np.int64)
        if self.voice.number == 0:
            return array[low]
        share = (places - low).reshape(-1, *[1] * (array.ndim - 1)).astype(np.result_type(array.dtype, np.float32))
        before, here, there, after = (array[np.clip(low + step, 0, len(array) - 1)] for step in (-1, 0, 1, 2))
        slope, next_slope = (there - before) / 2, (after - here) / 2
        bend = 3 * (there - here) - 2 * slope - next_slope
        return here + share * (slope + share * (bend + share * (2 * (here - there) + slope + next_slope)))

    def labels(self, array):
        """(N, ...) of labels, a row for each frame of the clip -> (T, ...): those of the nearest frame of the clip."""
        return array[np.rint(self.places).astype(np.int64)]

    @cached_property
    def runs(self):
        """speech.phonemes.Runs of the clip."""
        return self.data.kept.runs(self.number)

    def slot(self, name, shape, dtype):
        """The array that `name` may be written to, or None; only one of this shape and dtype."""
        slot = self._slots.get(name)
        return slot if slot is not None and slot.shape == shape and slot.dtype == dtype else None

    def generator(self, name):
        """A numpy Generator of this item for `name` alone: what it draws changes nothing else in the item."""
        return np.random.default_rng([*self.key, crc32(name.encode())])

    def second(self, kind, span=1):
        """Another window, drawn when it is first asked for, and the same for all fields that ask for the same one.

        Args:
            kind: "elsewhere": in this clip. "same": the same speaker, in another clip where there is one, else elsewhere in
                this clip. "other": another speaker. "clip": anywhere in this clip, in the window as well. "first": at the
                beginning of this clip, wherever the window lies.
            span: frames.

        Returns:
            Place of `span` frames; in this clip they lie `REFERENCE_GAP` frames or more away where there is room, else as far
            away as they can. In a clip shorter than `span` the last frame is repeated.

        Raises:
            InputError: "other" where the split holds one speaker alone.
        """
        if kind not in SECONDS:
            raise ValueError(f"no second window {kind!r}; choose one of {', '.join(SECONDS)}")
        if (kind, span) not in self._seconds:
            self._seconds[kind, span] = self._draw_second(kind, span, self.generator(f"second/{kind}/{span}"))
        return self._seconds[kind, span]

    def _draw_second(self, kind, span, rng):
        number = self.number
        if kind == "same":
            alike = [one for one in self.data.clips_of(self.row.speaker) if one != number]
            number = alike[int(rng.integers(len(alike)))] if alike else number
        elif kind == "other":
            others = self.data.other_speakers(self.row.speaker)
            if not others:
                raise InputError(f"{self.data.corpus.folder}: field {self.name} needs two speakers, the split has one alone")
            clips = self.data.clips_of(others[int(rng.integers(len(others)))])
            number = clips[int(rng.integers(len(clips)))]
        row = self.data.rows[number]
        starts = max(1, row.frames - span + 1)
        if number == self.number and kind not in ("clip", "first"):
            gap = REFERENCE_GAP
            start = draw_outside(rng, starts, self.start - gap - span + 1, self.start + self.count + gap)
        else:
            start = 0 if kind == "first" else int(rng.integers(starts))
        frames = np.minimum(start + np.arange(span), row.frames - 1)
        return Place(number, row, self.data.clip(number), start, frames)


def draw_outside(rng, count, low, high):
    """A number in [0, count) outside [low, high) where there is one, else the one farthest from the middle of the window."""
    before, after = max(0, min(low, count)), max(0, count - max(0, high))
    if before + after == 0:
        return 0 if (low + high) / 2 > count / 2 else count - 1
    pick = int(rng.integers(before + after))
    return pick if pick < before else count - after + (pick - before)

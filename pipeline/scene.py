"""The source of a result as a driver sees it: where the face is in each frame, and pictures of the frames that it asks for."""

from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from common.errors import InputError
from faces.landmarks import apply_affine
from faces.tracking.tracked import FaceTrack
from pipeline.options import DriveOptions
from pipeline.playback.source import FaceSource
from pipeline.playback.timeline import loop_index
from pipeline.references.pictures import ReferencePictures


@dataclass(frozen=True)
class Scene:
    """A face picture or video, decided before the pass over it.

    Attributes:
        source: FaceSource.
        track: FaceTrack, present where there is a crop; None where the place of the face is given by hand.
        crops: sequence, crop of each source frame, None where there is no face.
        size: S, side of the crops; all have one.
        frames: of the result.
        loop: what follows the end of the source, see `pipeline.playback.timeline.loop_index`.
        references: numbers of the source frames that `Driver.reference_frames` has named; one, or one for each shot, or none.
        options: DriveOptions of the job.
        left_out: numbers of the source frames in which a face was found that is not drawn, see `Driver.leaves_out`.
        opacity: (N,) float32 in [0, 1], how much of a drawn face is laid over each source frame: 0 where the mouth is covered
            and stays as it is, less than 1 beside such frames; None where that is 1 for all.
        shared_pictures: ReferencePictures of the scene whose shot this is, see `for_reference`; None: this is no single shot.
    """

    source: FaceSource
    track: FaceTrack | None
    crops: object
    size: int
    frames: int
    loop: str
    references: tuple = ()
    options: DriveOptions = DriveOptions()
    left_out: frozenset = frozenset()
    opacity: np.ndarray | None = None
    shared_pictures: ReferencePictures | None = field(default=None, compare=False)

    @property
    def fps(self) -> Fraction:
        """Frames a second of the result; a video keeps its own."""
        return self.source.fps

    @property
    def still(self) -> bool:
        """One frame serves for all."""
        return self.source.still

    @property
    def count(self):
        """Frames of the source that are used, or None when that is not known before the pass."""
        return None if self.track is None else len(self.track)

    @property
    def covered(self):
        """(N,) bool, source frames in which something covers the mouth; all False, or empty, where that is not known."""
        known = self.track is not None and self.track.covered is not None
        return self.track.covered if known else np.zeros(self.count or 0, bool)

    def opacity_of(self, number):
        """How much of a drawn face is laid over a source frame, see `opacity`."""
        return 1.0 if self.opacity is None else float(self.opacity[number])

    @cached_property
    def shown(self):
        """(frames,) int64, number of the source frame that is on screen at each frame of the result; None where `count` is."""
        if self.still:
            return np.zeros(self.frames, np.int64)
        if self.count is None:
            return None
        return np.array([loop_index(t, self.count, self.loop) for t in range(self.frames)], np.int64)

    def reference_of(self, number):
        """Which of `references` serves a source frame: that of its shot, else the first; None where there is none."""
        if len(self.references) < 2:
            return self.references[0] if self.references else None
        return self._of_shot.get(int(self.track.shots[number]), self.references[0])

    def for_reference(self, reference):
        """The scene with one of `references` alone, as `Driver.look` is shown it; its picture is read with those near it."""
        if len(self.references) < 2:
            return self
        return replace(self, references=(reference,), shared_pictures=self.reference_pictures)

    @cached_property
    def reference_pictures(self):
        """ReferencePictures of `references`."""
        return ReferencePictures(tuple(sorted(self.references)), self._read)

    @cached_property
    def _of_shot(self):
        """{number of a shot: the reference that serves it}."""
        return {int(self.track.shots[reference]): reference for reference in self.references}

    def landmarks(self, numbers):
        """Landmarks of source frames in the pixels of their crops.

        Args:
            numbers: of n source frames.

        Returns:
            (n, 68, 2) float64, NaN where there is no face, or nothing is known of it.
        """
        found = np.full((len(numbers), 68, 2), np.nan)
        for at, number in enumerate(numbers):
            if self.track is not None and self.crops[number] is not None:
                found[at] = apply_affine(self.crops[number].matrix, self.track.landmarks[number].astype(np.float64))
        return found

    def pictures(self, numbers):
        """Crops of source frames, cut out in one pass over the source, which ends at the last of them.

        Args:
            numbers: of n source frames, in any order.

        Returns:
            (n, S, S, 3) uint8 RGB.

        Raises:
            InputError: such a frame does not exist, or has no face.
        """
        if len(numbers) == 1 and self.shared_pictures is not None and int(numbers[0]) in self.references:
            return self.shared_pictures[int(numbers[0])][None]
        if not len(numbers):
            return np.empty((0, *(self.size,) * 2, 3), np.uint8)
        found, reading = self._read(sorted({int(number) for number in numbers}))
        reading.close()
        return np.stack([found[int(number)] for number in numbers])

    def _read(self, numbers, going_on=None):
        """({number: crop} of source frames with these ascending numbers, the pass over the source behind the last of them).

        Args:
            numbers: list of int.
            going_on: such a pass, which has not yet reached the first of them; None begins one.
        """
        reading = going_on or self._numbered(numbers[0])
        found, wanted = {}, set(numbers)
        for number, frame in reading:
            if number in wanted and (self.count is None or number < self.count):
                if self.crops[number] is None:
                    raise InputError(f"{self._named(number)}: no face in that frame; choose another")
                found[number] = self.crops[number].extract(frame)
            if number == numbers[-1]:
                break
        missing = sorted(wanted - set(found))
        if missing:
            raise InputError(f"{self._named(missing[0])}: the face video has no such frame among those that are used")
        return found, reading

    def _numbered(self, first):
        """Generator of (number, frame) of the source from a number on; closing it closes the source."""
        with closing(self.source.frames(first)) as frames:
            yield from enumerate(frames, first)

    def _named(self, number):
        """A source frame as the user knows it."""
        return f"--reference {number}" if self.options.reference == number else f"frame {number} of {self.source.path}"

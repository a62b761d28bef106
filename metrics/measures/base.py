"""What a measure is: the columns that it fills, and what it needs of the made and the real video for that.

A file of this folder holds one measure, or a few that belong together. It has

* classes below `TrackMeasure`, `FaceMeasure` or `VideoMeasure`, by what they need;
* `PLACE`, a number: where its columns stand in the table;
* `build(networks)`, which takes metrics.networks.load.Networks and returns the measure, or None where a network that it
  needs was not asked for.

That is all: `metrics.measures.registry` finds the file, and the report prints every column in every format.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from common.errors import InputError


@dataclass(frozen=True)
class Pair:
    """A made video beside the real one, on the frames that are compared.

    Attributes:
        made, real: metrics.footage.Footage.
        frames: (n,) int, increasing: numbers of the frames with a face in both; n > 0.
        crops: a faces.crops.Crop for each frame of the real video (None without a face); applied to both videos.
        made_points, real_points: (n, 68, 2) float64 landmarks, pixels of the frame.
    """

    made: object
    real: object
    frames: np.ndarray
    crops: list = field(repr=False)
    made_points: np.ndarray = field(repr=False)
    real_points: np.ndarray = field(repr=False)


class View:
    """One video by itself, and the real one of the same face.

    Args:
        footage, real: metrics.footage.Footage; the same object for the row of the real video.
        sound: ((channels, n) float32, rate) of the video, or None.
        silence: why there is no sound.
        options: metrics.scorer.Options.
        networks: metrics.networks.load.Networks.
        wants_features: features for distances between sets are asked for.
    """

    def __init__(self, footage, real, sound, silence, options, networks, *, wants_features=True):
        self.footage, self.real, self.options, self.wants_features = footage, real, options, wants_features
        self._sound, self._silence, self._networks = sound, silence, networks

    @property
    def sound(self):
        """((channels, n) float32 in [-1, 1], samples a second) of the video, or None."""
        return self._sound

    def faces(self):
        """Yield the aligned face crop, (S, S, 3) uint8 RGB, of each frame that has one."""
        for frame, crop in zip(self.footage.frames(), self.footage.crops(self.options.face_spec), strict=True):
            if crop is not None:
                yield crop.extract(frame)

    @cached_property
    def _runs(self):
        from metrics.sync.video import embed_runs

        if self._sound is None:
            return None, self._silence
        try:
            return embed_runs(self.footage, self._sound, self._networks.judge, self.options.sync_crop, self.options.rules), None
        except InputError as error:
            return None, str(error)

    def runs(self):
        """What the sync expert sees and hears, see `metrics.sync.video.embed_runs`; computed once.

        Raises:
            InputError: no sound, or too short.
        """
        runs, reason = self._runs
        if runs is None:
            raise InputError(reason)
        return runs


@dataclass
class Findings:
    """What a `VideoMeasure` says of one video.

    Attributes:
        values: {key of a column: float, or None where it is undefined}.
        notes: sentences for the reader.
        curve: None, or (31,) mean distances over the shifts of the sound.
        features: None, or (N, D) float32 for a distance between sets of videos.
    """

    values: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    curve: np.ndarray | None = None
    features: np.ndarray | None = None


class Measure(ABC):  # noqa: B024
    """What all kinds have.

    Attributes:
        columns: tuple of metrics.rows.Column, at least one.
    """

    columns = ()

    def facts(self, options):
        """Dict of what decides its values beside the videos, for the report's protocol: network, weights, crop."""
        return {}


class TrackMeasure(Measure):
    """Needs the landmarks of both videos on the frames that are compared; its columns are for paired videos alone."""

    @abstractmethod
    def compare(self, pair):
        """{key: float, or None where it is undefined} of a Pair."""


class FaceMeasure(Measure):
    """Needs the face crops of both videos on the frames that are compared; its columns are for paired videos alone."""

    @abstractmethod
    def begin(self):
        """An accumulator over the frames of one pair of videos.

        It has `add(made, real)`, called with (S, S, 3) uint8 RGB crops of each compared frame in their order, and `values()`,
        called after the last.
        """


class VideoMeasure(Measure):
    """Needs one video whole, with its sound, and the real one to hold it against; for every row of the table."""

    @abstractmethod
    def look(self, view):
        """Findings of a View."""

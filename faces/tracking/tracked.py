"""What tracking leaves of a video: one face, frame by frame, and the shots in which it is seen."""

import zipfile
import zlib
from dataclasses import dataclass, replace

import numpy as np

from common.files import atomic_output
from faces.landmarks import interocular
from faces.tracking.smoothing import segments

FORMAT = "talkingface-track-2"
PER_FRAME = ("landmarks", "present", "interpolated", "shots", "light", "detail", "covered")
# Change of a face's size from one frame to the next, and how long it must last to be believed.
SIZE_JUMP, LEAST_SECONDS = 1.25, 0.25
OUTLINE = [*range(17), *range(48, 68)]  # jaw and mouth


@dataclass
class FaceTrack:
    """Landmarks of one face, frame by frame; raw, not smoothed.

    Attributes:
        landmarks: (N, 68, 2) float32 pixels; NaN where there is no face.
        present: (N,) bool, a face was found or interpolated.
        interpolated: (N,) bool, part of a short gap.
        width, height: of the frames, in pixels.
        most_faces: the largest number of faces that one detection showed.
        shots: (N,) int64, number of the shot of each frame, from 0 upwards; None becomes one shot.
        light: (N, 3) float32, how the skin is lit, see skin.py; NaN where it was not measured, which it is in every second
            frame. None: in no frame.
        detail: (N,) float32, how sharp eyes and mouth are, see skin.py; NaN and None likewise.
        covered: (N,) bool, something lies over the mouth; None: not known.
    """

    landmarks: np.ndarray
    present: np.ndarray
    interpolated: np.ndarray
    width: int
    height: int
    most_faces: int = 0
    shots: np.ndarray | None = None
    light: np.ndarray | None = None
    detail: np.ndarray | None = None
    covered: np.ndarray | None = None

    def __post_init__(self):
        if self.shots is None:
            self.shots = np.zeros(len(self.present), np.int64)

    def __len__(self):
        return len(self.landmarks)

    def first(self, frames):
        """FaceTrack of at most `frames` frames."""
        if len(self) <= frames:
            return self
        return replace(self, **{name: value[:frames] for name, value in self._arrays().items()})

    def runs(self):
        """Runs of frames with a face, each in one shot: list of (start, end), end exclusive."""
        return segments(self.present, self.shots)

    def cuts(self):
        """Numbers of the frames at which a shot with a face begins, but for the first such shot: list of int."""
        shown = np.unique(self.shots[self.present])[1:]
        return [int(np.argmax(self.shots == shot)) for shot in shown]

    def seen(self):
        """(N,) bool: a face was found, not interpolated; where none was, all that is present."""
        found = self.present & ~self.interpolated
        return found if found.any() else self.present.copy()

    def whole(self):
        """(N,) bool: jaw and mouth lie inside the frame."""
        points = self.landmarks[:, OUTLINE]
        with np.errstate(invalid="ignore"):
            return ((points >= 0) & (points <= (self.width - 1, self.height - 1))).all((1, 2))

    def believed(self, fps):
        """Frames whose face is one: what changes its size at a jump and is gone at once is a mistake of the detector.

        Half a face at the frame's border, or a hand, may be taken for a small face for a few frames. A cut is no jump.

        Args:
            fps: frames a second.

        Returns:
            (N,) bool.
        """
        size, keep = interocular(self.landmarks.astype(np.float64)), self.present.copy()
        for start, end in self.runs():
            ratio = size[start + 1 : end] / np.maximum(size[start : end - 1], 1e-6)
            jumps = start + 1 + np.flatnonzero(np.maximum(ratio, 1 / np.maximum(ratio, 1e-6)) > SIZE_JUMP)
            pieces = [start, *jumps.tolist(), end]
            if len(pieces) > 2:
                for first, last in zip(pieces[:-1], pieces[1:], strict=True):
                    keep[first:last] = last - first >= LEAST_SECONDS * fps
        return keep if keep.any() else self.present.copy()

    def save(self, path):
        """Write to `path` (.npz), whole or not at all."""
        with atomic_output(path) as temporary, open(temporary, "wb") as file:
            size = np.array([self.width, self.height, self.most_faces])
            np.savez_compressed(file, format=FORMAT, size=size, **self._arrays())

    @staticmethod
    def load(path):
        """Read what `save` wrote; ValueError when it is something else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                if str(stored["format"]) != FORMAT:
                    raise ValueError(f"{path}: not a {FORMAT} file")
                width, height, most_faces = (int(value) for value in stored["size"])
                arrays = {name: stored[name] for name in PER_FRAME if name in stored}
                track = FaceTrack(width=width, height=height, most_faces=most_faces, **arrays)
        except (OSError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path}: not a {FORMAT} file, or damaged") from error
        count = len(track.present)
        shapes = {"landmarks": (count, 68, 2), "light": (count, 3)}
        if any(array.shape != shapes.get(name, (count,)) for name, array in arrays.items()):
            raise ValueError(f"{path}: damaged: its arrays do not fit together")
        return track

    def _arrays(self):
        return {name: value for name in PER_FRAME if (value := getattr(self, name)) is not None}


"""One video of an evaluation: tracked, decoded once where its frames fit into memory."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice, repeat

import numpy as np

from common.errors import InputError
from faces.crops import face_boxes, plan_crops
from faces.tracking.track import track_face
from faces.tracking.tracked import FaceTrack
from media.timeline import on_timeline
from metrics.sync.score import FPS

KEEP_BYTES = 512 << 20


@dataclass(frozen=True)
class Footage:
    """A video with the track of the face that is measured.

    Attributes:
        path: of the file.
        info: VideoInfo; its `fps` is the rate at which it was read.
        track: FaceTrack.
        damage: None, or a sentence on what could not be decoded.
        still: every frame is the same picture.
    """

    path: object
    info: object
    track: FaceTrack
    damage: str | None = None
    still: bool = False
    _frames: object = field(default=None, repr=False)

    def __len__(self):
        return len(self.track)

    def frames(self):
        """Iterate the frames, (H, W, 3) uint8 RGB, from the first: out of memory, or decoded again when they did not fit."""
        return islice(iter(self._frames), len(self))

    @property
    def detected(self):
        """(N,) bool: a face was found, not interpolated."""
        return self.track.present & ~self.track.interpolated

    def crops(self, spec, *, smooth=True):
        """One crop of `spec` (CropSpec) for each frame, None where there is no face; `smooth`: their path is smoothed."""
        return plan_crops(self.track, spec, fps=self.info.fps, smooth=smooth)

    def boxes(self):
        """(N, 4) float64 upright face boxes, NaN where no face was found."""
        return face_boxes(self.track)

    def sync_frames(self):
        """(M,) int: number of the frame that is on screen at each twenty-fifth of a second, as VideoReader(fps=25) has it."""
        fps = self.info.fps
        if fps == FPS:
            return np.arange(len(self))
        return np.array(list(on_timeline(((at / fps, 1 / fps, at) for at in range(len(self))), Fraction(FPS))))

    def held(self, at):
        """The same length without motion: the picture of frame `at` all along."""
        frame = next(islice(self.frames(), at, None))
        track, count = self.track, len(self)
        points = np.repeat(track.landmarks[at : at + 1], count, 0)
        there, filled = np.repeat(track.present[at], count), np.zeros(count, bool)
        covered = None if track.covered is None else np.repeat(track.covered[at], count)
        track = replace(track, landmarks=points, present=there, interpolated=filled, covered=covered)
        return replace(self, track=track, still=True, _frames=repeat(frame))


class _Kept:
    """Frames of a stream, held while they fit, so that they can be looked at again; else the stream is started anew."""

    def __init__(self, stream, room):
        self._stream, self._room, self._held = stream, room, []

    def first_pass(self):
        """Yield the frames of the stream, and hold them."""
        for frame in self._stream():
            self._room -= frame.nbytes
            if self._room < 0:
                self._held = None
            if self._held is not None:
                self._held.append(frame)
            yield frame

    def __iter__(self):
        return iter(self._stream() if self._held is None else self._held)


def open_footage(path, detector, *, selection=None, fps=None, fit=None, limit=None, keep_bytes=KEEP_BYTES):
    """Read a video and follow its face.

    Args:
        path: video.
        detector: see `faces.detectors.build_detector`.
        selection: FaceSelection.
        fps: rate to read it at; None keeps its own.
        fit: takes its VideoInfo, returns what is done to each frame; None: nothing.
        limit: most frames.
        keep_bytes: frames are held for a second look while they need no more than this.

    Returns:
        Footage.

    Raises:
        InputError: cannot be read, is a picture, or shows no face.
    """
    from media import VideoReader

    reader = VideoReader(path, fps=fps)
    if reader.info.is_image:
        raise InputError(f"{path}: is a picture; a video is needed")
    change = fit(reader.info) if fit else None

    def stream():
        frames = islice(reader, limit)
        return map(change, frames) if change else frames

    kept = _Kept(stream, keep_bytes)
    track = track_face(kept.first_pass(), detector, selection, fps=reader.info.fps)
    if not track.present.any():
        raise InputError(f"{path}: no face was found in any of its {len(track)} frames; give a video that shows a face")
    return Footage(path, replace(reader.info, notes=reader.notes), track, reader.damage, _frames=kept)

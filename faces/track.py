"""One face followed through a video."""

import zipfile
import zlib
from dataclasses import dataclass, replace

import numpy as np

from common.errors import InputError
from common.files import atomic_output
from faces.covering import CoverWatch, covered_frames
from faces.drawing.shots import shots_of
from faces.smoothing import segments

FORMAT = "talkingface-track-2"
METHOD = 3  # one more whenever detection or following changes: tracks that are stored under a smaller one are made anew
MAX_GAP_SECONDS = 0.25


@dataclass(frozen=True)
class FaceSelection:
    """Which of several faces to follow.

    Attributes:
        index: the face's number, counted from the left, in the first frame that has that many faces; None takes the largest.
        near: (x, y) in pixels; the face whose centre is nearest. At most one of the two may be given.
    """

    index: int | None = None
    near: tuple[float, float] | None = None

    def __post_init__(self):
        if self.index is not None and self.near is not None:
            raise InputError("--face_index and --face_near exclude each other; give one")
        if self.near is not None and not np.isfinite(self.near).all():
            raise InputError(f"--face_near {self.near[0]:g},{self.near[1]:g}: must be two numbers of pixels, X,Y")
        if self.index is not None and self.index < 0:
            raise InputError(f"--face_index {self.index}: faces are numbered from 0, from left to right")

    def choose(self, faces):
        """The chosen one of a non-empty list of Face, or None when there are fewer faces than the index asks for."""
        if self.near is not None:
            return min(faces, key=lambda face: float(np.linalg.norm(face.centre - self.near)))
        if self.index is not None:
            ordered = sorted(faces, key=lambda face: float(face.centre[0]))
            return ordered[self.index] if self.index < len(ordered) else None
        return max(faces, key=lambda face: face.size)


@dataclass
class FaceTrack:
    """Landmarks of one face, frame by frame; raw, not smoothed.

    Attributes:
        landmarks: (N, 68, 2) float32 pixels; NaN where there is no face.
        present: (N,) bool, a face was found or interpolated.
        interpolated: (N,) bool, part of a short gap.
        width, height: of the frames, in pixels.
        most_faces: the largest number of faces that one detection showed.
        covered: (N,) bool, something lies before the mouth, see `faces.covering`; None where nobody has looked.
    """

    landmarks: np.ndarray
    present: np.ndarray
    interpolated: np.ndarray
    width: int
    height: int
    most_faces: int = 0
    covered: np.ndarray | None = None

    def __len__(self):
        return len(self.landmarks)

    def save(self, path):
        """Write to `path` (.npz), whole or not at all."""
        with atomic_output(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(
                file,
                format=FORMAT,
                landmarks=self.landmarks,
                present=self.present,
                interpolated=self.interpolated,
                size=np.array([self.width, self.height, self.most_faces]),
                **({} if self.covered is None else {"covered": self.covered}),
            )

    @staticmethod
    def load(path):
        """Read what `save` wrote; ValueError when it is something else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                if str(stored["format"]) != FORMAT:
                    raise ValueError(f"{path}: not a {FORMAT} file")
                width, height, most_faces = (int(value) for value in stored["size"])
                track = FaceTrack(stored["landmarks"], stored["present"], stored["interpolated"], width, height, most_faces,
                                  stored["covered"] if "covered" in stored.files else None)  # fmt: skip
        except (OSError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path}: not a {FORMAT} file, or damaged") from error
        count = len(track.present)
        covered = track.interpolated if track.covered is None else track.covered
        if track.landmarks.shape != (count, 68, 2) or not (track.interpolated.shape == covered.shape == (count,)):
            raise ValueError(f"{path}: damaged: its arrays do not fit together")
        return track


def track_face(frames, detector, selection=None, *, fps=25, max_gap_seconds=MAX_GAP_SECONDS, on_frame=None):
    """Follow one face through a stream of frames.

    The face is chosen once, by `selection`, and then followed; when it is lost, it is looked for again near where it was, and
    chosen anew when the gap grows long. Gaps up to `max_gap_seconds` are interpolated linearly, unless the face comes back
    elsewhere; frames of longer ones stay without a face.

    Args:
        frames: iterable of (H, W, 3) uint8 RGB, all of one size; it is read once, nothing of it is kept.
        detector: see `faces.detectors.Detector`.
        selection: FaceSelection; None takes the largest face.
        fps: frames per second, to turn seconds into frames.
        max_gap_seconds: longest gap that is filled.
        on_frame: called without arguments after each frame, for a progress bar.

    Returns:
        FaceTrack.

    Raises:
        InputError: no frame at all, or fewer faces in every frame than `selection.index` asks for.
    """
    selection = selection or FaceSelection()
    max_gap = max(0, int(round(float(fps) * max_gap_seconds)))
    found, last, gap, most_faces, shape = [], None, 0, 0, None
    watch = CoverWatch()
    for frame in frames:
        shape = frame.shape
        face = detector.follow(frame, last) if last is not None and gap == 0 else None
        if face is None:
            faces = detector.detect(frame)
            most_faces = max(most_faces, len(faces))
            face = _recover(faces, last, gap <= max_gap, selection)
        found.append(None if face is None else face.landmarks)
        gap = gap + 1 if face is None else 0
        last = face or last
        watch.add(frame, None if last is None or gap > max_gap else last.landmarks)
        if on_frame:
            on_frame()
    if shape is None:
        raise InputError("the face video has no frame that can be decoded")
    if selection.index is not None and last is None and most_faces:
        raise InputError(f"--face_index {selection.index}: at most {most_faces} face(s) are in view; they are numbered from 0")
    track = _filled(found, max_gap, shape[1], shape[0], most_faces)
    return replace(track, covered=track.present & covered_frames(watch.scores(), fps, shots_of(track.landmarks)))


def _recover(faces, last, recent, selection):
    """The face to go on with after a loss: near the old place if that is recent, else chosen anew."""
    if not faces:
        return None
    if last is not None and recent:
        nearest = min(faces, key=lambda face: float(np.linalg.norm(face.centre - last.centre)))
        if np.linalg.norm(nearest.centre - last.centre) < last.size:
            return nearest
        if len(faces) > 1:
            return None
    if last is not None and selection.near is None and selection.index is None and len(faces) > 1:
        return min(faces, key=lambda face: float(np.linalg.norm(face.centre - last.centre)) / face.size)
    return selection.choose(faces)


def _filled(found, max_gap, width, height, most_faces):
    """Turn the list of landmarks or None into a FaceTrack, with short gaps interpolated."""
    count = len(found)
    landmarks = np.full((count, 68, 2), np.nan, np.float32)
    present = np.array([points is not None for points in found], bool)
    for index in np.flatnonzero(present):
        landmarks[index] = found[index]
    interpolated = np.zeros(count, bool)
    for start, end in segments(~present):
        if start > 0 and end < count and end - start <= max_gap and _same_place(landmarks[start - 1], landmarks[end]):
            share = (np.arange(start, end) - (start - 1)) / (end - start + 1)
            before, after = landmarks[start - 1], landmarks[end]
            landmarks[start:end] = before + share[:, None, None].astype(np.float32) * (after - before)
            interpolated[start:end] = True
    return FaceTrack(landmarks, present | interpolated, interpolated, width, height, most_faces)


def _same_place(before, after):
    """True when two sets of landmarks, a short gap apart, may be one face: less than its own width away."""
    extent = float(np.ptp(before, axis=0).max())
    return float(np.linalg.norm(after.mean(0) - before.mean(0))) < extent

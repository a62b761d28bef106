"""One face followed through a video, shot by shot."""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from faces.tracking.covering import CoverDetector, covered_frames
from faces.tracking.cuts import CutDetector
from faces.tracking.skin import light_and_detail
from faces.tracking.smoothing import segments
from faces.tracking.tracked import FaceTrack

# One more whenever detection, following, smoothing or crops change: stored tracks of a smaller one are made anew, and a corpus
# that was begun with one takes no more clips.
METHOD = 4
MAX_GAP_SECONDS = 0.25
MEASURED = 2  # light and sharpness are measured in every second frame: it costs time


@dataclass(frozen=True)
class FaceSelection:
    """Which of several faces to follow; the rule holds at the beginning of each shot.

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
        """The chosen one of a list of Face, or None when there is none, or fewer than the index asks for."""
        if not faces:
            return None
        if self.near is not None:
            return min(faces, key=lambda face: float(np.linalg.norm(face.centre - self.near)))
        if self.index is not None:
            ordered = sorted(faces, key=lambda face: float(face.centre[0]))
            return ordered[self.index] if self.index < len(ordered) else None
        return max(faces, key=lambda face: face.size)


def track_face(frames, detector, selection=None, *, fps=25, max_gap_seconds=MAX_GAP_SECONDS, on_frame=None):
    """Follow one face through a stream of frames.

    The face is chosen by `selection`, and then followed; when it is lost, it is looked for again near where it was, and chosen
    anew when the gap grows long. Where the video is cut (cuts.py) a new shot begins: the face is chosen anew by the same
    rule, and nothing of the face before is carried over the cut. A shot also begins where the face is lost and one is found its
    own size away or further, which may be another person. Gaps up to `max_gap_seconds` are interpolated linearly, unless a shot
    ends in them or the face comes back elsewhere; frames of longer ones stay without a face.

    Args:
        frames: iterable of (H, W, 3) uint8 RGB, all of one size; it is read once, a few frames ahead.
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
    follower = _Follower(detector, selection, max(0, int(round(float(fps) * max_gap_seconds))))
    cuts, shape = CutDetector(frames), None
    for frame in cuts:
        shape = frame.shape
        follower.step(frame, cuts)
        if on_frame:
            on_frame()
    if shape is None:
        raise InputError("the face video has no frame that can be decoded")
    if selection.index is not None and not any(points is not None for points in follower.found) and follower.most_faces:
        most = follower.most_faces
        raise InputError(f"--face_index {selection.index}: at most {most} face(s) are in view; they are numbered from 0")
    return follower.track(shape[1], shape[0], fps)


class _Follower:
    """What is known of the face while the frames stream by.

    Attributes:
        found: landmarks (68, 2) or None; begins: numbers of the frames at which shots begin, but for the first; measures: light
            and detail of each frame. most_faces: see FaceTrack.
    """

    def __init__(self, detector, selection, max_gap):
        self._detector, self._selection, self._max_gap = detector, selection, max_gap
        self.found, self.begins, self.measures, self.most_faces = [], [], [], 0
        self._mouths = CoverDetector()
        self._last, self._gap = None, 0  # the last face of this shot, and frames since it was seen

    def step(self, frame, cuts):
        """One frame further."""
        cut = cuts.cut(self._last if self._gap == 0 else None)
        if cut:
            face = self._begin(frame, cuts.gap)
        else:
            face = self._detector.follow(frame, self._last) if self._last is not None and self._gap == 0 else None
            if face is None:
                face = self._find(frame)
        self.found.append(None if face is None else face.landmarks)
        measured = face is not None and len(self.measures) % MEASURED == 0
        self.measures.append(light_and_detail(frame, face.landmarks) if measured else None)
        self._gap = self._gap + 1 if face is None else 0
        self._last = self._last if face is None else face
        known = self._last is not None and self._gap <= self._max_gap  # what covers the mouth may hide the face as well
        self._mouths.add(frame, self._last.landmarks if known else None)

    def track(self, width, height, fps):
        """FaceTrack of all that was seen."""
        count = len(self.found)
        begins = np.zeros(count, np.int64)
        begins[self.begins] = 1
        landmarks, light, detail = (np.full((count, *size), np.nan, np.float32) for size in ((68, 2), (3,), ()))
        for index, points in enumerate(self.found):
            if points is not None:
                landmarks[index] = points
            if self.measures[index] is not None:
                light[index], detail[index] = self.measures[index]
        track = FaceTrack(
            landmarks, np.isfinite(landmarks).all((1, 2)), np.zeros(count, bool), width, height, self.most_faces,
            np.cumsum(begins), light, detail,
        )  # fmt: skip
        _fill(track, self._max_gap)
        track.covered = track.present & covered_frames(self._mouths.scores(), fps, track.shots)
        return track

    def _detect(self, frame):
        faces = self._detector.detect(frame)
        self.most_faces = max(self.most_faces, len(faces))
        return faces

    def _begin(self, frame, gap):
        """The face of a new shot, which began `gap` frames ago: in a gap without a picture."""
        number = len(self.found)
        self.begins.append(number - gap)
        face = self._selection.choose(self._detect(frame))
        for earlier in range(number - gap, number):  # in the dark the face was looked for near the one of the shot before
            if self.found[earlier] is not None and (face is None or not _same_place(self.found[earlier], face.landmarks)):
                self.found[earlier] = self.measures[earlier] = None
        self._last = None
        return face

    def _find(self, frame):
        """The face after a loss: near the old place if that is recent, else chosen anew; far from there it begins a shot."""
        face, last = self._recover(self._detect(frame)), self._last
        if face is not None and last is not None and np.linalg.norm(face.centre - last.centre) >= last.size:
            self.begins.append(len(self.found))
        return face

    def _recover(self, faces):
        last = self._last
        if not faces or last is None:
            return self._selection.choose(faces)
        if self._gap <= self._max_gap:
            nearest = min(faces, key=lambda face: float(np.linalg.norm(face.centre - last.centre)))
            if np.linalg.norm(nearest.centre - last.centre) < last.size:
                return nearest
            if len(faces) > 1:
                return None
        if self._selection.near is None and self._selection.index is None and len(faces) > 1:
            return min(faces, key=lambda face: float(np.linalg.norm(face.centre - last.centre)) / face.size)
        return self._selection.choose(faces)


def _fill(track, max_gap):
    """Interpolate short gaps of a FaceTrack, in place."""
    landmarks, found = track.landmarks, track.present.copy()
    for start, end in segments(~found):
        inside = start > 0 and end < len(track) and end - start <= max_gap and track.shots[start - 1] == track.shots[end]
        if inside and _same_place(landmarks[start - 1], landmarks[end]):
            share = (np.arange(start, end) - (start - 1)) / (end - start + 1)
            before, after = landmarks[start - 1], landmarks[end]
            landmarks[start:end] = before + share[:, None, None].astype(np.float32) * (after - before)
            track.interpolated[start:end] = track.present[start:end] = True


def _same_place(before, after):
    """True when two sets of landmarks, a short gap apart, may be one face: less than its own width away."""
    extent = float(np.ptp(before, axis=0).max())
    return float(np.linalg.norm(after.mean(0) - before.mean(0))) < extent

"""Clips for the figures of the warp: upright windows of whole frame pixels around a followed face, kept in a folder.

A window is not resampled, so what is drawn into it has the resolution of the video.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.files import atomic_output
from faces.landmarks import CANONICAL_STABLE, STABLE, fit_similarity
from faces.tracking.smoothing import smooth_series

SIDE = 3.2  # eye distances
CENTRE = 0.75  # eye distances below the point between the eyes
MOST_FRAMES = 200
VIDEO = (".mp4", ".mpg", ".avi", ".mov", ".mkv", ".webm", ".ts")


@dataclass(frozen=True)
class WindowClip:
    """A face video as windows.

    Attributes:
        pictures: (N, S, S, 3) uint8 RGB.
        landmarks: (N, 68, 2) float64, pixels of the window; NaN where there is no face.
        present: (N,) bool.
    """

    pictures: np.ndarray
    landmarks: np.ndarray
    present: np.ndarray


def videos_of(person):
    """Paths of the videos of a person's folder, sorted."""
    return sorted(path for path in Path(person).iterdir() if path.suffix.lower() in VIDEO)


def window_clip(path, cache, frames=MOST_FRAMES):
    """WindowClip of a video's first frames; kept in `cache`, a folder, for the next time."""
    stored = Path(cache) / f"{Path(path).parent.name}+{Path(path).stem}.npz"
    if not stored.is_file():
        clip = _cut(path, frames)
        with atomic_output(stored) as temporary, open(temporary, "wb") as file:
            np.savez(file, pictures=clip.pictures, landmarks=clip.landmarks, present=clip.present)
    with np.load(stored, allow_pickle=False) as found:
        return WindowClip(found["pictures"], found["landmarks"], found["present"])


def _cut(path, frames):
    from itertools import islice

    from faces.detectors import build_detector
    from faces.tracking.track import track_face
    from media import VideoReader

    with VideoReader(path) as reader:
        pictures = [np.ascontiguousarray(frame) for frame in islice(reader, frames)]
        fps = reader.info.fps
    detector = build_detector("mediapipe")
    try:
        track = track_face(pictures, detector, fps=fps)
    finally:
        detector.close()
    points = track.landmarks.astype(np.float64)
    stable = np.where(track.present[:, None, None], points[:, list(STABLE)], points[track.present][:1, list(STABLE)])
    pose = fit_similarity(np.broadcast_to(CANONICAL_STABLE, stable.shape), stable)
    unit = np.median(np.hypot(pose[:, 0, 0], pose[:, 1, 0])[track.present])
    side = int(np.ceil(SIDE * unit / 8) * 8)
    centres = smooth_series(pose[:, :, :2] @ (0, CENTRE) + pose[:, :, 2], 4.0)
    corners = np.rint(centres - side / 2).astype(int)
    margin = side
    cut = []
    for picture, (left, top) in zip(pictures, corners, strict=True):
        padded = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        left, top = np.clip((left + margin, top + margin), 0, (padded.shape[1] - side, padded.shape[0] - side))
        cut.append(padded[top : top + side, left : left + side])
    corners = np.clip(corners, -margin, (pictures[0].shape[1] + margin - side, pictures[0].shape[0] + margin - side))
    return WindowClip(np.stack(cut), points - corners[:, None], track.present)

"""Face detection and landmarks behind one small interface.

A detector finds faces in one frame (`detect`) and finds a known face again in the next frame (`follow`), which is the cheap
path that tracking takes. Both return `Face` objects with the 68-point landmarks, whatever scheme the detector uses inside.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from common.errors import InputError

DETECTORS = ("mediapipe", "face-alignment")


@dataclass(frozen=True)
class Face:
    """One face in one frame.

    Attributes:
        box: (4,) float32 x1, y1, x2, y2 in pixels, around the landmarks.
        landmarks: (68, 2) float32 pixels, iBUG order.
        score: confidence in [0, 1].
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float

    @property
    def size(self):
        """Side of a square with the area of the box, in pixels."""
        return float(np.sqrt(max(0.0, (self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))))

    @property
    def centre(self):
        """(2,) float32 centre of the box, in pixels."""
        return (self.box[:2] + self.box[2:]) / 2

    @staticmethod
    def from_landmarks(landmarks, score):
        """A face whose box is the extent of its landmarks, (68, 2) in pixels."""
        landmarks = np.asarray(landmarks, np.float32)
        return Face(np.concatenate([landmarks.min(0), landmarks.max(0)]), landmarks, float(score))


class Detector(Protocol):
    """What tracking needs of a detector.

    Attributes:
        name, version: part of the key under which tracks are stored.
    """

    name: str
    version: str

    def detect(self, frame):
        """(H, W, 3) uint8 RGB -> list of Face, largest first; empty where there is none."""

    def follow(self, frame, face):
        """The face of the previous frame found again in this one, or None."""

    def close(self):
        """Free what the detector holds."""


def build_detector(name="mediapipe", *, device="cpu", weights=None, batch_size=8):
    """Make a detector by name.

    Args:
        name: "mediapipe" (face mesh, models inside the wheel, CPU) or "face-alignment" (S3FD + FAN, an extra, made for GPUs).
        device: where face-alignment runs: "cpu", "cuda", "cuda:1", "mps".
        weights: folder with face-alignment's weight files; None takes its own cache.
        batch_size: frames per detection batch; used by face-alignment.

    Raises:
        InputError: unknown name, or package or weights are missing; the message says what to install or where to put them.
    """
    if name == "mediapipe":
        from faces.detectors.mesh import MeshDetector

        return MeshDetector()
    if name == "face-alignment":
        from faces.detectors.s3fd_fan import S3fdFanDetector

        return S3fdFanDetector(device=device, weights=weights, batch_size=batch_size)
    raise InputError(f"--detector {name}: unknown; choose one of {', '.join(DETECTORS)}")

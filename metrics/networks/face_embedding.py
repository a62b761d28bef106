"""Whose face is it: a vector of a face that differs more between people than between pictures of one person.

dlib's network `dlib_face_recognition_resnet_model_v1` (Davis King; 99.38 % on Labeled Faces in the Wild by its author's
account), through the packages `dlib-bin`, which brings the code, and `face-recognition-models`, which brings the weights (CC0).
"""

import importlib.util
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import content_hash, require_file

WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
_INSTALL = "pip install 'dlib-bin==20.0.1.post1' 'face-recognition-models==0.3.0', or leave --identity out"


class FaceEmbedder:
    """Embeds faces.

    What the network sees is a chip of 150 pixels as dlib cuts it (`get_face_chip`, padding 0.25): a similarity fit of 33 of the
    68 landmarks (nose, eyes, upper lip with the mouth's corners; neither jaw, brows nor lower lip) to dlib's mean face, whose
    unit square is widened by 0.25 on each side, so that the chip shows 1.5 times that square: forehead to below the chin. The
    landmarks are rounded to whole pixels, as dlib stores them.

    Args:
        network: takes (150, 150, 3) uint8 RGB, returns 128 floats.
        cut: takes a frame (H, W, 3) uint8 RGB and (68, 2) landmarks, returns the chip.
        name, sha256: of the weights.
    """

    precision = "fp32"
    dimension = 128

    def __init__(self, network, cut, name, sha256):
        self._network, self._cut, self.name, self.sha256 = network, cut, name, sha256

    @staticmethod
    def load():
        """Build it from the installed packages.

        Raises:
            InputError: one of the two packages is not installed, or the weights cannot be read.
        """
        try:
            import dlib
        except ImportError as error:
            raise InputError(f"--identity needs the package dlib-bin ({error}): {_INSTALL}") from error
        # Not imported: it imports pkg_resources, which newer setuptools do not have.
        found = importlib.util.find_spec("face_recognition_models")
        if found is None:
            raise InputError(f"--identity needs the package face-recognition-models: {_INSTALL}")
        path = require_file(Path(found.submodule_search_locations[0]) / "models" / WEIGHTS, "weights of the face network")
        try:
            network = dlib.face_recognition_model_v1(str(path))
        except RuntimeError as error:
            raise InputError(f"{path}: cannot be read by dlib ({error}); install face-recognition-models again") from error

        def cut(frame, landmarks):
            points = dlib.points([dlib.point(int(x), int(y)) for x, y in np.rint(landmarks)])
            height, width = frame.shape[:2]
            face = dlib.full_object_detection(dlib.rectangle(0, 0, width, height), points)  # the rectangle does not count
            return dlib.get_face_chip(np.ascontiguousarray(frame), face, size=150, padding=0.25)

        return FaceEmbedder(network.compute_face_descriptor, cut, "dlib_face_recognition_resnet_model_v1", content_hash(path))

    def __call__(self, frame, landmarks):
        """Embedding of one face.

        Args:
            frame: (H, W, 3) uint8 RGB.
            landmarks: (68, 2) float, finite, pixels of the frame.

        Returns:
            (128,) float64.
        """
        return np.array(self._network(self._cut(frame, landmarks)), np.float64)

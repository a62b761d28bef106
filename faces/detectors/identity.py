"""Which detector is installed: what decides the landmarks that it finds, known without loading its networks."""

import os
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from common.errors import InputError
from common.files import content_hash
from faces.detectors import DETECTORS

PACKAGES = {"mediapipe": "mediapipe", "face-alignment": "face-alignment"}  # detector -> distribution


def detector_identity(name, weights=None):
    """Version and weights of an installed detector.

    Args:
        name: one of faces.detectors.DETECTORS.
        weights: folder with face-alignment's weight files; None takes its own cache.

    Returns:
        dict: `version` of the package; `weights`, dict of file name -> SHA-256 of its content; empty for mediapipe, whose
        models lie in its wheel. Weights of face-alignment that are missing are fetched first, as the detector does it.

    Raises:
        InputError: an unknown name, the package is not installed, or its weights cannot be had.
    """
    if name not in DETECTORS:
        raise InputError(f"--detector {name}: unknown; choose one of {', '.join(DETECTORS)}")
    try:
        found = version(PACKAGES[name])
    except PackageNotFoundError as error:
        install = f'pip install -e ".[{name}]", or use --detector mediapipe' if name != "mediapipe" else "see docs/install.md"
        raise InputError(f"--detector {name}: the package is not installed: {install}") from error
    if name == "mediapipe":
        return {"version": found, "weights": {}}
    from faces.detectors.s3fd_fan import weight_files

    return {"version": found, "weights": {path.name: _hash(path) for path in weight_files(weights)}}


def _hash(path):
    """SHA-256 of a file, read once as long as it does not change: weights are large, and each job asks."""
    about = os.stat(path)
    return _hash_of(str(path), about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=8)
def _hash_of(path, size, time):
    """SHA-256 of the file at `path` of this size and time."""
    return content_hash(path)

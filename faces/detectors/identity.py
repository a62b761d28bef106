"""Which detector is installed: what decides the landmarks that it finds, known without loading its networks."""

from importlib.metadata import PackageNotFoundError, version

from common.errors import InputError
from common.files import content_hash
from faces.detectors import DETECTORS

PACKAGES = {"mediapipe": "mediapipe", "face-alignment": "face-alignment"}  # detector -> distribution


def detector_identity(name):
    """Version and weights of an installed detector.

    Args:
        name: one of faces.detectors.DETECTORS.

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
        raise InputError(f"--detector {name}: the package is not installed; see docs/install.md") from error
    if name == "mediapipe":
        return {"version": found, "weights": {}}
    from faces.detectors.s3fd_fan import weight_files

    return {"version": found, "weights": {path.name: content_hash(path) for path in weight_files()}}

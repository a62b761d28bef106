"""The published layout of DAVS on disk: one example is one spoken word of 29 frames.

    <root>/<train|val|test>/<class number>/<video number>/align_face256/{0..28}.jpg    faces of 260 x 260 pixels
    <root>/<train|val|test>/<class number>/<video number>/mfcc20/{2..26}.bin           float64, 20 x 12: time x coefficient
    <root>/words.txt     ours: a word a line; the number of the line, from 0, is that of the class
    <root>/clips.tsv     ours: of which clip and person each example is

The published code reads both folders of an example and nothing else. It takes the middle 256 of the 260 pixels, in training any
256 of them.
"""

import hashlib

import numpy as np

from common.errors import InputError
from common.files import atomic_output, require_file
from datasets.davs.lists import FACES

SOUNDS = "mfcc20"  # folder of the windows of an example
FRAMES = 29
HEARD = range(2, 27)  # frames that have a window of MFCC
SIDE, CENTRE = 260, 256  # pixels of a stored face, and of the part of it that networks see
COLUMNS, COEFFICIENTS = 20, 12
QUALITY = 95  # of the JPEG files
_LARGEST = 1e5  # a mean coefficient above it is damage, as in the published code


def read_face(path):
    """(260, 260, 3) uint8 RGB of one picture; InputError: missing, damaged, or of another size."""
    from media.pictures.kinds import damaged, open_picture
    from media.pictures.stills import still_to_rgb

    with open_picture(require_file(path, "face")) as image:
        if image is None:
            raise damaged(path, "no picture")
        face = still_to_rgb(image, path)[0]
    if face.shape != (SIDE, SIDE, 3):
        raise InputError(f"{path}: the face has {face.shape[1]} x {face.shape[0]} pixels, {SIDE} x {SIDE} are needed")
    return face


def read_window(path):
    """(20, 12) float64, time x coefficient, of one window; InputError: missing, of another length, or no coefficients."""
    path = require_file(path, "window of MFCC")
    if (size := path.stat().st_size) != 8 * COLUMNS * COEFFICIENTS:
        raise InputError(f"{path}: the window of MFCC has {size} bytes, {8 * COLUMNS * COEFFICIENTS} are needed")
    window = np.fromfile(path, "<f8").reshape(COLUMNS, COEFFICIENTS)
    if not np.isfinite(window).all() or not abs(window.mean()) < _LARGEST:
        raise InputError(f"{path}: the window of MFCC holds values that are no coefficients")
    return window


def read_example(folder):
    """Frames 2 to 26 of one example.

    Args:
        folder: Path of the example.

    Returns:
        faces: (25, 260, 260, 3) uint8 RGB; windows: (25, 20, 12) float64; SHA-256 of the files' bytes, 64 digits.

    Raises:
        InputError: a file is missing or damaged; the message names the first one.
    """
    faces, windows, digest = [], [], hashlib.sha256()
    for number in HEARD:
        paths = folder / FACES / f"{number}.jpg", folder / SOUNDS / f"{number}.bin"
        faces.append(read_face(paths[0]))
        windows.append(read_window(paths[1]))
        for path in paths:
            digest.update(path.read_bytes())
    return np.stack(faces), np.stack(windows), digest.hexdigest()


def write_example(folder, faces, windows):
    """Write one example, each file whole or not at all.

    Args:
        folder: Path of the example.
        faces: (29, 260, 260, 3) uint8 RGB; windows: (25, 20, 12) float, time x coefficient, of frames 2 to 26.
    """
    from PIL import Image

    for number, face in enumerate(faces):
        with atomic_output(folder / FACES / f"{number}.jpg") as path:
            Image.fromarray(face).save(path, quality=QUALITY, subsampling=0)
    for number, window in zip(HEARD, windows, strict=True):
        with atomic_output(folder / SOUNDS / f"{number}.bin") as path:
            np.ascontiguousarray(window, "<f8").tofile(path)


def is_whole(folder):
    """Whether all files of an example are there."""
    files = [*(folder / FACES / f"{number}.jpg" for number in range(FRAMES)), *(folder / SOUNDS / f"{number}.bin"
             for number in HEARD)]  # fmt: skip
    return all(path.is_file() for path in files)

"""One example of the published layout of action units -> the arrays of a prepared clip, with windows of MFCC for a sound."""

import numpy as np

from common.errors import InputError
from datasets.fields.speech import WIDE
from datasets.preparing.requirements import check_length, face_height
from datasets.preparing.resizing import middle_resized

MOST_OFF = 0.06  # of the side: by which the corners of the crop may lie aside, in the median of the frames


def example_arrays(folder, settings, _detector, row):
    """Arrays to store; notes in `row` the number of frames and the files' hash.

    Args:
        folder: Path of the example; settings: PrepareSettings; row: ClipRow. No detector is asked.

    Returns:
        dict: `face` (F, S, S, 3) uint8 RGB, brought to S; `landmarks` (F, 68, 2) float32 crop pixels, those of the files;
        `matrix` (F, 2, 3) float64 stored face -> crop; `interpolated` (F,) bool, all False; `mfcc_wide` (F, W, 12) float64.

    Raises:
        InputError: a file is missing or damaged, too few frames or pixels, or faces that lie otherwise than the crop says.
    """
    from datasets.au_layout.files import read_example
    from faces.landmarks import apply_affine

    faces, landmarks, windows, row.source_hash = read_example(folder)
    check_length(len(faces), settings.fps, folder)
    if (height := face_height(landmarks)) < settings.min_face:
        raise InputError(f"{folder}: the face is {height:.0f} pixels high, {settings.min_face} are needed (--min_face)")
    check_crop(landmarks, faces.shape[1], settings.crop, folder)
    faces, matrix = middle_resized(faces, faces.shape[1], settings.size)
    row.faces, row.offset = len(faces), 0.0
    return {
        "face": faces,
        "landmarks": apply_affine(matrix, landmarks).astype(np.float32),
        "matrix": matrix,
        "interpolated": np.zeros(len(faces), bool),
        WIDE: windows,
    }


def check_crop(landmarks, side, kind, folder):
    """InputError where faces lie otherwise than crops of this kind.

    Args:
        landmarks: (F, 68, 2) float, in pixels of the pictures; side: of these.
        kind: "au112" or "au128"; folder: of the example, for the message.
    """
    if _off(landmarks, side, kind) <= MOST_OFF:
        return
    other = next((one for one in ("au112", "au128") if _off(landmarks, side, one) <= MOST_OFF), None)
    cure = f"give --crop {other}" if other else "they fit no crop that is known"
    raise InputError(f"{folder}: the faces do not lie as --crop {kind} lays them; {cure}")


def _off(landmarks, side, kind):
    """How far the square of a kind of crop lies from the picture, as a share of its side; median of the frames."""
    from faces.crops import FITS, SQUARES

    a, b, x, y = FITS[kind][0](landmarks).T
    length, start = SQUARES[kind]
    off = []
    for corner, wanted in ((start, -0.5), (np.add(start, length), side - 0.5)):
        place = np.stack([a * corner[0] - b * corner[1] + x, b * corner[0] + a * corner[1] + y], 1)
        off.append(np.linalg.norm(place - wanted, axis=1))
    return float(np.median(np.max(off, 0))) / side

"""One example of the published layout of DAVS -> the arrays of a prepared clip, with windows of MFCC in place of a sound."""

import numpy as np

from common.errors import InputError
from datasets.davs.files import CENTRE, HEARD, read_example
from datasets.fields.speech import STORED
from datasets.preparing.requirements import check_faces
from datasets.preparing.resizing import middle_resized


def example_arrays(folder, settings, detector, row):
    """Arrays to store of frames 2 to 26; notes in `row` the frames with a face, where the clip begins, and the files' hash.

    Args:
        folder: Path of the example; settings: PrepareSettings; detector: faces.detectors.Detector; row: ClipRow.

    Returns:
        dict: `face` (25, S, S, 3) uint8 RGB, the middle 256 pixels brought to S; `landmarks` (25, 68, 2) float32 crop pixels,
        as the detector finds them in the stored faces; `matrix` (25, 2, 3) float64 stored face -> crop; `interpolated` (25,)
        bool; `mfcc20` (25, 20, 12) float64.

    Raises:
        InputError: a file is missing or damaged, or no face is found in a frame.
    """
    from faces.landmarks import apply_affine
    from faces.tracking.track import track_face

    pictures, windows, row.source_hash = read_example(folder)
    track = track_face(pictures, detector, fps=settings.fps)
    check_faces(track, settings.min_face, folder)
    found = np.isfinite(track.landmarks).all((1, 2))
    if not found.all():
        raise InputError(f"{folder}: no face in {int((~found).sum())} of its {len(found)} frames")
    faces, matrix = middle_resized(pictures, CENTRE, settings.size)
    row.faces, row.offset = int(track.present.sum()), HEARD.start / settings.fps
    return {
        "face": faces,
        "landmarks": apply_affine(matrix, track.landmarks).astype(np.float32),
        "matrix": matrix,
        "interpolated": track.interpolated,
        STORED: windows,
    }

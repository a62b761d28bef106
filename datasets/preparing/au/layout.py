"""Action units of clips that were read from the published layout: of the csv beside each face."""

from functools import partial

import numpy as np

from common.action_units import UNITS
from common.errors import InputError
from common.files import content_hash
from datasets.action_units import KIND, OPENFACE
from datasets.au_layout.files import FACES
from datasets.au_layout.lists import read_layout
from datasets.preparing.au.openface import read_openface
from datasets.preparing.side import SideKind, add_side

VERSION = 1  # of what is stored


def add_units_of_layout(clips, folder, root, workers=1, *, retry_failed=False):
    """Store the action units that good clips lack, of the first row of each frame's csv.

    A frame without a csv, whose csv has no row (no face was found), or whose row failed, is not known. Where our writer has
    noted whose labels an example has, the corpus says so; else they count as OpenFace's.

    Args:
        clips: ClipSources of `datasets.corpora.au`; folder: Path of the prepared corpus; root: of the layout.
        workers, retry_failed: as of `datasets.preparing.side.add_side`.
    """
    kind = SideKind(KIND, partial(_of_csv, read_layout(root).labels), _parameters)
    add_side(kind, clips, folder, workers, retry_failed=retry_failed)


def units_of_frames(folder, frames):
    """present (F, 5) uint8, intensity (F, 5) float32, known (F,) bool of an example; 0 where they are not known.

    Raises:
        InputError: a csv lacks the units or is damaged, or none tells them.
    """
    present, intensity = np.zeros((frames, len(UNITS)), np.uint8), np.zeros((frames, len(UNITS)), np.float32)
    known = np.zeros(frames, bool)
    for number in range(frames):
        if (path := folder / FACES / f"{number}.csv").is_file():
            found = read_openface(path, some=False)
            if len(found.known) and found.known[0]:
                present[number], intensity[number], known[number] = found.present[0], found.intensity[0], True
    if not known.any():
        raise InputError(f"{folder / FACES}: no csv tells the action units of a frame; run OpenFace's FaceLandmarkImg -aus")
    return present, intensity, known


def _of_csv(labels, row, source, _folder):
    """Arrays, notes and origin for `SideKind.make`."""
    present, intensity, known = units_of_frames(source.path, row.frames)
    return {"present": present, "intensity": intensity, "known": known}, {}, labels.get(row.id, OPENFACE)


def _parameters(row, source):
    paths = [source.path / FACES / f"{number}.csv" for number in range(row.frames)]
    return {"way": "layout", "version": VERSION, "csv": [content_hash(path) if path.is_file() else "" for path in paths]}

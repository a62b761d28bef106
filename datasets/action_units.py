"""Action units beside the prepared clips; datasets.preparing.au.labels makes them."""

from dataclasses import dataclass

import numpy as np

from common.action_units import UNITS
from common.errors import InputError
from datasets.clip_files import read_side, side_path

KIND = "action_units"
OPENFACE, GEOMETRY = "openface", "geometry"  # where they come from: OpenFace's csv; landmarks (faces.action_units), no FACS


@dataclass(frozen=True)
class ActionUnits:
    """Action units of the F frames of a clip, in the order of common.action_units.UNITS.

    Attributes:
        present: (F, 5) uint8 0 or 1; intensity: (F, 5) float32 in [0, 5].
        known: (F,) bool; where it is False the others hold 0.
        neutral: (7,) float64, the person's neutral face that geometry compared with (faces.action_units), or None.
    """

    present: np.ndarray
    intensity: np.ndarray
    known: np.ndarray
    neutral: np.ndarray | None = None


def read_action_units(folder, row):
    """ActionUnits of a clip.

    Args:
        folder: of the corpus; row: ClipRow.

    Raises:
        InputError: they were not made, or the file is broken.
    """
    arrays, _ = read_side(folder, KIND, row.id)
    wanted = {"present": (np.uint8, (row.frames, len(UNITS))), "intensity": (np.float32, (row.frames, len(UNITS))),
              "known": (np.bool_, (row.frames,))}  # fmt: skip
    for name, (dtype, shape) in wanted.items():
        if name not in arrays or arrays[name].dtype != dtype or arrays[name].shape != shape:
            path = side_path(folder, KIND, row.id)
            raise InputError(f"{path}: holds no action units of {row.frames} frames; remove it and run prepare.py with "
                             "--action_units again")  # fmt: skip
    neutral = np.array(arrays["neutral"]) if "neutral" in arrays else None
    return ActionUnits(**{name: np.array(arrays[name]) for name in wanted}, neutral=neutral)

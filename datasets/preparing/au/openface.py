"""OpenFace's csv of a video: action units of speech, a row for each frame of the source, laid onto the frames of a clip.

Names of columns may have blanks around them, and stand in any order. These are read: `AUxx_c` (0 or 1) and `AUxx_r` (0
to 5) of common.action_units.UNITS, and, where they are there, `frame` (from 1), `success` and `confidence`. OpenFace's
`timestamp` is the number of a frame over the rate that it took for the video's, and says nothing that `frame` does not.
"""

import csv
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.action_units import LABELS, MOST, UNITS
from common.errors import InputError
from common.files import require_file

LEAST_CONFIDENCE = 0.7  # where a csv has no column `success`; OpenFace's own bound for it
SLACK = 1  # rows more or less than frames
EARLY = 0.25  # of a frame; as media.timeline lays frames onto a constant rate
PRESENCE = tuple(f"AU{unit:02d}_c" for unit in UNITS)
INTENSITY = tuple(f"AU{unit:02d}_r" for unit in UNITS)


@dataclass(frozen=True)
class OpenFaceRows:
    """What a csv says of the frames of a video, from its first to the last that a row names.

    Attributes:
        present: (n, 5) uint8 0 or 1; intensity: (n, 5) float32 in [0, 5]; known: (n,) bool, False where the row is missing,
            failed, or holds something that is no number; 0 stands there.
        rows: number of rows of the csv.
    """

    present: np.ndarray
    intensity: np.ndarray
    known: np.ndarray
    rows: int


def csv_of(folder, clip_id):
    """Path of the csv of a clip: FOLDER/<id>.csv, else FOLDER/<last part of the id>.csv.

    Raises:
        InputError: neither is there.
    """
    for name in (f"{clip_id}.csv", f"{clip_id.rpartition('/')[2]}.csv"):
        if (path := Path(folder, name)).is_file():
            return path
    raise InputError("--au_csv holds no csv for it")


def check_columns(path):
    """InputError where a csv lacks the columns of a unit, or cannot be read; its first line alone is looked at."""
    with closing(_lines(path)) as lines:
        _columns(path, next(lines, []))


def read_openface(path, *, some=True):
    """OpenFaceRows of a csv; `some`: one row at least has to be known. Without it a csv of the names alone has no frames.

    Raises:
        InputError: no such file, the columns of a unit are missing, a row of another length, a frame that two rows name or that
            is no number from 1 on, a presence that is neither 0 nor 1, an intensity outside 0 to 5, or no row that is known.
    """
    with closing(_lines(path)) as lines:
        header = next(lines, [])
        places = _columns(path, header)
        rows = [row for row in lines if row]
    if odd := next((number for number, row in enumerate(rows, 2) if len(row) != len(header)), None):
        raise InputError(f"{path}, line {odd}: has not as many values as the first line has names; run OpenFace again")
    if not rows and some:
        raise InputError(f"{path}: has no rows; run OpenFace again")
    table = {name: np.array([_number(row[place]) for row in rows], np.float64) for name, place in places.items()}
    frames = _frames(path, table, len(rows))
    values = np.stack([table[name] for name in (*PRESENCE, *INTENSITY)], 1)
    fine = np.isfinite(values).all(1) & _succeeded(table, len(rows))
    present, intensity = values[fine][:, : len(UNITS)], values[fine][:, len(UNITS) :]
    if not np.isin(present, (0, 1)).all():
        raise InputError(f"{path}: a presence (AUxx_c) is neither 0 nor 1; it is no csv of OpenFace")
    if ((intensity < 0) | (intensity > MOST)).any():
        raise InputError(f"{path}: an intensity (AUxx_r) lies outside 0 to {MOST:g}; it is no csv of OpenFace")
    if some and not fine.any():
        raise InputError(f"{path}: no row is known: each failed, or holds NaN; run OpenFace again")
    count = int(frames.max(initial=-1)) + 1
    out = OpenFaceRows(np.zeros((count, len(UNITS)), np.uint8), np.zeros((count, len(UNITS)), np.float32),
                       np.zeros(count, bool), len(rows))  # fmt: skip
    out.present[frames[fine]], out.intensity[frames[fine]], out.known[frames[fine]] = present, intensity, True
    return out


def laid_on_frames(found, starts, first, count, fps, path):
    """Rows of the source's frames -> those of a prepared clip's frames, by the time at which each is on screen.

    Args:
        found: OpenFaceRows; path: of its csv, for messages.
        starts: (n,) float64 seconds at which the source's frames begin, see `media.length.frame_starts`.
        first: second of the source at which the clip begins (ClipRow.offset).
        count: frames of the clip; fps: their rate.

    Returns:
        present (count, 5) uint8, intensity (count, 5) float32, known (count,) bool.

    Raises:
        InputError: another number of rows than of frames, by more than SLACK, or none of the clip's frames is known.
    """
    most = max(found.rows, len(found.known))
    if abs(found.rows - len(starts)) > SLACK or most > len(starts) + SLACK:
        raise InputError(f"{path}: has {found.rows} rows up to frame {len(found.known)}, the video has {len(starts)} frames; "
                         "run OpenFace on this video")  # fmt: skip
    times = (np.rint(first * fps) + np.arange(count) + EARLY) / fps
    shown = np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)
    there = shown < len(found.known)
    shown = np.minimum(shown, len(found.known) - 1)
    known = found.known[shown] & there
    if not known.any():
        raise InputError(f"{path}: no row is known in the part of the video that was kept")
    return found.present[shown] * known[:, None], found.intensity[shown] * known[:, None], known


def _lines(path):
    """Yield the cells of each line of a csv, the first one's first."""
    with open(require_file(path, "csv of OpenFace"), encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            yield from reader
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}: cannot be read as csv ({error}); run OpenFace again") from error


def _columns(path, header):
    """dict of name -> place in a row, of the columns that are read."""
    places = {name.strip(): place for place, name in enumerate(header)}
    if lacking := [name for name in (*PRESENCE, *INTENSITY) if name not in places]:
        raise InputError(f"{path}: lacks the column {lacking[0]} (of {', '.join(LABELS)}, _c and _r are read); run OpenFace's "
                         "FeatureExtraction with -aus")  # fmt: skip
    return {name: places[name] for name in (*PRESENCE, *INTENSITY, "frame", "success", "confidence") if name in places}


def _number(text):
    try:
        return float(text)
    except ValueError:
        return np.nan


def _frames(path, table, rows):
    """(n,) int64 index of the frame of each row; in order where no column says it."""
    frames = table.get("frame", np.arange(1, rows + 1, dtype=np.float64))
    if not (np.isfinite(frames).all() and (frames == np.rint(frames)).all() and (frames >= 1).all() and (frames < 1e7).all()):
        raise InputError(f"{path}: its column frame holds what is no number of a frame, from 1 on; run OpenFace again")
    if len(np.unique(frames)) < rows:
        raise InputError(f"{path}: two rows have the same frame; run FeatureExtraction, which follows one face")
    return frames.astype(np.int64) - 1


def _succeeded(table, rows):
    """(n,) bool: rows in which OpenFace followed the face."""
    if "success" in table:
        return table["success"] == 1
    return table["confidence"] >= LEAST_CONFIDENCE if "confidence" in table else np.ones(rows, bool)

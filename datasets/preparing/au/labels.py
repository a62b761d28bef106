"""Action units of the prepared clips, as side files: of OpenFace's csv, or by the geometry of the stored landmarks."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import content_hash
from common.terminal import counting
from datasets.action_units import GEOMETRY, KIND, OPENFACE
from datasets.clip_files import clip_path, open_clip
from datasets.clip_ids import printable
from datasets.prepared import read_manifest
from datasets.preparing.au.openface import check_columns, csv_of, laid_on_frames, read_openface
from datasets.preparing.side import SideKind, add_side
from faces.action_units import RULES, action_units, neutral_face
from faces.lip_space import speaks

WAYS = (GEOMETRY, OPENFACE)
VERSIONS = {OPENFACE: 1, GEOMETRY: 2}  # of what is stored, and of how it is found


@dataclass(frozen=True)
class ByGeometry:
    """The kind of side files (`datasets.preparing.side.SideKind`) of labels by geometry.

    Attributes:
        neutral: dict of `person_neutrals`; the worker of a clip gets the face of its person alone.
    """

    neutral: dict
    name = KIND

    def of(self, row):
        """See SideKind."""
        return ByGeometry({row.speaker: self.neutral[row.speaker]} if row.speaker in self.neutral else {})

    def make(self, row, _source, folder):
        """See SideKind."""
        present, intensity, known = geometry_of(row, open_clip(clip_path(folder, row.id)), self.neutral)
        arrays = {"present": present, "intensity": intensity, "known": known, "neutral": self.neutral[row.speaker]}
        return arrays, {}, GEOMETRY

    def parameters(self, row, _source):
        """See SideKind."""
        rules = {str(unit): [rule.present, rule.full] for unit, rule in RULES.items()}
        face = self.neutral[row.speaker].tolist() if row.speaker in self.neutral else None
        return {"way": GEOMETRY, "version": VERSIONS[GEOMETRY], "rules": rules, "source": row.source_hash,
                "offset": row.offset, "neutral": face}  # fmt: skip


def add_action_units(clips, folder, way, csv_folder=None, workers=1, *, retry_failed=False):
    """Store the action units that good clips lack; where they were made in another way, they are made anew.

    Args:
        clips: ClipSources; for "geometry" their ids alone count.
        folder: Path of the prepared corpus.
        way: one of WAYS.
        csv_folder: for "openface": folder with `<speaker>/<clip>.csv` or `<clip>.csv`.
        workers, retry_failed: as of `datasets.preparing.side.add_side`.

    Raises:
        InputError: a csv lacks the units, or no clip gets any.
    """
    if way == GEOMETRY:
        kind = ByGeometry(person_neutrals(folder, {clip.id for clip in clips}))
    else:
        kind = SideKind(KIND, partial(_of_openface, csv_folder), partial(_openface_parameters, csv_folder))
    add_side(kind, clips, folder, workers, retry_failed=retry_failed)
    ids, rows = {clip.id for clip in clips}, read_manifest(folder).values()
    good = [row for row in rows if row.id in ids and not row.error]
    if good and not any("from" in row.side.get(KIND, {}) for row in good):
        why = next((row.side[KIND]["error"] for row in good if "error" in row.side.get(KIND, {})), "")
        raise InputError(f"{folder}: no clip got action units by --action_units {way}; {good[0].id}: {why}")


def check_csv_folder(folder, ids):
    """InputError where a folder is none, holds no csv for these clips, or holds one for them that lacks the units.

    Args:
        folder: path; ids: of clips.
    """
    if not Path(folder).is_dir():
        raise InputError(f"--au_csv {printable(str(folder))}: no such folder")
    found = 0
    for clip_id in ids:
        try:
            path = csv_of(folder, clip_id)
        except InputError:
            continue
        check_columns(path)
        found += 1
    if not found:
        raise InputError(f"--au_csv {printable(str(folder))}: holds no csv for the clips of the corpus; they are named as the "
                         f"clips are, such as {next(iter(ids))}.csv")  # fmt: skip


def person_neutrals(folder, ids=None):
    """Neutral faces of the people of a corpus: of each distance the median over all good clips of the person.

    Clips in which the mouth hardly moves do not tell it. Who is one person, the manifest says (`ClipRow.speaker`). Shows
    progress: the landmarks of all these clips are read.

    Args:
        folder: of the prepared corpus; ids: of clips whose people are wanted; None: all.

    Returns:
        dict of speaker -> (7,) float64, see `faces.action_units.neutral_face`; without people whom no clip shows speaking.
    """
    rows = [row for row in read_manifest(folder).values() if not row.error]
    wanted, found = {row.speaker for row in rows if ids is None or row.id in ids}, {}
    rows = [row for row in rows if row.speaker in wanted]
    with counting(len(rows), "clip", "neutral faces") as progress:
        for row in rows:
            landmarks, seen = _landmarks(open_clip(clip_path(folder, row.id)))
            if seen.any() and speaks(landmarks, seen):
                found.setdefault(row.speaker, []).append(neutral_face(landmarks[seen]))
            progress.update()
    return {speaker: np.round(np.median(faces, 0), 5) for speaker, faces in found.items()}


def geometry_of(row, clip, neutral):
    """present, intensity, known of a clip by geometry, as `faces.action_units.action_units` gives them.

    Landmarks that were seen count, not those that were filled in.

    Args:
        row: ClipRow; clip: its arrays by name; neutral: dict of `person_neutrals`.

    Raises:
        InputError: no frame is seen, or the person's neutral face is not known.
    """
    landmarks, seen = _landmarks(clip)
    if not seen.any():
        raise InputError("no frame shows the face itself")
    if row.speaker not in neutral:
        raise InputError("no clip of the person shows a mouth that moves in 25 frames, so the neutral face is not known")
    return action_units(landmarks, row.fps, seen, neutral[row.speaker])


def _landmarks(clip):
    """(F, 68, 2) float32 landmarks, and (F,) bool, whether they were seen and not filled in."""
    return np.array(clip["landmarks"]), ~np.array(clip["interpolated"])


def _of_openface(csv_folder, row, source, _folder):
    """Arrays, notes and origin for `SideKind.make`."""
    from media.length import frame_starts

    path = csv_of(csv_folder, row.id)
    starts = frame_starts(source.path, "clip")
    present, intensity, known = laid_on_frames(read_openface(path), starts, row.offset, row.frames, row.fps, path)
    return {"present": present, "intensity": intensity, "known": known}, {"csv": path.name}, OPENFACE


def _openface_parameters(csv_folder, row, _source):
    given = content_hash(csv_of(csv_folder, row.id))
    return {"way": OPENFACE, "version": VERSIONS[OPENFACE], "csv": given, "offset": row.offset, "frames": row.frames}

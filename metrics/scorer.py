"""All measures of one face: its real video, the same without motion, and every generated video of it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.errors import InputError
from faces.crops import CropSpec
from faces.tracking.track import FaceSelection
from metrics.clips.video_tags import VideoTags
from metrics.compare import FACE_SIZE, compare_footage, open_generated, reading_notes
from metrics.face_rows import draw_face_rows, evenly_spaced
from metrics.footage import KEEP_BYTES, open_footage
from metrics.measures.base import Findings, VideoMeasure, View
from metrics.measures.registry import build_measures
from metrics.networks.load import Networks
from metrics.rows import COPY, REAL, Row
from metrics.sync.crops import TrackRules


@dataclass(frozen=True)
class Variant:
    """One generated video of a face: its name among those of its row, the row, and the file."""

    name: str
    row: Row
    path: Path


@dataclass(frozen=True)
class Item:
    """What is measured together: a real video and the videos that were generated on its face.

    Attributes:
        face: name of the real clip.
        real: its video.
        variants: tuple of Variant.
    """

    face: str
    real: Path
    variants: tuple


@dataclass(frozen=True)
class Options:
    """What decides the figures, beside the networks.

    Attributes:
        face_size: side of the aligned face crop in pixels.
        frames: look at the first so many frames only; None: all.
        selection: FaceSelection for the real video; generated ones follow the face that is nearest to it.
        sync_crop: "tracked" or "whole", for SyncNet.
        rules: TrackRules, for "tracked".
        frechet_crop: "face" or "frame": what the Inception network sees.
        keep_bytes: frames of a video are held in memory while they need no more than this, else decoded anew for each look.
    """

    face_size: int = FACE_SIZE
    frames: int | None = None
    selection: FaceSelection = field(default_factory=FaceSelection)
    sync_crop: str = "tracked"
    rules: TrackRules = field(default_factory=TrackRules)
    frechet_crop: str = "face"
    keep_bytes: int = KEEP_BYTES

    @property
    def face_spec(self):
        """CropSpec of the aligned face crop."""
        return CropSpec("aligned", self.face_size)


@dataclass
class Scores:
    """What came out for one Item.

    Attributes:
        records, failed: see docs/evaluation.md; lists of dict with "row": Row.
        features: {Row: (N, D) float32} for the Frechet distance.
        pictures: list of {"name", "row", "value", "measure", "jpeg"}: two rows of faces for each generated video; measure
            says what the value is.
    """

    records: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    features: dict = field(default_factory=dict)
    pictures: list = field(default_factory=list)


class Scorer:
    """Measures Items.

    Args:
        detector: see `faces.detectors.build_detector`.
        networks: metrics.networks.load.Networks; without one of them the measures that need it are left out.
        options: Options.
        needs_real_features: False where the real set's statistics are known already.

    Attributes:
        measures: list of metrics.measures.base.Measure.
    """

    def __init__(self, detector, networks=None, options=None, *, needs_real_features=True):
        self._detector, self._networks = detector, networks or Networks()
        self._options, self._real_features = options or Options(), needs_real_features
        self.measures = build_measures(self._networks)

    def measure(self, item):
        """Scores of an Item; what cannot be measured becomes an entry of `failed` with its reason."""
        scores, options = Scores(), self._options
        try:
            real = open_footage(item.real, self._detector, selection=options.selection, limit=options.frames,
                                keep_bytes=options.keep_bytes)
            sound, silence = _sound_of(item.real, "real video")
            self._measure_real(item, real, sound, silence, scores)
        except InputError as error:
            reason = f"the real video: {error}"
            failed = [(item.face, REAL, item.real), *((one.name, one.row, one.path) for one in item.variants)]
            scores.failed = [_failure(item, *one, reason) for one in failed]
            scores.records, scores.features = [], {}
            return scores
        for variant in item.variants:
            try:
                self._measure_variant(item, variant, real, scores)
            except InputError as error:
                scores.failed.append(_failure(item, variant.name, variant.row, variant.path, str(error)))
        return scores

    def _measure_real(self, item, real, sound, silence, scores):
        """The rows of the real video and of its first frame with a face, held."""
        first = int(np.flatnonzero(real.detected)[0])
        for row, footage, skip in ((REAL, real, 0), (COPY, real.held(first), 1)):
            if real.detected.sum() <= skip:
                continue
            compared = compare_footage(footage, real, self.measures, face_size=self._options.face_size, skip=skip)
            found = self._look(footage, real, sound, silence, features=row == COPY or self._real_features)
            self._record(item, item.face, row, item.real, footage, compared, found, scores)

    def _measure_variant(self, item, variant, real, scores):
        made = open_generated(variant.path, real, self._detector, limit=self._options.frames,
                              keep_bytes=self._options.keep_bytes)
        compared = None
        if variant.row.protocol == "paired":
            compared = compare_footage(made, real, self.measures, face_size=self._options.face_size)
        found = self._look(made, real, *_sound_of(variant.path, "generated video"))
        record = self._record(item, variant.name, variant.row, variant.path, made, compared, found, scores)
        tags = VideoTags.read(variant.path)
        record |= {"precision": tags.precision, "taught": list(tags.taught_with), "weights": tags.weights}
        key, measure = ("ssim_mouth", "SSIM mouth") if self._networks.judge is None else ("sync_confidence", "sync confidence")
        value = record["values"].get(key)
        if value is not None:
            scores.pictures.append({"name": variant.name, "row": variant.row, "value": value, "measure": measure,
                                    "jpeg": draw_face_rows([self._some_faces(made), self._some_faces(real)])})

    def _record(self, item, name, row, path, footage, compared, found, scores):
        values, notes, features = found.values, found.notes, found.features
        if compared is None:
            seen = int(footage.detected.sum())
            frames = {"compared": seen, "generated": len(footage), "real": None,
                      "left_out": {"no_face_generated": len(footage) - seen}}
            notes = [*notes, *reading_notes(footage)]
        else:
            values, frames, notes = {**values, **compared.values}, compared.frames, [*compared.notes, *notes]
        scores.records.append({
            "name": name, "face": item.face, "row": row, "path": str(path), "real": str(item.real), "values": values,
            "curve": None if found.curve is None else np.asarray(found.curve).tolist(), "frames": frames,
            "fps": str(footage.info.fps), "precision": None, "notes": notes,
        })  # fmt: skip
        if features is not None:
            scores.features[row] = np.concatenate([scores.features[row], features]) if row in scores.features else features
        return scores.records[-1]

    def _look(self, footage, real, sound, silence, *, features=True):
        """Findings of one video by itself, of all measures together."""
        view = View(footage, real, sound, silence, self._options, self._networks, wants_features=features)
        whole = Findings()
        for measure in (one for one in self.measures if isinstance(one, VideoMeasure)):
            found = measure.look(view)
            whole.values |= found.values
            whole.notes += found.notes
            whole.curve = found.curve if whole.curve is None else whole.curve
            whole.features = found.features if whole.features is None else whole.features
        return whole

    def _some_faces(self, footage):
        """The face crops of a few frames, evenly spread over those that have one."""
        crops = footage.crops(self._options.face_spec)
        chosen = set(evenly_spaced(at for at, crop in enumerate(crops) if crop is not None))
        return [crops[at].extract(frame) for at, frame in enumerate(footage.frames()) if at in chosen]


def _failure(item, name, row, path, reason):
    return {"name": name, "face": item.face, "row": row, "path": str(path), "reason": reason}


def _sound_of(path, what):
    """(((channels, n) float32, rate) or None, why there is none)."""
    from media import decode_audio

    try:
        return decode_audio(path, what), None
    except InputError as error:
        return None, str(error)

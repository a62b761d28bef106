"""Prepared clips driven by any sound, crop to crop, and read with the landmark detector, for benchmarks.held_out.

The detector sees what a viewer would see: the generated half is laid over the real crop with the weights of the paste-back.
Real and generated crops are enlarged and read in the same way, so the detector's own error is on both sides.
"""

from dataclasses import dataclass, field
from itertools import chain

import cv2
import numpy as np

from common.errors import InputError
from datasets.windows import REFERENCE_GAP
from faces.crops import inverse
from faces.landmarks import apply_affine
from faces.laying import blend
from faces.mouth import mouth_opening
from faces.optimise import FaceOptimiser
from faces.outline import lower_face_mask
from faces.texture import texture_modules
from faces.tracking.track import track_face
from faces.tracking.tracked import FaceTrack
from pipeline.references.choice import choose_reference
from speech.windows import mel_windows

# The detector sees 96 px crops at 288 px with their outermost pixels repeated around, and the first one three times more, for
# its tracking takes a few frames to settle.
ENLARGE, BORDER, SETTLE = 3, 72, 3
BATCH = 25
INSET = 1.5  # crop pixels, as of a paste into a frame that is larger than the crops


@dataclass(frozen=True)
class Footage:
    """Crops of one clip, real or generated, and what the detector read in them.

    Attributes:
        crops: (N, S, S, 3) uint8 RGB.
        landmarks: (N, 68, 2) float64 crop pixels; NaN where the detector found no face.
        opening: (N,) float64 mouth opening, NaN likewise.
    """

    crops: np.ndarray = field(repr=False)
    landmarks: np.ndarray = field(repr=False)
    opening: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Clip:
    """One prepared clip.

    Attributes:
        id, speaker, fps: of its row.
        mel: (80, m) float32.
        real: Footage.
        reference: number of the frame that the generator is shown.
        away: (N,) bool, frames at least REFERENCE_GAP frames away from the reference: what is measured of driven clips.
        phonemes: (N,) int64 classes that are spoken, or None where the corpus has none.
    """

    id: str
    speaker: str
    fps: float
    mel: np.ndarray = field(repr=False)
    real: Footage = field(repr=False)
    reference: int
    away: np.ndarray = field(repr=False)
    phonemes: np.ndarray | None = field(repr=False, default=None)

    def __len__(self):
        return len(self.real.crops)

    def optimiser(self):
        """FaceOptimiser for the reference, which knows nothing of the mouth in other frames."""
        crop, points = self.real.crops[self.reference], self.real.landmarks[self.reference]
        return FaceOptimiser(crop, texture_modules(crop), points if np.isfinite(points).all() else None)


class Stage:
    """Generator and detector, ready to drive clips.

    Args:
        driver: pipeline.drivers.mouth.MouthDriver.
        detector: faces.detectors.Detector.
        corpus: datasets.prepared.PreparedCorpus.
        optimise: optimise the drawn faces, as `inference.py --optimise_face` does.

    Raises:
        InputError: the corpus was prepared with other crops than the generator was trained on.
    """

    def __init__(self, driver, detector, corpus, *, optimise=False):
        self._generator, self._detector, self._corpus, self._optimise = driver.generator, detector, corpus, optimise
        self._name, spec = driver.name, driver.crop
        made = (corpus.settings["crop"], corpus.settings["size"])
        if made != (spec.kind, spec.size):
            raise InputError(
                f"{corpus.folder}: holds {made[0]} crops of {made[1]} pixels, but {driver.name} draws {spec.kind} crops of "
                f"{spec.size}; prepare the corpus with --crop {spec.kind} --size {spec.size}"
            )
        self._feather = driver.feather

    def read(self, crops):
        """Footage of (N, S, S, 3) uint8 crops."""
        return read_crops(crops, self._detector)

    def open(self, row):
        """Clip of a manifest row."""
        stored = self._corpus.open(row)
        crops = np.array(stored["face"])
        to_frame = np.stack([inverse(matrix) for matrix in stored["matrix"]])
        in_frame = apply_affine(to_frame, stored["landmarks"].astype(np.float64))
        everywhere = np.ones(len(crops), bool)
        reference = choose_reference(FaceTrack(in_frame, everywhere, np.array(stored["interpolated"]), 0, 0))
        away = np.abs(np.arange(len(crops)) - reference) >= REFERENCE_GAP
        runs = self._corpus.phoneme_runs(row)
        phonemes = None if runs is None else runs.frame_labels()
        return Clip(row.id, row.speaker, row.fps, np.array(stored["mel"]), self.read(crops), reference, away, phonemes)

    def drive(self, clip, mel, phonemes=None):
        """Footage of `clip` with the mouth that is heard in `mel` (80, m), on the frames that the sound covers.

        A generator with an audio gate must be told the `phonemes` (N,) of that sound.

        Raises:
            InputError: such a generator, and no phonemes.
        """
        return self.read(self.draw(clip, mel, phonemes))

    def draw(self, clip, mel, phonemes=None):
        """(N, S, S, 3) uint8: the crops of `drive`."""
        generator = self._generator
        if generator.wants_phonemes and phonemes is None:
            raise InputError(f"{self._name}: has an audio gate and must be told the phonemes of {clip.id}; align them")
        count = min(len(clip), int(mel.shape[1] / 80 * clip.fps + 0.5))
        mels = mel_windows(mel, range(count), clip.fps, mode=generator.data["audio_window"])
        faces = clip.real.crops[:count]
        shown = faces if generator.data["reference"] == "same" else clip.real.crops[clip.reference][None]
        made = np.empty_like(faces)
        for start in range(0, count, BATCH):
            part = slice(start, min(start + BATCH, count))
            spoken = phonemes[part] if generator.wants_phonemes else None
            made[part] = generator(mels[part], faces[part], shown[part] if len(shown) > 1 else shown, phonemes=spoken)
        if self._optimise:
            optimise = clip.optimiser()
            made = np.stack([optimise(face) for face in made])
        return self.paste(clip, made)

    def paste(self, clip, made):
        """(N, S, S, 3) uint8: generated faces laid over the first N real crops of a clip, as the paste-back does it."""
        laid = []
        for face, real, points in zip(made, clip.real.crops, clip.real.landmarks, strict=False):
            known = np.isfinite(points).all()
            weights = self._feather * lower_face_mask(points, len(face), inset=INSET) if known else self._feather
            laid.append(blend(real, face, weights))
        return np.stack(laid)


def read_crops(crops, detector):
    """Footage of (N, S, S, 3) uint8 crops."""
    track = track_face((enlarge(crop) for crop in chain([crops[0]] * SETTLE, crops)), detector)
    found = (track.present & ~track.interpolated)[SETTLE:, None, None]
    points = np.where(found, track.landmarks[SETTLE:].astype(np.float64), np.nan)
    points = (points - BORDER - (ENLARGE - 1) / 2) / ENLARGE
    return Footage(crops, points, mouth_opening(points))


def enlarge(crop):
    """(S, S, 3) -> what the detector sees of it."""
    large = cv2.resize(crop, None, fx=ENLARGE, fy=ENLARGE, interpolation=cv2.INTER_CUBIC)
    return cv2.copyMakeBorder(large, *[BORDER] * 4, cv2.BORDER_REPLICATE)


def count_lost(footages):
    """Frames, and frames without a face, over many Footages: {"frames", "no_face"}."""
    lost = sum(int(np.isnan(one.opening).sum()) for one in footages)
    return {"frames": sum(len(one.opening) for one in footages), "no_face": lost}

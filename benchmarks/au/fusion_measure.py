"""The figures of benchmarks.au.fusion: one clip, drawn from its first frame by its own sound, by other sound and by none."""

import time
from dataclasses import dataclass, field

import numpy as np
import torch

from benchmarks.au.clips import cepstra_of, labels_of
from benchmarks.au.drawers import Scene
from benchmarks.crops import as_faces, crops_of, likeness
from benchmarks.held_out.drive import read_crops
from benchmarks.held_out.kept import once
from benchmarks.held_out.measure import best_lag
from benchmarks.held_out.rest import QUIET_FRAMES, at_rest, moving, quiet_cepstra
from benchmarks.held_out.whose import embedding_of
from faces.action_units import action_units
from metrics.formulas.correlation import pearson
from metrics.formulas.units import count_units


@dataclass(frozen=True)
class Made:
    """What one drawer made of one clip.

    Attributes:
        figures: see `measure`.
        counts: {(judge, "own" or "swapped"): (4, 5) counts of metrics.formulas.units}, against the clip's labels.
        crops, swapped: (N, S, S, 3) uint8, drawn by its own sound and by the other one, None where there is none.
    """

    figures: dict
    counts: dict
    crops: np.ndarray = field(repr=False)
    swapped: np.ndarray | None = field(repr=False)


class Stage:
    """Reads crops; what is read of real sentences is kept, of the last ones (benchmarks.held_out.kept).

    Args:
        corpus: datasets.prepared.PreparedCorpus; detector: faces.detectors.Detector.
        embedder: metrics.networks.face_embedding.FaceEmbedder; None with `own`.
        classifier: models.au.ActionUnits with a unit_classifier, or None.
        own: draw with the own sound alone, and ask nothing of whose face it is.
    """

    def __init__(self, corpus, detector, embedder, classifier=None, *, own=False):
        self.corpus, self.embedder, self.own, self._detector, self._classifier = corpus, embedder, own, detector, classifier
        self._real, self._shown = {}, {}

    def real(self, row):
        """benchmarks.held_out.drive.Footage of the real crops of a sentence."""
        return once(self._real, row.id, lambda: self.read(crops_of(self.corpus, row)))

    def shown(self, row):
        """Embedding of the first face of a sentence, see benchmarks.held_out.whose."""
        first = crops_of(self.corpus, row)[:1]
        return once(self._shown, row.id, lambda: embedding_of(self.read(first), self.embedder))

    def read(self, crops):
        """Footage of (N, S, S, 3) uint8 crops."""
        return read_crops(crops, self._detector)

    def scene(self, row, cepstra, count):
        """Scene of the first `count` frames of a sentence, its first frame and other sound."""
        crops = crops_of(self.corpus, row)
        return Scene(crops[0], crops[:count], cepstra, row.fps)

    @torch.inference_mode()
    def seen_units(self, crops):
        """(N, 5) bool by the classifier, of (N, S, S, 3) uint8 crops; None without a classifier."""
        if self._classifier is None:
            return None
        return torch.cat([self._classifier.read_units(part) for part in as_faces(crops).split(75)]).numpy() > 0


def measure(stage, drawer, row, other, stranger):
    """Made of one drawer and one sentence.

    Figures: `psnr`, `ssim`: of the crop, `mouth_*`: of its lower middle, against the real frames; `mouth_sharpness`: over the
    real one. `r`: correlation of the mouth's opening with the real one; `lag`: frames at which that is highest, positive where
    the drawn mouth is late; `spread`: standard deviation of the opening over the real one. `swapped_r`: correlation of what the
    other sound draws with the real clip, `swapped_heard`: with the mouth that belongs to that sound. `quiet_level`,
    `quiet_spread`: of the mouth that noise of -60 dB draws, see benchmarks.held_out.rest. `picture`, `other`: cosine of the
    face embedding with the first frame, and with another person; `nearer`: 1 where the first is greater. `seconds`: a frame.
    `frames`, `no_face`: of all that was drawn. None, or NaN, where undefined.

    Args:
        stage: Stage; drawer: of benchmarks.au.drawers; row: ClipRow; other: the ClipRow whose sound is the other one, or
            None; stranger: ClipRow of another person, or None.
    """
    own = stage.scene(row, cepstra_of(stage.corpus, row), row.frames)
    begun = time.perf_counter()
    crops = drawer.draw(own)
    seconds = (time.perf_counter() - begun) / len(crops)
    real = stage.real(row)
    made = real if crops is own.crops else stage.read(crops)
    figures = {"clip": row.id, "person": row.speaker, "seconds": seconds, **likeness(crops, own.crops)}
    figures |= {"r": pearson(made.opening, real.opening), "lag": best_lag(made.opening, real.opening),
                "spread": moving(made.opening) / max(moving(real.opening), 1e-9)}  # fmt: skip
    drawn, swapped = [made], None
    counts = _counts(stage, "own", row, made)
    if drawer.hears and not stage.own:
        quiet = stage.read(drawer.draw(stage.scene(row, quiet_cepstra(), min(row.frames, QUIET_FRAMES))))
        rest = at_rest(quiet.opening, made.opening, real.opening, np.zeros(row.frames, bool))
        figures |= {name: rest[name] for name in ("quiet_level", "quiet_spread")}
        drawn.append(quiet)
    if drawer.hears and not stage.own and other is not None:
        count = min(row.frames, other.frames)
        swapped = stage.read(drawer.draw(stage.scene(row, cepstra_of(stage.corpus, other), count)))
        figures["swapped_clip"] = other.id
        figures["swapped_r"] = pearson(swapped.opening, real.opening[:count])
        figures["swapped_heard"] = pearson(swapped.opening, stage.real(other).opening[:count])
        counts |= _counts(stage, "swapped", row, swapped)
        drawn.append(swapped)
    figures |= {} if stage.own else _whose(stage, made, row, stranger)
    figures["frames"] = sum(len(one.opening) for one in drawn)
    figures["no_face"] = sum(int(np.isnan(one.opening).sum()) for one in drawn)
    return Made(figures, counts, crops, None if swapped is None else swapped.crops)


def _counts(stage, way, row, made):
    """{(judge, way): counts} of a Footage against the labels of a sentence; frames that a judge does not read do not count."""
    labels, count = labels_of(stage.corpus, row), len(made.crops)
    true, known, found = labels.present[:count], labels.known[:count], {}
    seen = stage.seen_units(made.crops)
    if seen is not None:
        found["classifier", way] = count_units(true, seen, known)
    if np.isfinite(made.landmarks).all((1, 2)).any():
        present, _, read = action_units(made.landmarks, row.fps, neutral=labels.neutral)
        found["geometry", way] = count_units(true, present, known & read)
    return found


def _whose(stage, made, row, stranger):
    """`picture`, `other` and `nearer` of a Footage."""
    own = embedding_of(made, stage.embedder)
    shown = stage.shown(row)
    against = None if stranger is None else embedding_of(stage.real(stranger), stage.embedder)
    found = {name: None if own is None or vector is None else float(own @ vector)
             for name, vector in (("picture", shown), ("other", against))}  # fmt: skip
    both = found["picture"] is not None and found["other"] is not None
    return found | {"nearer": float(found["picture"] > found["other"]) if both else None}

"""The figures of benchmarks.motion.drive: one clip, drawn from its first frame, by sound and by the pose of another person."""

import time
from dataclasses import dataclass, field

import numpy as np

from benchmarks.crops import crops_of, likeness
from benchmarks.held_out.drive import Footage, read_crops
from benchmarks.held_out.kept import once
from benchmarks.held_out.measure import best_lag
from benchmarks.held_out.rest import moving
from benchmarks.held_out.whose import embedding_of, embeddings_of
from benchmarks.motion.drawers import Scene
from common.errors import InputError
from datasets.fields.speech import FULL_SCALE
from faces.landmarks import interocular
from faces.mouth import mouth_opening
from metrics.formulas.correlation import pearson
from metrics.formulas.head_pose import angle_difference, head_angles
from metrics.formulas.landmarks import mouth_distances, second_differences
from metrics.measures.jitter import PARTS
from metrics.sync.score import score_runs
from speech.waveform import SAMPLE_RATE

ANGLES = ("yaw", "pitch", "roll")
SLOW = 5  # frames: heads turn slowly, and the detector's noise, about a degree in a frame of small crops, is not slow
LEAST_MOVEMENT = 2.0  # degrees, standard deviation of a real angle; of a head that moves less the detector's noise correlates


@dataclass(frozen=True)
class Plan:
    """What is drawn of one clip.

    Attributes:
        row: ClipRow; giver: benchmarks.motion.givers.Giver of its pose; other: ClipRow whose sound is the other one, or None.
    """

    row: object
    giver: object
    other: object


@dataclass(frozen=True)
class Made:
    """What one drawer made of one clip.

    Attributes:
        figures: see `measure`.
        crops, swapped: (N, S, S, 3) uint8, drawn by its own sound and by the other one, None where there is none.
    """

    figures: dict
    crops: np.ndarray | None = field(repr=False)
    swapped: np.ndarray | None = field(repr=False)


class Stage:
    """Reads crops; what is read of real clips is kept, of the last ones (benchmarks.held_out.kept).

    Args:
        corpus: datasets.prepared.PreparedCorpus; detector: faces.detectors.Detector.
        embedder: metrics.networks.face_embedding.FaceEmbedder, or None with `own`.
        judge: metrics.sync.landmarks.LandmarkJudge, or None.
        own: draw with the own sound alone, and ask nothing of whose face it is.
    """

    def __init__(self, corpus, detector, embedder, judge=None, *, own=False):
        self.corpus, self.embedder, self.judge, self.own, self._detector = corpus, embedder, judge, own, detector
        self._real, self._given = {}, {}

    def real(self, row):
        """benchmarks.held_out.drive.Footage of the real crops of a clip."""
        return once(self._real, row.id, lambda: self.read(crops_of(self.corpus, row)))

    def given(self, plan):
        """Footage of the frames that give the pose."""
        key = plan.row.id, plan.giver.row.id
        return once(self._given, key, lambda: self.read(crops_of(self.corpus, plan.giver.row)[plan.giver.frames]))

    def read(self, crops):
        """Footage of (N, S, S, 3) uint8 crops; a picture that is held is read once."""
        if len(crops) > 1 and (crops == crops[:1]).all():
            one = read_crops(crops[:1], self._detector)
            points = np.repeat(one.landmarks, len(crops), 0)
            return Footage(crops, points, np.repeat(one.opening, len(crops)))
        return read_crops(crops, self._detector)

    def scene(self, plan, heard, count):
        """benchmarks.motion.drawers.Scene of the first `count` frames of a plan, with the sound of the ClipRow `heard`."""
        crops = crops_of(self.corpus, plan.row)
        giver = crops_of(self.corpus, plan.giver.row)
        return Scene(crops[0], crops[:count], heard, giver, plan.giver.frames[:count], self.corpus)

    def sync(self, row, footage):
        """Confidence of the judge that a Footage and the sound of a clip belong together; None where it is too short."""
        samples = np.asarray(self.corpus.open(row)["waveform"], np.float32)[None] / FULL_SCALE
        seen = np.isfinite(footage.landmarks).all((1, 2))
        if not seen.any():
            return None
        try:
            return score_runs(self.judge.embed(footage.landmarks, seen, samples, SAMPLE_RATE), self.judge.rule).confidence
        except InputError:  # too few frames in a piece
            return None


def measure(stage, drawer, plan):
    """Made of one drawer and one Plan.

    Figures: of each angle A in ANGLES, a mean over SLOW frames, `A_r`: correlation with the real clip's, None where that
    stands still (LEAST_MOVEMENT); `A_error`: mean absolute difference from it, degrees; `A_given_r`: correlation with the
    frames that give the pose. `r`: correlation of the mouth's opening with the real one; `lag`: frames at which that is
    highest, positive where the drawn mouth is late; `spread`: standard deviation of the opening over the real one; `giver_r`:
    correlation of the opening with that of the person who gives the pose. `swapped_r`: correlation of what the other sound
    draws with the real clip; `swapped_heard`: with the mouth that belongs to that sound. `lmd`: distance of the mouth's
    landmarks after a similarity fit, over that of the outer eye corners (metrics.formulas.landmarks). `velocity`: mean length
    of the difference of the landmarks' steps from frame to frame, over the same distance. `jitter`, `jitter_mouth`: of
    metrics.measures.jitter, over the real clip. `sync`: confidence of the judge. `psnr`, `ssim`, `sharpness`, `mouth_*`: see
    benchmarks.crops.likeness. `picture`, `giver`: cosine of the face embedding with the first frame and with the giver;
    `nearer`: 1 where the first is greater; `nearer_frames`: share of the frames asked. `seconds`: a frame. `frames`,
    `no_face`: of all that was drawn. None, or NaN, where undefined.

    Args:
        stage: Stage; drawer: of benchmarks.motion.drawers; plan: Plan.
    """
    row, scene = plan.row, stage.scene(plan, plan.row, plan.row.frames)
    begun = time.perf_counter()
    crops = drawer.draw(scene)
    seconds = (time.perf_counter() - begun) / len(crops)
    real, given = stage.real(row), stage.given(plan)
    known = [one for one in (real, given) if np.array_equal(one.crops, crops)]  # of controls
    made = known[0] if known else stage.read(crops)
    figures = {"clip": row.id, "person": row.speaker, "giver_clip": plan.giver.row.id, "seconds": seconds}
    figures |= likeness(crops, scene.crops) | _pose(made, real, given) | _mouth(made, real, given) | _movement(made, real)
    figures["sync"] = None if stage.judge is None else stage.sync(row, made)
    drawn, swapped = [made], None
    if drawer.hears and not stage.own and plan.other is not None:
        count = min(row.frames, plan.other.frames)
        swapped = stage.read(drawer.draw(stage.scene(plan, plan.other, count)))
        figures["swapped_clip"] = plan.other.id
        figures["swapped_r"] = pearson(swapped.opening, real.opening[:count])
        figures["swapped_heard"] = pearson(swapped.opening, stage.real(plan.other).opening[:count])
        drawn.append(swapped)
    figures |= {} if stage.own else _whose(stage, made, plan)
    figures["frames"] = sum(len(one.opening) for one in drawn)
    figures["no_face"] = sum(int(np.isnan(one.opening).sum()) for one in drawn)
    return Made(figures, crops, None if swapped is None else swapped.crops)


def _pose(made, real, given):
    angles, wanted, source = (_slow(head_angles(one.landmarks)) for one in (made, real, given))
    found = {}
    for at, name in enumerate(ANGLES):
        turns = moving(wanted[:, at]) >= LEAST_MOVEMENT
        found[f"{name}_r"] = pearson(angles[:, at], wanted[:, at]) if turns else None
        found[f"{name}_given_r"] = pearson(angles[:, at], source[:, at]) if moving(source[:, at]) >= LEAST_MOVEMENT else None
        found[f"{name}_error"] = _mean(np.abs(angle_difference(angles[:, at], wanted[:, at])))
    return found


def _slow(angles):
    """Means over SLOW frames, of those that are known: (N, 3) -> (N, 3)."""
    beside = np.pad(angles, ((SLOW // 2, SLOW // 2), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(beside, SLOW, 0)
    known = np.isfinite(windows)
    with np.errstate(invalid="ignore"):
        return np.where(known, windows, 0).sum(-1) / known.sum(-1)


def _mouth(made, real, given):
    distances = mouth_distances(made.landmarks, real.landmarks, np.eye(2, 3)[None].repeat(len(made.landmarks), 0))
    return {"r": pearson(made.opening, real.opening), "lag": best_lag(made.opening, real.opening),
            "spread": moving(made.opening) / max(moving(real.opening), 1e-9),
            "giver_r": pearson(made.opening, given.opening), "lmd": _mean(distances.normalised)}  # fmt: skip


def _movement(made, real):
    steps = np.diff(made.landmarks, axis=0) - np.diff(real.landmarks, axis=0)
    found = {"velocity": _mean(np.linalg.norm(steps, axis=-1).mean(1) / interocular(real.landmarks[1:]))}
    lengths = [second_differences(one.landmarks, np.isfinite(one.landmarks).all((1, 2))) for one in (made, real)]
    for key, (_, points, _) in PARTS.items():
        own, whole = (one[:, points].mean() if len(one) else np.nan for one in lengths)
        found[key] = float(own / whole) if np.isfinite([own, whole]).all() and whole > 0 else None
    return found


def _whose(stage, made, plan):
    """`picture`, `giver`, `nearer` and `nearer_frames` of a Footage."""
    real, found = stage.real(plan.row), {"picture": None, "giver": None, "nearer": None, "nearer_frames": None}
    first = Footage(real.crops[:1], real.landmarks[:1], mouth_opening(real.landmarks[:1]))
    shown, giver = embedding_of(first, stage.embedder), embedding_of(stage.given(plan), stage.embedder)
    own, each = embedding_of(made, stage.embedder), embeddings_of(made, stage.embedder)
    if own is None or shown is None or giver is None:
        return found
    found |= {"picture": float(own @ shown), "giver": float(own @ giver)}
    return found | {"nearer": float(found["picture"] > found["giver"]),
                    "nearer_frames": float(np.mean([one @ shown > one @ giver for one in each]))}  # fmt: skip


def _mean(values):
    values = np.asarray(values)[np.isfinite(values)]
    return float(values.mean()) if len(values) else None

"""Temporal consistency: lip loss over phoneme runs, with the adaptive lip weight (docs/methods.md, section 7; inferred).

A temporal module is a run of frames that belong to one phoneme. Inside it the lips of the generated face should move as those
of the real one: delta is how alike they are, w what a module weighs, and

    L_lip = (1 / sum |M_i|) sum_i w_i sum_{t in M_i} d_t.

Read otherwise, the run itself is the unit: its mean lips and their change from its first frame to its last one,

    L_run = (1 / sum |M_i|) sum_i w_i |M_i| (|mean^_i - mean_i| + |change^_i - change_i|).

All of it works on ragged runs as flat tensors: frame t of item b belongs to run `run[b, t]` of that item.
"""

import torch

from common.errors import InputError
from common.schema import REQUIRED, Number
from common.suggest import refuse_unknown
from losses.term import Term, raised
from models.audio_gate import PhonemeWeights
from models.fuse import fuse_for_inference
from models.lips.landmarks import POINTS

SIMILARITIES = ("motion", "shape")
MODES = ("literal", "tolerant", "uniform")
UNITS = ("frame", "run")
TAU = 0.05  # of the shape similarity, in eye distances per point
EPSILON = 0.05  # of the tolerant weight
REST = 0.02  # eye distances over all points: movement below it is rest
OUTER_EYES = 1.4  # distance of the outer eye corners of the canonical face (faces.landmarks)
_SMOOTH = 1e-3  # eye distances: below it the distance of two points is quadratic, so that its gradient exists at 0


def lip_shapes(points, eye_distance):
    """l_t: mouth landmarks minus their mean, in eye distances.

    Args:
        points: (..., 20, 2) pixels.
        eye_distance: (...) pixels, of the outer eye corners.

    Returns:
        (..., 20, 2).
    """
    return (points - points.mean(-2, keepdim=True)) / eye_distance[..., None, None]


def lip_distances(fake, real):
    """d_t: mean distance of the points of two lip shapes, (..., 20, 2) each -> (...), in eye distances; 0 and smooth at 0."""
    square = (fake - real).square().sum(-1)
    return ((square + _SMOOTH**2).sqrt() - _SMOOTH).mean(-1)


def lip_similarity(fake, real, kind="motion", tau=TAU, rest=REST):
    """delta_t in [0, 1]: how alike the lips of frame t are, or move.

    motion: (1 + cos(v^_t, v_t)) / 2 with v_t = l_t - l_(t-1), the movement that leads into frame t, so that a module of one
    frame has one too. Both vectors get a constant component `rest`, so that lips at rest in both videos are alike (1) and noise
    at rest has no direction. The first frame of the window has no movement. shape: exp(-|l^_t - l_t| / (sqrt(20) tau)).

    Args:
        fake, real: (B, T, 20, 2) lip shapes.
        kind: one of SIMILARITIES.

    Returns:
        delta (B, T), known (B, T) bool.
    """
    known = torch.ones(fake.shape[:2], dtype=torch.bool, device=fake.device)
    if kind == "shape":
        apart = (fake - real).flatten(2).norm(dim=-1)
        return torch.exp(-apart / (POINTS**0.5 * tau)), known
    known[:, 0] = False
    fake, real = (shapes.diff(dim=1, prepend=shapes[:, :1]).flatten(2) for shapes in (fake, real))
    squares = [(moves * moves).sum(-1) + rest**2 for moves in (fake, real)]
    cosine = ((fake * real).sum(-1) + rest**2) / (squares[0] * squares[1]).sqrt()
    return (0.5 + 0.5 * cosine).clamp(0, 1), known


def run_numbers(run):
    """(B, T) number of each frame's run in its item -> (B * T,) number in the batch, below B * T.

    A run's number is that of an item's run plus T times the item's number; not all numbers are in use.
    """
    items, frames = run.shape
    return (run + frames * torch.arange(items, device=run.device)[:, None]).flatten()


def run_weights(delta, known, numbers, mode="tolerant", epsilon=EPSILON):
    """w_i of each run, from the similarities of its frames (docs/methods.md, eq. (30)).

    literal: the published rule, w = max if min < max else mean. Where min = max the mean is that maximum, so
    that the rule equals w = max always; it is kept as it was published, and a test holds the identity. tolerant: w = max if
    max - min > epsilon else mean. uniform: w = 1.

    Args:
        delta: (F,) float in [0, 1].
        known: (F,) bool; other frames do not count.
        numbers: (F,) int64 in [0, F), see `run_numbers`.
        mode: one of MODES.

    Returns:
        weights (F,) by run number, 1 for runs without a known frame; has (F,) bool, true for runs with one.
    """
    counted = known.to(delta.dtype)
    count = torch.zeros_like(delta).index_add_(0, numbers, counted)
    has = count > 0
    if mode == "uniform":
        return torch.ones_like(delta), has
    most = torch.full_like(delta, -1).scatter_reduce(0, numbers, torch.where(known, delta, -1), "amax")
    least = torch.full_like(delta, 2).scatter_reduce(0, numbers, torch.where(known, delta, 2), "amin")
    mean = torch.zeros_like(delta).index_add_(0, numbers, delta * counted) / count.clamp_min(1)
    limit = 0.0 if mode == "literal" else epsilon
    return torch.where(has, torch.where(most - least > limit, most, mean), 1.0), has


def run_distances(fake, real, run, valid):
    """How far each run as a whole is from what it should be: of its mean lips, and of their change from first to last frame.

    Args:
        fake, real: (B, T, 20, 2) lip shapes; run: (B, T) int64; valid: (B, T) bool, other frames do not count.

    Returns:
        (B, T), the distance of each frame's run, in eye distances.
    """
    numbers, counted = run_numbers(run), valid.flatten()
    apart = (fake - real).flatten(0, 1)
    count = torch.zeros_like(apart[:, 0, 0]).index_add_(0, numbers, counted.to(apart.dtype))
    total = torch.zeros_like(apart).index_add_(0, numbers, apart * counted[:, None, None])
    frames = torch.arange(len(numbers), device=numbers.device)
    last = torch.zeros_like(frames).scatter_reduce(0, numbers, torch.where(counted, frames, 0), "amax")
    first = torch.full_like(frames, len(frames) - 1).scatter_reduce(
        0, numbers, torch.where(counted, frames, len(frames) - 1), "amin"
    )
    zero = torch.zeros_like(total)
    of_run = lip_distances(total / count.clamp_min(1)[:, None, None], zero) + lip_distances(apart[last] - apart[first], zero)
    return of_run[numbers].view(run.shape)


class RunLoss(Term):
    """What the lip losses over phoneme runs share, whatever they find the lips by.

    The weights take no gradient. A run without a known similarity - a single frame at the start of a window - weighs W[p], the
    running weight of its phoneme.

    Args:
        table: models.audio_gate.PhonemeWeights to keep up to date in training; the network's own, where it has a gate.
        similarity: "motion" or "shape".
        mode: "literal", "tolerant" or "uniform".
        tau, epsilon: of docs/methods.md, eq. (29) and (30).
        unit: "frame": lips are compared frame by frame; "run": means and changes of whole runs.

    Raises:
        InputError: unknown similarity, mode or unit.
    """

    usual = "temporal_lip"  # name in a config
    made = ("table",)
    ranges = {"tau": Number(REQUIRED, 0, 1000, above=True), "epsilon": Number(REQUIRED, 0, 1000)}

    def __init__(self, table=None, similarity="motion", mode="tolerant", tau=TAU, epsilon=EPSILON, unit="frame"):
        super().__init__()
        refuse_unknown([similarity], SIMILARITIES, f"losses.{self.usual}.similarity")
        refuse_unknown([mode], MODES, f"losses.{self.usual}.mode")
        refuse_unknown([unit], UNITS, f"losses.{self.usual}.unit")
        if tau <= 0 or epsilon < 0:
            raise InputError(f"losses.{self.usual}: tau must be above 0 and epsilon 0 or more")
        self.table = table if table is not None else PhonemeWeights()
        self.similarity, self.mode, self.tau, self.epsilon, self.unit = similarity, mode, float(tau), float(epsilon), unit

    @classmethod
    def prepare(cls, options, setting, name):
        """Share the table of the network's gate."""
        gate = getattr(setting.model, "audio_gate", None)
        return {**options, "table": None if gate is None else gate.table}

    @property
    def memory(self):
        """What the loss has learned and a resumed run must have again."""
        return self.table

    def facts(self):
        """What a checkpoint tells its reader: W[p] of each phoneme class seen."""
        return {"lip_weight": self.table.as_dict()}

    def compare(self, fake, real, batch):
        """Loss of lips.

        Args:
            fake, real: (B, T, 20, 2) lip shapes in eye distances; only `fake` needs a gradient.
            batch: `phoneme` (B, T) int64 class, `run` (B, T) int64 number of the run in the window, and, where windows are
                padded, `valid` (B, T).

        Returns:
            scalar, in eye distances.
        """
        valid = batch["valid"].bool() if "valid" in batch else torch.ones_like(batch["run"], dtype=torch.bool)
        weights = self._weights(fake.detach(), real, batch["phoneme"], batch["run"], valid)
        distances = lip_distances(fake, real) if self.unit == "frame" else run_distances(fake, real, batch["run"], valid)
        return (distances * weights * valid).sum() / valid.sum().clamp_min(1)

    @torch.no_grad()
    def _weights(self, fake, real, phoneme, run, valid):
        """(B, T) weight of each frame's run; brings the table up to date."""
        delta, known = lip_similarity(fake, real, self.similarity, self.tau)
        numbers, known = run_numbers(run), (known & valid).flatten()
        weights, has = run_weights(delta.flatten(), known, numbers, self.mode, self.epsilon)
        phonemes = torch.zeros_like(numbers).scatter_(0, numbers, phoneme.flatten())
        if self.table.training:  # not in validation, and not where the network's gate is frozen
            self.table.update(phonemes, weights, has)
        if self.mode != "uniform":
            weights = torch.where(has, weights, self.table.values()[phonemes].to(weights.dtype))
        return weights[numbers].view_as(delta)


class TemporalLipLoss(RunLoss):
    """Lip loss over phoneme runs, each weighed by how alike real and generated lips move in it (docs/methods.md, eq. (32)).

    Args:
        landmarks: models.LipLandmarks; a frozen copy of it with its batch norms folded in is kept here. Real and generated
            faces both go through it, so that equal faces give 0.
        table, similarity, mode, tau, epsilon, unit: see `RunLoss`.
    """

    needs = ("face", "landmarks", "phoneme", "run")

    def __init__(self, landmarks, table=None, similarity="motion", mode="tolerant", tau=TAU, epsilon=EPSILON, unit="frame"):
        super().__init__(table, similarity, mode, tau, epsilon, unit)
        self.landmarks = fuse_for_inference(landmarks, winograd=False)

    @classmethod
    def prepare(cls, options, setting, name):
        """Load the landmark network, by default the released one, and share the table of the generator's gate."""
        path = options.get("landmarks") or setting.released("lip_landmarks")
        return {**super().prepare(options, setting, name), "landmarks": setting.load(path, "lip_landmarks").model}

    def forward(self, outputs, batch):
        """Loss of generated faces.

        Args:
            outputs: `face` (B, T, 3, S, S) generated.
            batch: `face` real, `landmarks` (B, T, 68, 2) of the real face, and what `compare` reads.

        Returns:
            scalar, in eye distances.
        """
        eyes = (batch["landmarks"][:, :, 45] - batch["landmarks"][:, :, 36]).norm(dim=-1)
        with self.networks(eyes.device):
            with torch.no_grad():
                real = self.landmarks.find(batch["face"])
            fake = self.landmarks.find(outputs["face"])
        return self.compare(lip_shapes(raised(fake), eyes), lip_shapes(raised(real), eyes), batch)


class TemporalMotionLoss(RunLoss):
    """The same on movements of lips that a network gives without pictures (models.LipMotion); see `RunLoss`."""

    usual = "temporal_motion"
    needs = ("lips", "phoneme", "run")
    reads = ("lips",)

    def forward(self, outputs, batch):
        """`lips` (B, T, 20, 2) movements, head-free; see `compare`."""
        fake, real = (values["lips"] / OUTER_EYES for values in (outputs, batch))
        return self.compare(fake, real, batch)

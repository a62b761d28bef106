"""Faces drawn of crossed or mixed codes show these codes again: cross representation augmentation (inferred).

CRA is known by a few words of a README alone; codes, formulas and weights here are one reading of it.
"""

from common.errors import InputError
from common.schema import REQUIRED, Flag, Number
from losses.davs.parts import model_giving
from losses.term import Term

LEAST = 1e-3  # of a spread that is divided by
_WEIGHT = Number(REQUIRED, 0, 1000)
PARTS = ("pose", "mouth")


def spread_of(codes):
    """Mean absolute deviation of codes (..., D) from their mean over all but D: scalar, at least 0.001, with its gradient."""
    flat = codes.flatten(0, -2)
    return (flat - flat.mean(0)).abs().mean().clamp_min(LEAST)


def require_weight(name, parts, weights):
    """Raise InputError where all weights are 0, so that the term would be nothing."""
    if not any(weights):
        raise InputError(f"losses.{name}: {' and '.join(parts)} are all 0; give one of them a weight, or remove this loss")


class CrossedCycle(Term):
    """|E(G(m)) - m| of pose codes and of mouth codes m that were crossed between clips or mixed in time (inferred).

    G draws faces of the codes m, E encodes the faces; m takes no gradient. `pose` times the mean absolute difference of the
    pose codes and `mouth` times that of the mouth codes are added. With `relative` each is divided by the mean absolute
    deviation of m over the batch, so that it means the same at any scale of the codes (ours).

    Args:
        pose, mouth: weights. relative: divide by the spread.

    Raises:
        InputError: both weights are 0, or the network crosses and mixes nothing.
    """

    reads = ("crossed_pose", "crossed_mouth", "wanted_pose", "wanted_mouth")
    ranges = {"pose": _WEIGHT, "mouth": _WEIGHT, "relative": Flag(REQUIRED)}

    def __init__(self, pose=1.0, mouth=1.0, relative=False):
        super().__init__()
        require_weight("crossed_cycle", PARTS, (pose, mouth))
        self.pose, self.mouth, self.relative = float(pose), float(mouth), bool(relative)

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_giving(setting, name, *cls.reads)
        return options

    def forward(self, outputs, batch):
        """`crossed_pose`, `wanted_pose` (B, K, P), `crossed_mouth`, `wanted_mouth` (B, K, D) -> scalar.

        The figures `pose` and `mouth` are their parts without the weights.
        """
        parts = {part: self._apart(outputs[f"crossed_{part}"], outputs[f"wanted_{part}"].detach()) for part in PARTS}
        figures = {part: (value.detach(), value.new_ones(())) for part, value in parts.items()}
        return self.pose * parts["pose"] + self.mouth * parts["mouth"], figures

    def _apart(self, found, wanted):
        apart = (found - wanted).abs().mean()
        return apart / spread_of(wanted) if self.relative else apart


class CrossedMoments(Term):
    """Codes of faces that were drawn of crossed or mixed codes move as those of real faces do (inferred).

    |mean(v') - mean(v)| + |deviation(v') - deviation(v)|, mean over the dimensions of the code: v' are the changes from frame
    to frame of the codes of the drawn faces, v those of the real windows, which take no gradient. Mean and deviation are over
    the frames of the whole batch (ours), as a window draws few frames. `pose` times the value of the pose codes and `mouth`
    times that of the mouth codes are added. With `relative` each is divided by the mean absolute deviation of v (ours).

    Args:
        pose, mouth: weights. relative: divide by the spread.

    Raises:
        InputError: both weights are 0, the network crosses and mixes nothing, or draws single frames.
    """

    reads = ("crossed_pose", "crossed_mouth", "pose_codes", "mouth_codes")
    ranges = {"pose": _WEIGHT, "mouth": _WEIGHT, "relative": Flag(REQUIRED)}

    def __init__(self, pose=1.0, mouth=1.0, relative=False):
        super().__init__()
        require_weight("crossed_moments", PARTS, (pose, mouth))
        self.weights, self.relative = {"pose": float(pose), "mouth": float(mouth)}, bool(relative)

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        if model_giving(setting, name, *cls.reads).drawn_frames < 2:
            raise InputError(f"losses.{name}: compares changes from frame to frame; set model.drawn_frames to 2 or more")
        return options

    def forward(self, outputs, batch):
        """`crossed_pose` (B, K, P), `crossed_mouth` (B, K, D), `pose_codes` (B, T, P), `mouth_codes` (B, T, D) -> scalar."""
        return sum(weight * self._apart(*(changes(outputs[name]) for name in (f"crossed_{part}", f"{part}_codes")))
                   for part, weight in self.weights.items() if weight)  # fmt: skip

    def _apart(self, drawn, real):
        real = real.detach()
        apart = (drawn.mean(0) - real.mean(0)).abs().mean() + (deviation(drawn) - deviation(real)).abs().mean()
        return apart / spread_of(real) if self.relative else apart


def changes(codes):
    """(B, T, D) -> (B (T - 1), D): from frame to frame."""
    return codes.diff(dim=1).flatten(0, 1)


def deviation(values):
    """(N, D) -> (D,): standard deviation about the mean, with a gradient that stays finite where it is 0."""
    return (values.var(0, correction=0) + LEAST**2).sqrt()

"""Codes under known changes of space and time: spatial-temporal alignment (inferred).

STAC is known by a few words of a README alone; formulas and weights here are one reading of it.
"""

import torch
import torch.nn.functional as F

from common.errors import InputError
from common.schema import REQUIRED, Flag, Number
from common.suggest import refuse_unknown
from losses.davs.parts import model_giving
from losses.motion.crossed import require_weight, spread_of
from losses.term import Term

FORMS = ("distance", "infonce")
CHANGES = ("both", "space", "time")
PARTS = ("mouth", "pose")
_WEIGHT = Number(REQUIRED, 0, 1000)


class ViewAlignment(Term):
    """Codes of a second view of a window, changed in space and time as is known, against what the first view lets expect.

    The mouth code does not change with space and follows time; the pose code follows both. Three parts are added: `mouth`
    times the mean absolute difference of the mouth codes, `pose` times that of the pose codes, and `velocity` times that of the
    changes from frame to frame of both. With the form "infonce" a contrast over time stands in place of the first two, see
    `moment_contrast`.

    With `relative` a difference is divided by the mean absolute deviation of the expected codes. That deviation takes a
    gradient, so that codes gain nothing by becoming small (ours).

    Args:
        form: "distance" or "infonce".
        change: of the second view: "both", or "space" or "time" alone, the controls; the option `of` of its field.
        mouth, pose, velocity: weights. relative: divide by the spread.
        reach: frames; temperature: of "infonce".

    Raises:
        InputError: an unknown form or change, mouth and pose both 0, a network without a second view, windows of one frame.
    """

    reads = ("view_mouth", "view_pose", "expected_mouth", "expected_pose")
    ranges = {
        "mouth": _WEIGHT,
        "pose": _WEIGHT,
        "velocity": _WEIGHT,
        "relative": Flag(REQUIRED),
        "reach": Number(REQUIRED, 1, 1000, whole=True),
        "temperature": Number(REQUIRED, 0.001, 100),
    }

    def __init__(self, form="distance", change="both", mouth=1.0, pose=1.0, velocity=1.0, relative=False, reach=5,
                 temperature=0.07):  # fmt: skip
        super().__init__()
        refuse_unknown([form], FORMS, "losses.view_alignment.form")
        refuse_unknown([change], CHANGES, "losses.view_alignment.change")
        require_weight("view_alignment", PARTS, (mouth, pose))
        self.form, self.change, self.relative = form, change, bool(relative)
        self.reach, self.temperature = int(reach), float(temperature)
        self.weights, self.velocity = {"mouth": float(mouth), "pose": float(pose)}, float(velocity)

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_giving(setting, name, *cls.reads)
        if setting.frames < 2:
            raise InputError(f"losses.{name}: compares the frames of a window; give data.window 2 frames or more")
        return options

    def field_options(self):
        """See losses.term.Term."""
        return {"second_view": {"of": self.change}}

    def forward(self, outputs, batch):
        """`view_mouth`, `expected_mouth` (B, T, D), `view_pose`, `expected_pose` (B, T, P) -> scalar.

        The figures `mouth`, `pose` and `velocity` are the parts without the weights.
        """
        pairs = {part: (outputs[f"view_{part}"], outputs[f"expected_{part}"]) for part in PARTS}
        spreads = {part: spread_of(wanted) if self.relative else 1.0 for part, (_, wanted) in pairs.items()}
        apart = {part: self._aligned(*pair, spreads[part]) for part, pair in pairs.items()}
        speeds = {part: (found.diff(dim=1) - wanted.diff(dim=1)).abs().mean() / spreads[part]
                  for part, (found, wanted) in pairs.items()}  # fmt: skip
        velocity = sum(speeds[part] for part in PARTS if self.weights[part])
        value = sum(self.weights[part] * apart[part] for part in PARTS) + self.velocity * velocity
        figures = {name: (one.detach(), one.new_ones(())) for name, one in {**apart, "velocity": velocity}.items()}
        return value, figures

    def _aligned(self, found, wanted, spread):
        if self.form == "infonce":
            return moment_contrast(found, wanted, self.reach, self.temperature)
        return (found - wanted).abs().mean() / spread


def moment_contrast(found, wanted, reach, temperature):
    """InfoNCE over time: the frame of `wanted` at the same moment, among those up to `reach` frames away (arXiv 1807.03748).

    Args:
        found, wanted: (B, T, D) float. reach: frames. temperature: that cosines are divided by.

    Returns:
        scalar, mean over frames.
    """
    found, wanted = (F.normalize(one, dim=-1, eps=1e-6) for one in (found, wanted))
    cosines = found @ wanted.transpose(1, 2) / temperature
    moments = torch.arange(found.shape[1], device=found.device)
    far = (moments[:, None] - moments).abs() > reach
    logits = cosines.masked_fill(far, float("-inf"))
    return F.cross_entropy(logits.flatten(0, 1), moments.repeat(len(found)))

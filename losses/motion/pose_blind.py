"""No person in the pose: an adversary reads the person from the pose codes of a window (code of arXiv 2104.11116)."""

from torch import nn

from losses.davs.labels import count_known, form_of, label_loss, right_of, uniform_loss
from losses.davs.opponent import Opponent
from losses.davs.parts import model_giving, people_of
from losses.term import Term, raised
from models.precision import outside_autocast


class PoseReader(Opponent):
    """Learns the person from all pose codes of a window: cross-entropy; unknown people do not count.

    Args:
        pose: P; frames: T of a window; people: classes. The layers are those of the published `headpose_fc`.
    """

    def __init__(self, pose, frames, people):
        super().__init__(nn.Sequential(nn.ReLU(), nn.Linear(pose * frames, people)))

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a known person."""
        return count_known(batch["speaker"])

    def forward(self, outputs, batch):
        """`pose_codes` (B, T, P) float, `speaker` (B,) int64 -> float32 scalar."""
        codes = raised(outputs["pose_codes"].detach())
        with outside_autocast(codes.device):
            return label_loss(self.asked(codes.flatten(1)), batch["speaker"])[0]


class PoseBlind(Term):
    """How far what the adversary reads in the pose codes is from knowing no person (published weight 1e6).

    The published code computes this value without a gradient, so that there the pose never learns from it; here it does (ours).
    The adversary learns with weight 1. People who are not of the training split (`speaker` -1) do not count. The figure
    `accuracy` is the share of windows whose person the adversary reads right.

    Args:
        uniform: "squares" (published) or "entropy" (ours), see `losses.davs.labels.uniform_loss`.
        reader: PoseReader.

    Raises:
        InputError: `uniform` is unknown, or the network has no people.
    """

    needs = ("speaker",)
    reads = ("pose_codes",)
    made = ("reader",)

    def __init__(self, uniform="squares", reader=None):
        super().__init__()
        self.uniform = form_of(uniform, "losses.pose_blind.uniform")
        self.reader = reader

    @classmethod
    def prepare(cls, options, setting, name):
        """The adversary, of the sizes of the network's codes; see losses.term.Term."""
        model = model_giving(setting, name, *cls.reads)
        return {**options, "reader": PoseReader(model.pose_size, setting.frames, people_of(model, name))}

    def adversaries(self):
        """See losses.term.Term."""
        return {"": self.reader}

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a known person."""
        return count_known(batch["speaker"])

    def forward(self, outputs, batch):
        """`pose_codes` (B, T, P) float, `speaker` (B,) int64 -> scalar."""
        logits, people = self.reader.fixed(outputs["pose_codes"].flatten(1)), batch["speaker"]
        return uniform_loss(logits, people, self.uniform), {"accuracy": right_of(logits, people)}

"""No person in the pose: a reader learns the person from pose codes, and the codes unlearn it (code of arXiv 2104.11116)."""

from losses.davs.labels import count_known, form_of, label_loss, right_of, uniform_loss
from losses.davs.parts import model_giving, people_of
from losses.term import Term


class _People(Term):
    """Base: of a network that tells people apart by pose codes; people who are not of the training split do not count."""

    needs = ("speaker",)

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        if hasattr(setting.model, "people"):
            people_of(setting.model, name)
        model_giving(setting, name, *cls.reads)
        return options

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a known person."""
        return count_known(batch["speaker"])


class PoseReading(_People):
    """Cross-entropy of the reader of people in pose codes, which take no gradient of it (published weight 1).

    It teaches the reader that `pose_blind` asks. The figure `accuracy` is the share of windows whose person is right.
    """

    reads = ("pose_reader",)

    def forward(self, outputs, batch):
        """`pose_reader` (B, people) logits, `speaker` (B,) int64 -> scalar."""
        value, accuracy = label_loss(outputs["pose_reader"], batch["speaker"])
        return value, {"accuracy": accuracy}


class PoseBlind(_People):
    """How far what the reader finds in the pose codes is from knowing no person (published weight 1e6).

    The reader takes no gradient of it. The published code computes this value without any gradient, so that there the pose
    never learns from it; here it does (ours). The figure `accuracy` is the share of windows whose person the reader finds.

    Args:
        uniform: "squares" (published) or "entropy" (ours), see `losses.davs.labels.uniform_loss`.

    Raises:
        InputError: `uniform` is unknown, or the network has no people.
    """

    reads = ("pose_people",)

    def __init__(self, uniform="squares"):
        super().__init__()
        self.uniform = form_of(uniform, "losses.pose_blind.uniform")

    def forward(self, outputs, batch):
        """`pose_people` (B, people) logits, `speaker` (B,) int64 -> scalar."""
        logits, people = outputs["pose_people"], batch["speaker"]
        return uniform_loss(logits, people, self.uniform), {"accuracy": right_of(logits, people)}

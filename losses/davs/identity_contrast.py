"""Identity codes of one clip are near each other: what keeps the person in a code where nobody says who it is (ours)."""

import torch
import torch.nn.functional as F

from common.schema import REQUIRED, Number
from losses.davs.parts import model_with_several
from losses.term import Term


class IdentityContrast(Term):
    """The first half of a window's identity codes chooses the second half of its own clip among those of the batch, and back.

    Each half is the mean of its codes, brought to unit length; cross-entropy over cosines (arXiv 1807.03748 eq. 4). It needs no
    names of people, so it serves corpora such as LRW, where each clip is a person of its own. The published code begins from a
    face recogniser in its place; see also `person_classification`. Two clips of one person in a batch count as two people. The
    figure `right` is the share of first halves that choose their own clip.

    Args:
        temperature: of the cosines.

    Raises:
        InputError: a network with a single identity frame.
    """

    reads = ("identity_codes",)
    ranges = {"temperature": Number(REQUIRED, 0.001, 100)}

    def __init__(self, temperature=0.1):
        super().__init__()
        self.temperature = float(temperature)

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_with_several(setting, name, "identity_frames", *cls.reads)
        return options

    def forward(self, outputs, batch):
        """`identity_codes` (B, M, D), M >= 2 -> scalar; chance is ln B."""
        codes = outputs["identity_codes"]
        middle = codes.shape[1] // 2
        first, second = (F.normalize(half.mean(1), dim=1, eps=1e-6) for half in (codes[:, :middle], codes[:, middle:]))
        logits = first @ second.T / self.temperature
        own = torch.arange(len(logits), device=logits.device)
        right = (logits.detach().argmax(1) == own).sum()
        value = 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own))
        return value, {"right": (right, right.new_full((), len(own)))}

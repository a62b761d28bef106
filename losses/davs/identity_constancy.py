"""Identity codes do not change while a person speaks: what changes from frame to frame is no identity (ours)."""

from losses.davs.parts import model_with_several
from losses.term import Term

_LEAST = 1e-4  # of a variance


class IdentityConstancy(Term):
    """Variance of the identity codes inside windows over that of their means between windows; 0 where codes are constant.

    The variance between windows takes no gradient: codes come to rest inside a window, and are not driven apart. It needs no
    word and no adversary, and stands beside `identity_words`, which is the published way.

    Raises:
        InputError: a network with a single identity frame.
    """

    reads = ("identity_codes",)

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_with_several(setting, name, "identity_frames", *cls.reads)
        return options

    def forward(self, outputs, batch):
        """`identity_codes` (B, M, D), M >= 2 -> scalar, 0 or more."""
        codes = outputs["identity_codes"]
        means = codes.mean(1, keepdim=True)
        inside = (codes - means).square().mean()
        between = (means - means.mean(0, keepdim=True)).square().mean().detach()
        return inside / between.clamp_min(_LEAST)

"""The upper half of a drawn face stays that of the identity picture (arXiv 2110.09951)."""

from losses.masking import frame_mean
from losses.regions import REGIONS, cut
from losses.term import Term


class IdentityUpper(Term):
    """Mean absolute difference of the upper halves of the drawn faces and of the identity picture; published weight 1.5."""

    needs = ("identity_face",)

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) drawn, `identity_face` (B, 3, S, S) -> scalar."""
        drawn, own = (cut(one, REGIONS["upper"]) for one in (outputs["face"], batch["identity_face"][:, None]))
        return frame_mean((drawn - own).abs().mean((2, 3, 4)), batch)

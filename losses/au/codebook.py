"""The codes of an autoencoder lie where its latents do, and the latents near their codes (arXiv 1711.00937)."""

from common.schema import REQUIRED, Number
from losses.masking import frame_mean
from losses.term import Term


class Codebook(Term):
    """Mean square of latents less their codes: once for the codes, `commitment` times for the latents.

    The figure `used` is the share of the codes that a batch has chosen.

    Args:
        commitment: beta of arXiv 1711.00937; 0.25 is published.
    """

    reads = ("latents", "latent_codes", "code_shares")
    ranges = {"commitment": Number(REQUIRED, 0, 100)}

    def __init__(self, commitment=0.25):
        super().__init__()
        self.commitment = float(commitment)

    def forward(self, outputs, batch):
        """`latents`, `latent_codes` (B, T, 3, h, w), `code_shares` (K,) -> scalar, figures."""
        latents, codes, shares = (outputs[name] for name in self.reads)
        apart = (codes - latents.detach()).square() + self.commitment * (latents - codes.detach()).square()
        used = (shares.detach() > 0).sum(), shares.new_full((), float(len(shares)))
        return frame_mean(apart.mean((2, 3, 4)), batch), {"used": used}

"""What a diffusion network says of noised latents against what was done to them (arXiv 2006.11239, eq. 14)."""

from losses.masking import frame_mean
from losses.term import Term


class NoiseError(Term):
    """Mean square of the difference over the noised frames of a window; padded frames do not count."""

    reads = ("noise_predicted", "noise", "noised_frames")

    def forward(self, outputs, batch):
        """`noise_predicted`, `noise` (B, F, 3, h, w); `noised_frames` (B, F) int64, numbers of the frames -> scalar."""
        predicted, wanted, frames = (outputs[name] for name in self.reads)
        if "valid" in batch:
            batch = {"valid": batch["valid"].gather(1, frames)}
        return frame_mean((predicted - wanted).square().mean((2, 3, 4)), batch)

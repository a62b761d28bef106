"""The mouth that DAVS draws moves as the real one does (ours)."""

from losses.davs.drawn import DRIVES
from losses.davs.parts import model_with_several
from losses.regions import REGIONS, cut
from losses.term import Term

_LEAST = 1e-5  # mean square of the real movement, in colours of 0 to 1


class DrawnMotion(Term):
    """Share of the mouth's movement that the drawn faces do not follow: 1 for a mouth that is held still, 0 at best.

    Movement is what differs from the mean of the K frames, in the pixels of davs_mouth. The squares of the difference of drawn
    and real movement are divided by those of the real one. `drawn_l1` has little to say about movement while faces are blurred:
    the sign of its error in a pixel is that of the blur, in open and in closed mouths alike. The mean of sound and video.

    Raises:
        InputError: a network that draws one frame of a window.
    """

    needs = ("face",)
    reads = (*DRIVES["both"], "drawn")

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_with_several(setting, name, "drawn_frames", *DRIVES["both"])
        return options

    def forward(self, outputs, batch):
        """`audio_face`, `video_face` (B, K, 3, S, S), `drawn` (K,) their places in `face` (B, T, 3, S, S) -> scalar."""
        real = _movement(batch["face"].index_select(1, outputs["drawn"]))
        apart = sum((_movement(outputs[name]) - real).square().mean() for name in DRIVES["both"])
        return apart / len(DRIVES["both"]) / real.square().mean().clamp_min(_LEAST)


def _movement(faces):
    """(B, K, 3, h, w): what differs from the mean over the frames, in the mouth."""
    mouth = cut(faces, REGIONS["davs_mouth"])
    return mouth - mouth.mean(1, keepdim=True)

"""The mouth that DAVS draws moves as the real one does (ours)."""

from losses.davs.drawn import DRIVES
from losses.davs.parts import model_with_several
from losses.movement import unfollowed
from losses.regions import REGIONS
from losses.term import Term


class DrawnMotion(Term):
    """Share of the mouth's movement that the K drawn faces do not follow, in the pixels of davs_mouth: `losses.movement`.

    `drawn_l1` has little to say about movement while faces are blurred: the sign of its error in a pixel is that of the blur,
    in open and in closed mouths alike. The mean of sound and video.

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
        real = batch["face"].index_select(1, outputs["drawn"])
        apart = (unfollowed(outputs[name], real, REGIONS["davs_mouth"], {}) for name in DRIVES["both"])
        return sum(apart) / len(DRIVES["both"])

"""The mouth that is drawn of some frames of a window moves as the real one does (ours)."""

from losses.davs.drawn import DRIVES
from losses.davs.parts import model_with_several
from losses.movement import unfollowed
from losses.regions import region_of
from losses.term import Term


class DrawnMotion(Term):
    """Share of the mouth's movement that the K drawn faces do not follow: `losses.movement`.

    `drawn_l1` has little to say about movement while faces are blurred: the sign of its error in a pixel is that of the blur,
    in open and in closed mouths alike. The mean of sound and video.

    Args:
        region: part of the face that is looked at, one of `losses.regions.REGIONS`.

    Raises:
        InputError: an unknown region, or a network that draws one frame of a window.
    """

    needs = ("face",)
    reads = (*DRIVES["both"], "drawn")

    def __init__(self, region="davs_mouth"):
        super().__init__()
        self.region = region_of(region, "losses.drawn_motion.region")

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_with_several(setting, name, "drawn_frames", *DRIVES["both"])
        return options

    def forward(self, outputs, batch):
        """`audio_face`, `video_face` (B, K, 3, S, S), `drawn` (K,) their places in `face` (B, T, 3, S, S) -> scalar."""
        real = batch["face"].index_select(1, outputs["drawn"])
        apart = (unfollowed(outputs[name], real, self.region, {}) for name in DRIVES["both"])
        return sum(apart) / len(DRIVES["both"])

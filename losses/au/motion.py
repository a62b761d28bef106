"""The mouth that is drawn moves as the real one does (ours)."""

from common.errors import InputError
from losses.movement import unfollowed
from losses.regions import region_of
from losses.term import Term


class FaceMotion(Term):
    """Share of the movement that drawn faces do not follow over a window, see `losses.movement.unfollowed`.

    As `drawn_motion` of DAVS, for networks that draw whole windows. Padded frames do not count.

    Args:
        region: part of the face that is looked at, one of `losses.regions.REGIONS`.

    Raises:
        InputError: an unknown region, or windows of one frame.
    """

    needs = ("face",)

    def __init__(self, region="lower"):
        super().__init__()
        self.region = region_of(region, "losses.face_motion.region")

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        if setting.frames < 2:
            raise InputError(f"losses.{name}: compares the frames of a window; give data.window 2 frames or more")
        return options

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) drawn and real -> scalar."""
        return unfollowed(outputs["face"], batch["face"], self.region, batch)

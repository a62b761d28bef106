"""The mouth that is drawn moves as the real one does (ours)."""

from common.errors import InputError
from losses.masking import frame_mean
from losses.regions import cut, region_of
from losses.term import Term

_LEAST = 1e-5  # mean square of the real movement, in colours of 0 to 1


class FaceMotion(Term):
    """Share of the movement that drawn faces do not follow: 1 for a face that is held still, 0 at best.

    Movement is what differs from the mean of the frames of a window. The squares of the difference of drawn and real movement
    are divided by those of the real one. As `drawn_motion` of DAVS, for networks that draw whole windows. Padded frames do not
    count.

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
        drawn, real = (self._movement(one["face"], batch) for one in (outputs, batch))
        apart, whole = (frame_mean(one.square().mean((2, 3, 4)), batch) for one in (drawn - real, real))
        return apart / whole.clamp_min(_LEAST)

    def _movement(self, faces, batch):
        """(B, T, 3, h, w): what differs from the mean over the frames that count."""
        part = cut(faces, self.region)
        if "valid" not in batch:
            return part - part.mean(1, keepdim=True)
        valid = batch["valid"][:, :, None, None, None]
        return part - (part * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp_min(1)

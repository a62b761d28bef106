"""How much of the movement of real faces drawn faces do not follow (ours)."""

from losses.masking import frame_mean
from losses.regions import cut

_LEAST = 1e-5  # mean square of the real movement, in colours of 0 to 1


def unfollowed(drawn, real, region, batch):
    """Share of the movement that drawn faces do not follow: 1 for a face that is held still, 0 at best.

    Movement is what differs from the mean of the frames that count. The squares of the difference of drawn and real movement
    are divided by those of the real one.

    Args:
        drawn, real: (B, T, 3, S, S) float in [0, 1].
        region: one of the values of `losses.regions.REGIONS`.
        batch: dict; its field `valid` (B, T), where there is one, is 0 in padded frames.

    Returns:
        scalar.
    """
    drawn, real = (_movement(cut(faces, region), batch) for faces in (drawn, real))
    apart, whole = (frame_mean(one.square().mean((2, 3, 4)), batch) for one in (drawn - real, real))
    return apart / whole.clamp_min(_LEAST)


def _movement(faces, batch):
    """(B, T, 3, h, w): what differs from the mean over the frames that count."""
    if "valid" not in batch:
        return faces - faces.mean(1, keepdim=True)
    valid = batch["valid"][:, :, None, None, None]
    return faces - (faces * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp_min(1)

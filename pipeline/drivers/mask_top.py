"""How much of a crop a network that draws the mouth sees."""

from common.errors import InputError

LEAST, MOST = 0.1, 0.5


def checked_mask_top(data, path):
    """Share of the crop's height from which on the network sees nothing, 0.1 to 0.5.

    Args:
        data: dict, the `data` section of a checkpoint; without `mask_top` it is 0.5.
        path: of the checkpoint, for the message.

    Raises:
        InputError: another value.
    """
    top = data.get("mask_top", MOST)
    if isinstance(top, bool) or not isinstance(top, int | float) or not LEAST <= top <= MOST:
        raise InputError(f"{path}: its config says data.mask_top = {top!r}; a share from {LEAST} to {MOST} is needed")
    return top

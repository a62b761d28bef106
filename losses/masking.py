"""Means over the frames of a batch that count: windows of whole phoneme runs are padded to one length (datasets.windows)."""


def frame_mean(values, batch):
    """Mean over frames, without the padding.

    Args:
        values: (B, T) one number a frame.
        batch: dict; its field `valid` (B, T), where there is one, is 0 in padded frames.

    Returns:
        scalar; 0 where no frame counts.
    """
    if "valid" not in batch:
        return values.mean()
    valid = batch["valid"].to(values.dtype)
    return (values * valid).sum() / valid.sum().clamp_min(1)


def window_mean(values, batch):
    """Mean of each window over its frames, without the padding.

    Args:
        values: (B, T, N).
        batch: dict; its field `valid` (B, T), where there is one, is 0 in padded frames.

    Returns:
        (B, 1, N); 0 where no frame counts.
    """
    if "valid" not in batch:
        return values.mean(1, keepdim=True)
    valid = batch["valid"].to(values.dtype)[..., None]
    return (values * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp_min(1)

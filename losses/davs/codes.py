"""Codes of speech as the adversaries of DAVS read them, of sound and of video alike."""

import torch

from losses.term import raised

CODES = ("audio_speech", "video_speech")
READS = ("codes", "windows")


def rows_of(outputs, reads="codes"):
    """`audio_speech`, `video_speech` (B, N, D) -> rows of codes, those of sound first.

    Args:
        reads: "codes": (2 B N, D), one by one; "windows": (2 B, N D), all of a window side by side.
    """
    dims = (0, 1) if reads == "codes" else (1, 2)
    return torch.cat([outputs[name].flatten(*dims) for name in CODES])


def detached_rows_of(outputs, reads="codes"):
    """The same as float32 and without a gradient to the network, for what learns against it."""
    return rows_of({name: raised(outputs[name].detach()) for name in CODES}, reads)

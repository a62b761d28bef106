"""Codes of speech as the adversaries of DAVS read them: one by one, of sound and of video alike."""

import torch

from losses.term import raised

CODES = ("audio_speech", "video_speech")


def rows_of(outputs):
    """(2 B N, D) codes, those of sound first, of `audio_speech` and `video_speech` (B, N, D)."""
    return torch.cat([outputs[name].flatten(0, 1) for name in CODES])


def detached_rows_of(outputs):
    """The same as float32 and without a gradient to the network, for what learns against it."""
    return rows_of({name: raised(outputs[name].detach()) for name in CODES})

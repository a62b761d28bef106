"""Channels and sample rates that an AAC track can carry."""

import numpy as np

# ISO/IEC 14496-3, table 1.18: sampling frequency index.
AAC_RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_CENTRE, _NONE = 0.5**0.5, 0.0
# Left and right gains of each channel in ffmpeg's order for 3 to 8 channels (2.1, 4.0, 5.0, 5.1, 6.1, 7.1). Centre, back and
# side channels go in at -3 dB and the low-frequency channel is left out: ITU-R BS.775-4, table 2.
_LEFT, _RIGHT, _MIDDLE, _LOW = (1.0, _NONE), (_NONE, 1.0), (_CENTRE, _CENTRE), (_NONE, _NONE)
_SIDE_LEFT, _SIDE_RIGHT, _BACK_MIDDLE = (_CENTRE, _NONE), (_NONE, _CENTRE), (0.5, 0.5)
_LAYOUTS = {
    3: (_LEFT, _RIGHT, _LOW),
    4: (_LEFT, _RIGHT, _MIDDLE, _BACK_MIDDLE),
    5: (_LEFT, _RIGHT, _MIDDLE, _SIDE_LEFT, _SIDE_RIGHT),
    6: (_LEFT, _RIGHT, _MIDDLE, _LOW, _SIDE_LEFT, _SIDE_RIGHT),
    7: (_LEFT, _RIGHT, _MIDDLE, _LOW, _BACK_MIDDLE, _SIDE_LEFT, _SIDE_RIGHT),
    8: (_LEFT, _RIGHT, _MIDDLE, _LOW, _SIDE_LEFT, _SIDE_RIGHT, _SIDE_LEFT, _SIDE_RIGHT),
}


def downmix_gains(channels):
    """(2, channels) float32 gains from `channels` to stereo; each row sums to 1, so the mix cannot clip.

    Channel orders are ffmpeg's usual ones for 3 to 8 channels; beyond 8 every channel goes to both sides alike.
    """
    gains = np.array(_LAYOUTS.get(channels, [(1.0, 1.0)] * channels), np.float32).T
    return gains / gains.sum(axis=1, keepdims=True)


def downmix(samples):
    """(channels, n) float32 with one or two channels as they are, more of them mixed to stereo."""
    return samples if len(samples) <= 2 else downmix_gains(len(samples)) @ samples


def aac_rate(rate):
    """`rate` when AAC has it, else the next higher one that it has (96000 for more)."""
    return next((known for known in AAC_RATES if known >= rate), AAC_RATES[-1])

"""Frames of a video in which nothing is said."""

import numpy as np

BAND = (300.0, 3400.0)  # Hz: the band of a telephone, without hum and rumble
BELOW = 20.0  # dB below the loud frames of the same sound
LEAST = 1e-3  # root mean square in the band below which a frame is silent in any case: -60 dB of full scale
LOUD = 95  # percentile of the levels that counts as loud
MARGIN = 3  # frames at both ends of a pause that do not count: lips part before a sound, and close after it
SHORTEST = 10  # frames of a pause; shorter ones are stops inside words


def silent_frames(samples, rate, fps, count):
    """Frames inside pauses, by the level of the sound in the band of speech (inferred thresholds).

    The level is averaged over three frames, so that a click is no speech.

    Args:
        samples: (channels, n) float32 in [-1, 1]; rate: samples a second.
        fps: frames a second; count: frames.

    Returns:
        (count,) bool. Where the video outlasts its sound, the rest is silent.
    """
    levels = speech_levels(np.asarray(samples, np.float64).mean(0), rate, fps, count)
    if not count:
        return np.zeros(0, bool)
    smooth = np.sqrt(np.convolve(np.pad(levels**2, 1, mode="edge"), np.full(3, 1 / 3), "valid"))
    quiet = smooth < max(LEAST, np.percentile(smooth, LOUD) * 10 ** (-BELOW / 20))
    inside, begin = np.zeros(count, bool), None
    for at, one in enumerate([*quiet, False]):
        if one and begin is None:
            begin = at
        elif not one and begin is not None:
            if at - begin >= SHORTEST:
                inside[begin + MARGIN * (begin > 0) : at - MARGIN * (at < count)] = True
            begin = None
    return inside


def speech_levels(mono, rate, fps, count):
    """(count,) float64, root mean square of each frame of (n,) samples in BAND."""
    if not len(mono):
        return np.zeros(count)
    spectrum, pitch = np.fft.rfft(mono), np.fft.rfftfreq(len(mono), 1 / rate)
    spectrum[(pitch < BAND[0]) | (pitch > BAND[1])] = 0
    heard = np.fft.irfft(spectrum, len(mono))
    edges = [min(len(heard), int(at * rate / fps)) for at in range(count + 1)]
    return np.array([np.sqrt(np.mean(heard[a:b] ** 2)) if b > a else 0.0 for a, b in zip(edges, edges[1:], strict=False)])

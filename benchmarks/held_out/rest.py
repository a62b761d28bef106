"""How a mouth stands where nothing is said."""

import numpy as np

from benchmarks.held_out.measure import CLOSED_PERCENTILE, OPEN_PERCENTILE
from speech.mfcc import SYNCNET, mfcc

QUIET_FRAMES, QUIET_LEVEL = 75, -60.0  # of quiet noise, at 25 frames a second; dB of its standard deviation below full scale
LEAST_PAUSE = 5  # frames; of shorter pauses nothing is read


def quiet_cepstra():
    """(12, k) float32 cepstra (speech.mfcc) of white noise at QUIET_LEVEL, always the same.

    All frames of digital silence have one code, so a mouth that is drawn of it stands still whatever the network does; no two
    frames of noise are alike.
    """
    noise = np.random.default_rng(0).standard_normal(QUIET_FRAMES * 640).astype(np.float32) * 10 ** (QUIET_LEVEL / 20)
    return mfcc(noise.astype(np.float32), SYNCNET)


def at_rest(quiet, spoken, real, pauses):
    """How far, and how much, a mouth is open where nothing is said; None where there is no pause or the detector finds no face.

    Args:
        quiet: (Q,) opening of the mouth that quiet noise draws; spoken: (F,) of what a sentence draws; real: (F,) of its clip.
        pauses: (F,) bool, frames of the sentence without a word.

    Returns:
        {"quiet_level", "quiet_spread", "pause_level", "pause_spread", "real_pause_spread"}, see
        benchmarks.davs.drive_measure.measure.
    """
    count = min(len(spoken), len(real), len(pauses))
    spoken, real, pauses = spoken[:count], real[:count], pauses[:count]
    closed, wide = _percentiles(real, (CLOSED_PERCENTILE, OPEN_PERCENTILE))
    paused, known = real[pauses & np.isfinite(real)], pauses.sum() >= LEAST_PAUSE
    rest = float(np.median(paused)) if known and len(paused) else closed
    found = {}
    for name, still, speaking in (("quiet", quiet, spoken[~pauses]), ("pause", spoken[pauses], spoken[~pauses]),
                                  ("real_pause", real[pauses], real[~pauses])):  # fmt: skip
        there = np.isfinite(still).any() and np.isfinite(speaking).any() and rest is not None and (known or name == "quiet")
        found[f"{name}_level"] = float((np.nanmedian(still) - rest) / max(wide - closed, 1e-9)) if there else None
        found[f"{name}_spread"] = moving(still) / max(moving(speaking), 1e-9) if there else None
    del found["real_pause_level"]  # 0 by the choice of the unit
    return found


def _percentiles(values, shares):
    return [float(one) for one in np.nanpercentile(values, shares)] if np.isfinite(values).any() else [None] * len(shares)


def moving(values):
    """Standard deviation of a series, without its NaN; 0 where nothing is known."""
    return float(np.nanstd(values)) if np.isfinite(values).any() else 0.0

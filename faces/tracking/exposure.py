"""Light that drifts inside a shot (a fade, a lamp, auto exposure), matched between a reference and each frame
(docs/methods.md, section 18; ours).
"""

import numpy as np

from faces.tracking.smoothing import smooth_series

DARK = 0.3  # grey levels added to both sides of a ratio: black has no colour
SMOOTH_SECONDS = 0.12  # width of the kernel over time
SLACK = 0.04  # logarithm by which the smoothed light may stay behind a step
NEAR_SECONDS = 0.5  # to either side, in which the largest difference decides whether light is matched
# Logarithms of a factor below which light counts as the same, and from which on it is matched in full: a head that turns and
# speaks in constant light stays below the first. Chosen on real clips: docs/methods.md.
SAME, OTHER = 0.12, 0.24
MOST = 32.0  # times brighter or darker, at most


def light_factors(track, reference, fps=25):
    """How the light of each frame of a shot differs from that of its reference.

    Args:
        track: FaceTrack.
        reference: number of a frame with a face; its shot is looked at.
        fps: frames a second.

    Returns:
        (N, 3) float32: what brings a colour that is lit as in `reference` to the light of each frame; 1 where nothing drifts,
        in other shots, and where the light was not measured.
    """
    factors, shot = np.ones((len(track), 3), np.float32), track.shots[reference]
    runs = [run for run in track.runs() if track.shots[run[0]] == shot]
    light = np.full((len(track), 3), np.nan)
    for start, end in runs if track.light is not None else []:
        known = start + np.flatnonzero(np.isfinite(track.light[start:end]).all(1))
        if len(known):
            levels = np.log(track.light[known].astype(np.float64) + DARK)
            light[start:end] = np.stack([np.interp(np.arange(start, end), known, channel) for channel in levels.T], 1)
    for start, end in runs:
        apart = light[start:end] - light[reference]
        if not np.isfinite(apart).all():
            continue
        calm = smooth_series(apart, SMOOTH_SECONDS * float(fps))
        behind = apart - calm
        calm = calm + np.clip(1 - SLACK / np.maximum(np.abs(behind), 1e-9), 0, 1) * behind
        drift = np.clip((_around(np.abs(calm).max(1), fps) - SAME) / (OTHER - SAME), 0, 1)
        drift = drift * drift * (3 - 2 * drift)
        factors[start:end] = np.exp(np.clip(drift[:, None] * calm, -np.log(MOST), np.log(MOST)))
    return factors


def _around(values, fps):
    """(n,) the largest of the values (n,) near each place, and of these the mean near it: what drifts is matched as a whole."""
    radius = max(1, round(NEAR_SECONDS * float(fps)))
    for reduce in (np.max, np.mean):
        values = reduce(np.lib.stride_tricks.sliding_window_view(np.pad(values, radius, mode="edge"), 2 * radius + 1), axis=1)
    return values


def lit(picture, factor):
    """(S, S, 3) uint8 RGB multiplied by a factor (3,) for each channel; the same picture where it is 1."""
    import cv2

    if (factor == 1).all():
        return picture
    return cv2.multiply(picture, (*map(float, factor), 0.0), dtype=cv2.CV_8U)

"""Correlation of time series over one clip and over many: does the generated mouth follow, and whom.

The measure of leaks: a generated mouth g is driven by the audio of clip A on the picture of clip B. Sentences of one corpus
share their timing, so g correlates with the mouth b of B even without a leak; the partial correlation of g with b, given the
mouth a of A, is what is left.
"""

from dataclasses import dataclass

import numpy as np

# A series whose spread is below this share of its size has no movement beyond rounding.
_CONSTANT = 1e-9


def pearson(x, y):
    """Pearson's correlation of two series.

    Args:
        x, y: (n,) float; places where either is NaN are left out.

    Returns:
        float in [-1, 1]; NaN when either series is constant or fewer than 3 places are left.
    """
    return partial_correlation(x, y, np.empty((len(x), 0)))


def partial_correlation(g, b, given):
    """Correlation of `g` with `b` after the part of both that is linear in `given` (and a constant) was taken out.

    Args:
        g, b: (n,) float.
        given: (n,) or (n, k) float; several columns when more than one series is controlled for. Places where anything is NaN
            are left out.

    Returns:
        float in [-1, 1]; NaN when nothing is left of `g` or `b`, or there are fewer than k + 3 places.
    """
    g, b, given = np.asarray(g, np.float64), np.asarray(b, np.float64), np.asarray(given, np.float64)
    given = given.reshape(len(given), -1)
    if not len(g) == len(b) == len(given):
        raise ValueError(f"series differ in length: {len(g)}, {len(b)}, {len(given)}")
    known = np.isfinite(g) & np.isfinite(b) & np.isfinite(given).all(1)
    if known.sum() < given.shape[1] + 3:
        return float("nan")
    basis = _basis(given[known])
    g, b = _residual(g[known], basis), _residual(b[known], basis)
    if g is None or b is None:
        return float("nan")
    return float(np.clip(g @ b, -1, 1))


@dataclass(frozen=True)
class ClipCorrelation:
    """One statistic over many clips.

    Attributes:
        pooled: the statistic of all clips' frames together, each series z-scored within its clip first; NaN without clips.
        per_clip: list of float, in the order of the clips; NaN where undefined.
        mean, median: over the clips where it is defined; NaN without any.
        clips: how many those are; only they enter `pooled`.
    """

    pooled: float
    per_clip: list[float]
    mean: float
    median: float
    clips: int


def over_clips(clips, statistic=pearson):
    """Apply `pearson` or `partial_correlation` to each clip and to all of them together.

    Args:
        clips: list of tuples of series, what `statistic` takes: (x, y), or (g, b, given); lengths may differ between clips.
        statistic: the function.

    Returns:
        ClipCorrelation. A clip in which the statistic is undefined (a mouth that never moves) is left out of the rest.
    """
    per_clip = [statistic(*series) for series in clips]
    usable = [zscore(series) for series, value in zip(clips, per_clip, strict=True) if np.isfinite(value)]
    values = [value for value in per_clip if np.isfinite(value)]
    if not values:
        return ClipCorrelation(float("nan"), per_clip, float("nan"), float("nan"), 0)
    pooled = statistic(*(np.concatenate(series) for series in zip(*usable, strict=True)))
    return ClipCorrelation(pooled, per_clip, float(np.mean(values)), float(np.median(values)), len(values))


def zscore(series):
    """Series of one clip, each to mean 0 and standard deviation 1 over the places where all are known.

    Args:
        series: tuple of (n,) or (n, k) float, the same n.

    Returns:
        list of arrays of the same shapes without the unknown places; a constant column becomes 0.
    """
    columns = [np.asarray(one, np.float64) for one in series]
    known = np.logical_and.reduce([np.isfinite(one.reshape(len(one), -1)).all(1) for one in columns])
    scored = []
    for one in columns:
        centred = one[known] - one[known].mean(0)
        spread = centred.std(0)
        moving = spread > _CONSTANT * np.abs(one[known]).max(0, initial=0)
        scored.append(np.where(moving, centred / np.where(moving, spread, 1), 0))
    return scored


def _basis(given):
    """Orthonormal basis (n, r) of the constant and the columns of `given` (n, k)."""
    ones = np.ones((len(given), 1))
    centred = given - given.mean(0)
    moving = np.abs(centred).max(0, initial=0) > _CONSTANT * np.abs(given).max(0, initial=0)
    scaled = centred[:, moving] / np.linalg.norm(centred[:, moving], axis=0)
    vectors, strengths, _ = np.linalg.svd(scaled, full_matrices=False)
    return np.concatenate([ones / np.sqrt(len(ones)), vectors[:, strengths > _CONSTANT]], axis=1)


def _residual(values, basis):
    """What is left of `values` beside `basis`, scaled to length 1; None when that is rounding error."""
    residual = values - basis @ (basis.T @ values)
    residual -= basis @ (basis.T @ residual)
    length = np.linalg.norm(residual)
    if length <= _CONSTANT * np.linalg.norm(values):
        return None
    return residual / length

"""How far a mean over videos can be trusted: percentile bootstrap (Efron and Tibshirani 1993, chapter 13), over videos.

A video is drawn whole, because its frames are not independent of each other. With few videos the interval is too narrow (of two
it is the range of the two): read one of under `FEW` videos as a hint.
"""

import numpy as np

RESAMPLES, LEVEL, SEED = 2000, 0.95, 0
FEW = 10
_BLOCK = 1 << 20  # indices drawn at once: 16 MB with the values they pick


def interval(values, *, resamples=RESAMPLES, level=LEVEL, seed=SEED):
    """Bootstrap interval of the mean.

    Args:
        values: (n,) float, finite; one a video.
        resamples: how often n videos are drawn with replacement.
        level: share of the resampled means that lies between the two ends, 0 to 1.
        seed: of the draw; the same values and seed give the same interval.

    Returns:
        (low, high), float; (None, None) for fewer than 2 values.
    """
    values = _finite(values)
    if len(values) < 2:
        return None, None
    return _ends(_resampled_means(values, resamples, seed), level)


def pooled_interval(sums, statistic, *, resamples=RESAMPLES, level=LEVEL, seed=SEED):
    """Bootstrap interval of a statistic of sums over videos, such as the F1 of all their frames together.

    Args:
        sums: (n, ...) numbers, one array a video, such as counts of its frames.
        statistic: function of (R, ...) sums over videos that gives (R, K) float; NaN where it is undefined.
        resamples, level, seed: as for `interval`.

    Returns:
        (low, high), (K,) float64 each; NaN for fewer than 2 videos, and where no resample has a value.
    """
    sums = np.asarray(sums, np.float64)
    count = len(sums)
    drawn = np.random.default_rng(seed).multinomial(count, [1 / count] * count, resamples)  # how often each video is drawn
    values = np.asarray(statistic((drawn @ sums.reshape(count, -1)).reshape(resamples, *sums.shape[1:])))
    ends = np.full((2, values.shape[1]), np.nan)
    for column, series in enumerate(values.T):
        known = series[np.isfinite(series)]
        if count > 1 and len(known):
            ends[:, column] = _ends(known, level)
    return ends[0], ends[1]


def paired_difference(first, second, *, resamples=RESAMPLES, level=LEVEL, seed=SEED):
    """Mean of second minus first over the names that both have, with its bootstrap interval over those names.

    Args:
        first, second: {name: float or None}; None counts as not there.
        resamples, level, seed: as for `interval`.

    Returns:
        {"difference", "low", "high", "videos", "p"}: p is the two-sided bootstrap p, twice the smaller share of resampled means
        on either side of 0, each with 1 added to count and total (Davison and Hinkley 1997, eq. 4.11), 1 at most. difference is
        None without common names; low, high and p are None with fewer than 2.
    """
    names = sorted(name for name in first if first[name] is not None and second.get(name) is not None)
    values = _finite([second[name] - first[name] for name in names])
    found = {"difference": float(values.mean()) if names else None, "low": None, "high": None, "videos": len(names), "p": None}
    if len(names) < 2:
        return found
    means = _resampled_means(values, resamples, seed)
    low, high = _ends(means, level)
    beyond = min(int((means <= 0).sum()), int((means >= 0).sum()))
    return found | {"low": low, "high": high, "p": min(1.0, 2 * (beyond + 1) / (resamples + 1))}


def _finite(values):
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("values must be one row of finite numbers")
    return values


def _resampled_means(values, resamples, seed):
    """(resamples,) float64 means of draws with replacement, in blocks, so that memory does not grow with videos."""
    random, centre = np.random.default_rng(seed), values.mean()
    centred, means = values - centre, np.empty(resamples)
    rows = max(1, _BLOCK // len(values))
    for start in range(0, resamples, rows):
        block = means[start:start + rows]
        block[:] = centred[random.integers(0, len(values), (len(block), len(values)))].mean(1)
    return means + centre


def _ends(means, level):
    if not 0 < level < 1:
        raise ValueError(f"level {level}: must be between 0 and 1")
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

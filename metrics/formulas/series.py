"""Two time series of one video, made and real: do they move together, and as much."""

import numpy as np

from metrics.formulas.correlation import pearson

# Frames below which a correlation or a spread is not given. A correlation of n unrelated frames has a standard deviation of
# about 1 / sqrt(n - 1): 0.7 for 3 frames, 0.33 for 10. Each video counts once in a mean, so that one of 3 frames would shift it
# by chance.
LEAST_FRAMES = 10


def correlate(made, real):
    """Pearson's correlation of two (n,) series; None when one is constant or n < LEAST_FRAMES."""
    if len(made) < LEAST_FRAMES:
        return None
    found = pearson(made, real)
    return None if np.isnan(found) else found


def spread_ratio(made, real):
    """Standard deviation of `made` over that of `real`, (n,) each; None when `real` is constant or n < LEAST_FRAMES."""
    if len(made) < LEAST_FRAMES or not spread(real):
        return None
    return spread(made) / spread(real)


def spread(series):
    """Standard deviation; exactly 0 for equal values, whatever the rounding of their mean."""
    return float(series.std()) if np.ptp(series) else 0.0

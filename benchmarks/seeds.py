"""Figures over seeds and clips, and when a difference of two rows is more than chance."""

from dataclasses import dataclass

import numpy as np

from metrics.formulas.bootstrap import interval, paired_difference

BETTER, WORSE = "▲", "▼"


@dataclass(frozen=True)
class Figures:
    """What was measured of one row: arrays (seeds, clips) by column, of one group of clips; NaN where undefined."""

    values: dict
    seeds: tuple[int, ...]

    def of_seeds(self, seeds):
        """The same, of some of the seeds."""
        return Figures({key: array[[self.seeds.index(one) for one in seeds]] for key, array in self.values.items()}, seeds)

    def mean(self, column):
        """Mean over clips and seeds; NaN where there is none."""
        values = self.values[column]
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    def spread(self, column):
        """(least, most) over seeds of the mean over clips."""
        means = [float(np.nanmean(row)) for row in self.values[column] if np.isfinite(row).any()] or [float("nan")]
        return min(means), max(means)

    def interval(self, column):
        """95 % bootstrap interval over clips of the mean over seeds; (None, None) for fewer than two clips."""
        return interval(list(self.by_clip(column).values()))

    def by_clip(self, column):
        """{number of the clip: mean over the seeds that have a value}, of the clips that have one."""
        values = self.values[column]
        known = np.isfinite(values)
        return {int(at): float(values[known[:, at], at].mean()) for at in np.flatnonzero(known.any(0))}


def verdict(figures, base, column, better):
    """BETTER or WORSE than the base, or "" where that may be chance.

    Runs of one seed see the same items in the same order, so that they are compared seed by seed: the difference must have one
    sign in all seeds that both have, and the 95 % interval over clips of its mean must lie on that side of 0.

    Args:
        figures, base: Figures of the same clips; column: key.
        better: "low" or "high"; "zero" and "one": the nearer to that number; "none" is never marked.
    """
    seeds = tuple(seed for seed in figures.seeds if seed in base.seeds)
    if not seeds or better == "none":
        return ""
    mine, theirs = (goodness(one.of_seeds(seeds).values[column], better) for one in (figures, base))
    known = np.isfinite(mine - theirs)
    by_seed = np.array([(mine - theirs)[at][row].mean() for at, row in enumerate(known) if row.any()] or [0.0])
    if not (np.all(by_seed > 0) or np.all(by_seed < 0)):
        return ""
    means = [values.mean(axis=0) for values in (theirs, mine)]
    named = [{index: float(value) for index, value in enumerate(values) if np.isfinite(value)} for values in means]
    difference = paired_difference(*named)
    low, high = difference["low"], difference["high"]
    if low is None or low <= 0 <= high:
        return ""
    return BETTER if low > 0 else WORSE


def goodness(values, better):
    """The same figures, the larger the better; `better` is one of those of `verdict`."""
    values = np.asarray(values, float)
    if better == "one":
        return -np.abs(values - 1)
    if better == "zero":
        return -np.abs(values)
    return -values if better == "low" else values

"""How well what is said of action units fits what is true of them: F1 and accuracy of each unit, over frames.

Counts are kept by clip, so that figures over many clips are those of all their frames together, and their intervals those of a
bootstrap over clips.
"""

import numpy as np

from metrics.formulas.bootstrap import pooled_interval

HITS, ALARMS, MISSES, REST = range(4)  # said and true, said only, true only, neither


def count_units(true, said, known=None):
    """Frames of one clip by what is true and what is said.

    Args:
        true, said: (n, K) bool or 0 and 1, of K units; known: (n,) bool, frames that count; None: all.

    Returns:
        (4, K) int64: HITS, ALARMS, MISSES, REST.
    """
    true, said = np.asarray(true) > 0, np.asarray(said) > 0
    if true.shape != said.shape:
        raise ValueError(f"units differ in shape: {true.shape} and {said.shape}")
    known = np.ones(len(true), bool) if known is None else np.asarray(known, bool)
    true, said = true[known], said[known]
    return np.stack([(one).sum(0) for one in (true & said, ~true & said, true & ~said, ~true & ~said)]).astype(np.int64)


def f1(counts):
    """2 TP / (2 TP + FP + FN), (..., 4, K) counts -> (..., K) float64; NaN where a unit is neither true nor said."""
    hits, wrong = counts[..., HITS, :], counts[..., ALARMS, :] + counts[..., MISSES, :]
    return _ratio(2 * hits, 2 * hits + wrong)


def accuracy(counts):
    """Share of frames that are right, (..., 4, K) counts -> (..., K) float64; NaN without frames."""
    return _ratio(counts[..., HITS, :] + counts[..., REST, :], counts.sum(-2))


def rate(counts):
    """Share of frames in which a unit is true, (..., 4, K) counts -> (..., K) float64; NaN without frames."""
    return _ratio(counts[..., HITS, :] + counts[..., MISSES, :], counts.sum(-2))


def said_rate(counts):
    """Share of frames in which a unit is said, (..., 4, K) counts -> (..., K) float64; NaN without frames."""
    return _ratio(counts[..., HITS, :] + counts[..., ALARMS, :], counts.sum(-2))


def always(counts):
    """Counts of saying in each frame that each unit is there, about the same truth; (..., 4, K) -> (..., 4, K)."""
    true = counts[..., HITS, :] + counts[..., MISSES, :]
    none = np.zeros_like(true)
    return np.stack([true, counts.sum(-2) - true, none, none], -2)


def mean_over_units(values):
    """(..., K) float -> (...) float64: mean over the units that have a value; NaN where none has."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0).sum(-1), known.sum(-1))


def unit_scores(counts, labels):
    """Figures over clips.

    Args:
        counts: list of (4, K), one a clip, at least one; labels: K names.

    Returns:
        {"clips", "frames", "units": {label: figures}, "mean": figures}; figures: {"f1", "f1_low", "f1_high", "accuracy",
        "accuracy_low", "accuracy_high", "rate", "said", "always", "always_accuracy"}: numbers in [0, 1], None where undefined.
        "mean" is that over the units that have a value. The ends are those of a 95 % bootstrap over clips, None for one clip.
    """
    counts = np.stack(counts)
    total = counts.sum(0)
    found = {"f1": f1(total), "accuracy": accuracy(total), "rate": rate(total), "said": said_rate(total),
             "always": f1(always(total)), "always_accuracy": accuracy(always(total))}  # fmt: skip
    columns = {name: np.append(values, mean_over_units(values)) for name, values in found.items()}
    for name, formula in (("f1", f1), ("accuracy", accuracy)):
        low, high = pooled_interval(counts, lambda sums, formula=formula: _with_mean(formula(sums)))
        columns |= {f"{name}_low": low, f"{name}_high": high}
    each = [{name: _plain(values[number]) for name, values in columns.items()} for number in range(len(labels) + 1)]
    return {"clips": len(counts), "frames": int(total[:, 0].sum()), "units": dict(zip(labels, each[:-1], strict=True)),
            "mean": each[-1]}  # fmt: skip


def _with_mean(values):
    return np.concatenate([values, mean_over_units(values)[..., None]], -1)


def _plain(value):
    return float(value) if np.isfinite(value) else None


def _ratio(above, below):
    """`above` / `below`, NaN where `below` is 0."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)

"""Smoothing over time that neither leads nor lags."""

import numpy as np

LEAST_SIGMA = 0.2  # frames; below it the neighbours weigh less than 4e-6


def smooth_series(values, sigma):
    """Local linear regression with Gaussian weights: a symmetric kernel inside, no pull towards the middle at the ends.

    Constant and linear series pass unchanged, so a face that moves steadily is not delayed.

    Args:
        values: (N, ...) float.
        sigma: width of the kernel in frames; below LEAST_SIGMA there is nothing to smooth, and a copy is returned.

    Returns:
        (N, ...) float64.
    """
    values = np.asarray(values, np.float64)
    count = len(values)
    if sigma < LEAST_SIGMA or count < 3:
        return values.copy()
    radius = int(np.ceil(3 * sigma))
    flat = values.reshape(count, -1)
    s0, s1, s2 = np.zeros(count), np.zeros(count), np.zeros(count)
    m0, m1 = np.zeros_like(flat), np.zeros_like(flat)
    for offset in range(-radius, radius + 1):
        if abs(offset) >= count:
            continue
        weight = np.exp(-0.5 * (offset / sigma) ** 2)
        to = slice(max(0, -offset), count - max(0, offset))
        of = slice(max(0, offset), count - max(0, -offset))
        s0[to] += weight
        s1[to] += weight * offset
        s2[to] += weight * offset * offset
        m0[to] += weight * flat[of]
        m1[to] += weight * offset * flat[of]
    determinant = s0 * s2 - s1 * s1
    smooth = (s2[:, None] * m0 - s1[:, None] * m1) / determinant[:, None]
    return smooth.reshape(values.shape)


def segments(present):
    """Runs of True in a (N,) bool array: list of (start, end), end exclusive."""
    edges = np.diff(np.concatenate([[0], np.asarray(present, np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))

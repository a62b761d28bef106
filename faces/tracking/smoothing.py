"""Smoothing over time that neither leads nor lags."""

import numpy as np

LEAST_SIGMA = 0.2  # frames; below it the neighbours weigh less than 4e-6
SLACK = 0.08  # eye distances by which a corner may stay behind a fast movement; speech moves it less
QUICK = 0.25  # width of the kernel that follows fast movements, over that of the slow one


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


def smooth_poses(poses, corners, sigma):
    """Path of a crop: smoothed widely, but never far behind a head that moves fast.

    A wide kernel flattens a quick nod or roll, and the face would leave its place in the crop. What it leaves of the path is
    smoothed by a narrow kernel, and put back as far as it carries a corner of the crop further than SLACK. In speech without
    fast movements nothing is put back, so that the mouth, which moves the points a little, does not move the crop.

    Args:
        poses: (N, 4) float a, b, x, y: the similarity transform [[a, -b, x], [b, a, y]], face -> frame; of unit eye distance.
        corners: (K, 2) float, points of the crop in the unit of the face.
        sigma: width of the wide kernel in frames.

    Returns:
        (N, 4) float64.
    """
    smooth = smooth_series(poses, sigma)
    behind = smooth_series(poses - smooth, QUICK * sigma)
    a, b, x, y = behind.T[..., None]
    moved = np.hypot(a * corners[:, 0] - b * corners[:, 1] + x, b * corners[:, 0] + a * corners[:, 1] + y).max(-1)
    slack = SLACK * np.hypot(smooth[:, 0], smooth[:, 1])
    share = np.clip(1 - slack / np.maximum(moved, 1e-9), 0, 1)
    return smooth + smooth_series(share[:, None] * behind, 2 * QUICK * sigma)  # it comes and goes without a jerk


def segments(present, parts=None):
    """Runs of True in a (N,) bool array: list of (start, end), end exclusive.

    Args:
        present: (N,) bool.
        parts: (N,) int, the part of each frame, such as its shot; a run ends where the part changes. None: one part.
    """
    edges = np.diff(np.concatenate([[0], np.asarray(present, np.int8), [0]]))
    runs = zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True)
    if parts is None:
        return list(runs)
    changes = np.flatnonzero(np.diff(parts)) + 1
    pieces = []
    for start, end in runs:
        at = [start, *changes[(changes > start) & (changes < end)].tolist(), end]
        pieces.extend(zip(at[:-1], at[1:], strict=True))
    return pieces

"""The 68-point landmark scheme: which points are which, and similarity transforms between point sets."""

import numpy as np

JAW = slice(0, 17)
OUTER_EYE_CORNERS = (36, 45)
OUTER_EYES = 1.4  # distance of the outer eye corners of the canonical face, eye distances
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)  # the subject's right eye comes first
MOUTH = slice(48, 68)  # 12 outer and 8 inner points
INNER_LIP_TOP, INNER_LIP_BOTTOM = 62, 66

# Points that speech hardly moves: nose bridge and base, eye corners. Jaw, lips, brows and eyelids are left out, so that nothing
# fitted to these points can tell how far the mouth is open.
STABLE = (27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45)

# Which of MediaPipe's 478 face-mesh vertices stands for each of the 68 points.
MESH_TO_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,  # jaw
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,  # brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lips
    78, 82, 13, 312, 308, 317, 14, 87,  # inner lips
)  # fmt: skip

# Point i of a mirrored face is point MIRROR[i] of the face itself.
MIRROR = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip

# Where the stable points lie on a mean frontal face, in units of the distance of the eye centres from the point between them;
# x to the subject's left, y down. A symmetrised Procrustes mean over 285 frames of 13 GRID speakers, measured with the mesh
# detector.
CANONICAL_STABLE = np.array(
    [
        (0.0, -0.066), (0.0, 0.179), (0.0, 0.409), (0.0, 0.553), (-0.211, 0.709), (0.0, 0.769), (0.211, 0.709),
        (-0.700, -0.004), (-0.266, 0.023), (0.266, 0.023), (0.700, -0.004),
    ]
)  # fmt: skip

# The jaw line of a mean face in the same unit: a symmetrised mean over 22 people of GRID and LatentSync, frontal frames alone,
# measured with the mesh detector. Its points differ by about 0.1 from person to person.
CANONICAL_JAW = np.array(
    [
        (-1.08, -0.15), (-1.09, 0.35), (-1.07, 0.60), (-0.95, 1.13), (-0.85, 1.35), (-0.74, 1.50), (-0.48, 1.74), (-0.20, 1.88),
        (0.0, 1.90), (0.20, 1.88), (0.48, 1.74), (0.74, 1.50), (0.85, 1.35), (0.95, 1.13), (1.07, 0.60), (1.09, 0.35),
        (1.08, -0.15),
    ]
)  # fmt: skip

# The whole scheme on a mean head, in the axes and the unit of `metrics.formulas.head_pose.MEAN_HEAD`: x to the subject's left,
# y down, z away from the camera. The points whose projections fit the landmarks of 3,900 frames of 160 people best, each frame
# turned as its stable points tell; symmetrised. Two halves of these people differ by 0.02 in depth, by 0.01 in x and y.
MEAN_FACE = np.array(
    [
        (-1.14, -0.19, 0.74), (-1.15, 0.31, 0.95), (-1.13, 0.56, 0.97), (-1.01, 1.1, 0.91), (-0.91, 1.33, 0.78),
        (-0.79, 1.49, 0.62), (-0.51, 1.73, 0.34), (-0.21, 1.88, 0.12), (0, 1.9, 0.08), (0.21, 1.88, 0.12),
        (0.51, 1.73, 0.34), (0.79, 1.49, 0.62), (0.91, 1.33, 0.78), (1.01, 1.1, 0.91), (1.13, 0.56, 0.97),
        (1.15, 0.31, 0.95), (1.14, -0.19, 0.74), (-1.01, -0.31, 0.36), (-0.83, -0.34, 0.03), (-0.67, -0.38, -0.1),
        (-0.46, -0.37, -0.2), (-0.23, -0.34, -0.27), (0.23, -0.34, -0.27), (0.46, -0.37, -0.2), (0.67, -0.38, -0.1),
        (0.83, -0.34, 0.03), (1.01, -0.31, 0.36), (0, -0.06, -0.26), (0, 0.19, -0.4), (0, 0.41, -0.56), (0, 0.55, -0.61),
        (-0.21, 0.7, -0.3), (-0.12, 0.76, -0.33), (0, 0.76, -0.38), (0.12, 0.76, -0.33), (0.21, 0.7, -0.3),
        (-0.72, 0, 0.15), (-0.62, -0.05, 0.07), (-0.45, -0.06, 0.04), (-0.28, 0.03, 0.02), (-0.43, 0.06, 0.04),
        (-0.59, 0.06, 0.06), (0.28, 0.03, 0.02), (0.45, -0.06, 0.04), (0.62, -0.05, 0.07), (0.72, 0, 0.15),
        (0.59, 0.06, 0.06), (0.43, 0.06, 0.04), (-0.39, 1.14, 0.05), (-0.24, 1.01, -0.18), (-0.12, 0.97, -0.26),
        (0, 1, -0.28), (0.12, 0.97, -0.26), (0.24, 1.01, -0.18), (0.39, 1.14, 0.05), (0.24, 1.33, -0.06),
        (0.13, 1.38, -0.1), (0, 1.39, -0.12), (-0.13, 1.38, -0.1), (-0.24, 1.33, -0.06), (-0.35, 1.14, 0.04),
        (-0.1, 1.1, -0.17), (0, 1.11, -0.2), (0.1, 1.1, -0.17), (0.35, 1.14, 0.04), (0.1, 1.2, -0.11), (0, 1.2, -0.14),
        (-0.1, 1.2, -0.11)
    ]
)  # fmt: skip


def fit_similarity(source, target):
    """Least-squares similarity transform (rotation, one scale, shift) that carries `source` to `target`.

    Args:
        source, target: (..., K, 2) float, K >= 2 points, the same leading axes.

    Returns:
        (..., 2, 3) float64 matrix A with target ~ source @ A[:, :2].T + A[:, 2]. Closed form of Umeyama (1991) in two
        dimensions; reflections excluded. Identical source points give scale 0.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    s, t = source - source_mean, target - target_mean
    dot = (s * t).sum((-1, -2))
    cross = (s[..., 0] * t[..., 1] - s[..., 1] * t[..., 0]).sum(-1)
    norm = np.maximum((s * s).sum((-1, -2)), 1e-12)
    a, b = dot / norm, cross / norm
    linear = np.stack([np.stack([a, -b], -1), np.stack([b, a], -1)], -2)
    shift = target_mean[..., 0, :] - (linear @ source_mean[..., 0, :, None])[..., 0]
    return np.concatenate([linear, shift[..., None]], -1)


def apply_affine(matrix, points):
    """(..., 2, 3) applied to (..., K, 2) -> (..., K, 2)."""
    matrix = np.asarray(matrix)
    return points @ np.swapaxes(matrix[..., :2], -1, -2) + matrix[..., None, :, 2]


def interocular(landmarks):
    """Distance of the outer eye corners: (..., 68, 2) -> (...), in the unit of the landmarks."""
    right, left = OUTER_EYE_CORNERS
    return np.linalg.norm(landmarks[..., left, :] - landmarks[..., right, :], axis=-1)


def eye_distance(landmarks):
    """Eye distance, as far as the outer eye corners tell it: (..., 68, 2) -> (...), in the unit of the landmarks."""
    return interocular(landmarks) / OUTER_EYES

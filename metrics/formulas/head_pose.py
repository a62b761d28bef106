"""Head pose from landmarks: a mean face in three dimensions is laid on the points that speech hardly moves."""

import numpy as np

from faces.landmarks import STABLE

# Where the points of faces.landmarks.STABLE lie on a mean head, in units of the distance of the eye centres from the point
# between them: x to the subject's left, y down, z away from the camera. A symmetrised Procrustes mean over 247 frames of 12
# GRID speakers, measured with the mesh detector, which gives a depth. Pitch is 0 where they look: about into the camera.
MEAN_HEAD = np.array(
    [
        (0.0, -0.066, -0.260), (0.0, 0.180, -0.399), (0.0, 0.414, -0.566), (0.0, 0.560, -0.600),
        (-0.198, 0.713, -0.259), (0.0, 0.778, -0.314), (0.198, 0.713, -0.259),
        (-0.705, -0.002, 0.087), (-0.270, 0.025, 0.005), (0.270, 0.025, 0.005), (0.705, -0.002, 0.087),
    ]
)  # fmt: skip


def head_rotation(landmarks):
    """Rotation that turns the mean head to the pose of a face, seen by a far camera (weak perspective).

    The affine map from the mean head to the picture that fits the 11 stable points best (least squares) is brought to the
    nearest
    one that is a rotation, one scale and a projection along z: the two rows are exchanged for the nearest pair of orthonormal
    ones. Exact for points that are such a projection. A near camera tilts the result by some degrees, in the real and the
    generated video alike.

    Args:
        landmarks: (..., 68, 2) float, x right, y down, any unit.

    Returns:
        (..., 3, 3) float64 R: a point p of the head lies at R @ p in camera axes, x right, y down, z away from the camera; NaN
        where landmarks are NaN.
    """
    points = np.asarray(landmarks, np.float64)[..., list(STABLE), :]
    known = np.isfinite(points).all((-1, -2))
    points = np.where(known[..., None, None], points, MEAN_HEAD[:, :2])
    model = MEAN_HEAD - MEAN_HEAD.mean(0)
    affine = np.swapaxes(points - points.mean(-2, keepdims=True), -1, -2) @ np.linalg.pinv(model).T  # (..., 2, 3)
    left, _, right = np.linalg.svd(affine, full_matrices=False)
    rows = left @ right
    rotation = np.concatenate([rows, np.cross(rows[..., 0, :], rows[..., 1, :])[..., None, :]], -2)
    return np.where(known[..., None, None], rotation, np.nan)


def head_angles(landmarks):
    """Yaw, pitch and roll of a head in degrees.

    The head is rolled first, then pitched, then yawed: R = Ry(yaw) Rx(pitch) Rz(roll), in camera axes (x right, y down, z
    away).

    Args:
        landmarks: as for `head_rotation`.

    Returns:
        (..., 3) float64: yaw in (-180, 180], positive where the nose points to the right of the picture (the subject's left);
        pitch in [-90, 90], positive where it points up; roll in (-180, 180], positive where the head is turned clockwise as one
        sees it. All 0 for the mean head. NaN where landmarks are NaN.
    """
    r = head_rotation(landmarks)
    yaw = np.arctan2(-r[..., 0, 2], r[..., 2, 2])
    pitch = np.arcsin(np.clip(r[..., 1, 2], -1, 1))
    roll = np.arctan2(r[..., 1, 0], r[..., 1, 1])
    return np.degrees(np.stack([yaw, pitch, roll], -1))


def angle_difference(first, second):
    """first - second in degrees, brought to [-180, 180)."""
    return (np.asarray(first) - second + 180) % 360 - 180

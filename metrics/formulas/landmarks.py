"""Distance of mouth landmarks (LMD): how far the generated lips are from the real ones."""

from dataclasses import dataclass

import numpy as np

from faces.landmarks import MOUTH, STABLE, apply_affine, fit_similarity, interocular


@dataclass(frozen=True)
class LandmarkDistances:
    """Mean distance of the 20 mouth points in each frame; every field is (N,) float64.

    Attributes:
        raw: as the landmarks lie in the frame, so head pose and position count as well.
        aligned: after the generated face was laid on the real one by the similarity transform that fits the stable points
            (nose, eye corners), so only the mouth counts.
        normalised: `aligned` over the distance of the real outer eye corners; without unit, comparable between crops.
    """

    raw: np.ndarray
    aligned: np.ndarray
    normalised: np.ndarray


def mouth_distances(generated, real, to_crop):
    """Mouth landmark distances of generated to real, frame by frame.

    LMD goes back to Chen et al. 2018 (ECCV, "Lip movements generation at a glance"); papers differ in crop and alignment, so
    all three readings are given.

    Args:
        generated, real: (N, 68, 2) float, pixels of the same frame.
        to_crop: (N, 2, 3) frame -> face crop, from the real face; `raw` and `aligned` come in pixels of that crop, so the size
            of the face in the frame does not count.

    Returns:
        LandmarkDistances; NaN where landmarks are NaN.
    """
    generated, real = np.asarray(generated, np.float64), np.asarray(real, np.float64)
    if generated.shape != real.shape or generated.shape[1:] != (68, 2):
        raise ValueError(f"landmarks must both be (N, 68, 2), not {generated.shape} and {real.shape}")
    generated, real = apply_affine(to_crop, generated), apply_affine(to_crop, real)
    aligned = _mouth_distance(align_stable(generated, real), real)
    return LandmarkDistances(_mouth_distance(generated, real), aligned, aligned / interocular(real))


def second_differences(landmarks, seen):
    """Length of x(t+1) - 2 x(t) + x(t-1) of each point, over the distance of the outer eye corners at t.

    Args:
        landmarks: (N, 68, 2) float; seen: (N,) bool, frames with a face.

    Returns:
        (n, 68) float64, of the n frames that have a face like both their neighbours.
    """
    points = np.asarray(landmarks, np.float64)
    inside = seen[:-2] & seen[1:-1] & seen[2:]
    moved = (points[2:] - 2 * points[1:-1] + points[:-2])[inside]
    return np.linalg.norm(moved, axis=-1) / interocular(points[1:-1][inside])[:, None]


def align_stable(source, target):
    """Lay `source` on `target` by the similarity transform that fits the points that speech hardly moves; (..., 68, 2) each."""
    stable = list(STABLE)
    return apply_affine(fit_similarity(source[..., stable, :], target[..., stable, :]), source)


def _mouth_distance(first, second):
    return np.linalg.norm(first[..., MOUTH, :] - second[..., MOUTH, :], axis=-1).mean(-1)

"""Whose face some crops show."""

import numpy as np

from benchmarks.held_out.drive import BORDER, ENLARGE, enlarge

EMBEDDED_EVERY = 10  # frames from one to the next whose face is embedded


def embedding_of(footage, embedder):
    """Mean embedding of the faces of some frames.

    Args:
        footage: benchmarks.held_out.drive.Footage; embedder: metrics.networks.face_embedding.FaceEmbedder.

    Returns:
        (128,) float64 of unit length; None where no face was found.
    """
    found = []
    for crop, points in zip(footage.crops[::EMBEDDED_EVERY], footage.landmarks[::EMBEDDED_EVERY], strict=True):
        if np.isfinite(points).all():
            found.append(embedder(enlarge(crop), points * ENLARGE + (ENLARGE - 1) / 2 + BORDER))
    if not found:
        return None
    mean = np.mean(found, 0)
    return mean / max(np.linalg.norm(mean), 1e-12)

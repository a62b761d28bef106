"""Whose face some crops show."""

import numpy as np

from benchmarks.held_out.drive import BORDER, ENLARGE, enlarge

EMBEDDED_EVERY = 10  # frames from one to the next whose face is embedded


def embeddings_of(footage, embedder, every=EMBEDDED_EVERY):
    """Embeddings of the faces of some frames.

    Args:
        footage: benchmarks.held_out.drive.Footage; embedder: metrics.networks.face_embedding.FaceEmbedder; every: frames from
            one to the next that is asked.

    Returns:
        list of (128,) float64, of the frames among them in which a face was found.
    """
    return [embedder(enlarge(crop), points * ENLARGE + (ENLARGE - 1) / 2 + BORDER)
            for crop, points in zip(footage.crops[::every], footage.landmarks[::every], strict=True)
            if np.isfinite(points).all()]  # fmt: skip


def embedding_of(footage, embedder):
    """Mean embedding of the faces of some frames; arguments as of `embeddings_of`.

    Returns:
        (128,) float64 of unit length; None where no face was found.
    """
    found = embeddings_of(footage, embedder)
    if not found:
        return None
    mean = np.mean(found, 0)
    return mean / max(np.linalg.norm(mean), 1e-12)

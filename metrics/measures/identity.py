"""Is it still the same person: face embeddings of the generated video against those of the real one."""

import weakref

import numpy as np

from metrics.measures.base import Findings, VideoMeasure
from metrics.rows import Column

PLACE = 70
FRAMES = 8


class Identity(VideoMeasure):
    """Cosine and distance of each embedding to the mean of the real video's at other times, mean over frames.

    Up to 8 frames with a face are looked at, evenly spread (80 ms each on a CPU core), in the real video, too. The mean that a
    frame is held against leaves out the real frame nearest to it in time, so that neither the real video nor a copied frame is
    held against itself. The row of the real video shows how much one person differs from himself.

    Args:
        embedder: metrics.networks.face_embedding.FaceEmbedder.
    """

    columns = (
        Column("identity_cosine", "identity cos", "high", 3, "cosine of the face embedding with the mean of the real "
               "video's, -1 to 1", paired_only=False),
        Column("identity_distance", "identity dist.", "low", 3, "Euclidean distance of the same; dlib's author calls two "
               "faces below 0.6 the same person", paired_only=False),
    )  # fmt: skip

    def __init__(self, embedder):
        self._embedder, self._real, self._kept = embedder, lambda: None, None

    def facts(self, options):
        return {"identity_network": self._embedder.name, "identity_sha256": self._embedder.sha256}

    def look(self, view):
        if self._real() is not view.real:  # a weak reference, so that the frames of the last real video are let go
            self._real, self._kept = weakref.ref(view.real), self._embed(view.real)
        at, real = self._kept
        made_at, made = (at, real) if view.footage is view.real else self._embed(view.footage)
        if len(real) < 2 or not len(made):
            return Findings(dict.fromkeys(column.key for column in self.columns), ["identity: too few frames with a face"])
        cosines, distances = [], []
        for time, vector in zip(made_at, made, strict=True):
            others = np.delete(real, np.abs(at - time).argmin(), 0).mean(0)
            cosines.append(vector @ others / (np.linalg.norm(vector) * np.linalg.norm(others)))
            distances.append(np.linalg.norm(vector - others))
        return Findings({"identity_cosine": float(np.mean(cosines)), "identity_distance": float(np.mean(distances))})

    def _embed(self, footage):
        """((n,) int frame numbers, (n, D) float64 embeddings)."""
        seen = np.flatnonzero(footage.detected)
        chosen = seen[np.unique(np.linspace(0, len(seen) - 1, min(FRAMES, len(seen))).round().astype(int))]
        if footage.still:
            chosen = chosen[:1]
        wanted, found = set(chosen.tolist()), []
        for at, frame in enumerate(footage.frames()):
            if at in wanted:
                found.append(self._embedder(frame, footage.track.landmarks[at]))
                if len(found) == len(wanted):
                    break
        return chosen, np.array(found).reshape(len(chosen), -1)


def build(networks):
    return networks.embedder and Identity(networks.embedder)

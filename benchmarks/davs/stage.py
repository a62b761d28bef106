"""One network that draws, and what is read from its pictures: landmarks, opening of the mouth, whose face it is."""

import numpy as np
import torch

from benchmarks.davs.codes import BATCH, codes_of
from benchmarks.held_out.drive import BORDER, ENLARGE, enlarge, read_crops

SILENT_FRAMES = 12  # all frames of digital silence have one code
EMBEDDED_EVERY = 10  # frames from one to the next whose face is embedded


class Stage:
    """Draws and reads crops; what is read of real sentences, and their codes, are kept.

    Args:
        tested: benchmarks.davs.networks.Tested of the stage "generate".
        corpus: datasets.prepared.PreparedCorpus.
        detector: faces.detectors.Detector.
        embedder: metrics.networks.face_embedding.FaceEmbedder.
    """

    def __init__(self, tested, corpus, detector, embedder):
        self.tested, self.corpus, self._detector, self._embedder = tested, corpus, detector, embedder
        self._real, self._codes = {}, {}

    def real(self, row):
        """benchmarks.held_out.drive.Footage of the real crops of a sentence."""
        if row.id not in self._real:
            self._real[row.id] = self.read(np.array(self.corpus.open(row)["face"]))
        return self._real[row.id]

    def read(self, crops):
        """Footage of (N, S, S, 3) uint8 crops, read as held-out crops of the other families are: enlarged three times."""
        return read_crops(crops, self._detector)

    def codes(self, row, side):
        """(F, D) tensor: speech codes of a sentence, of its "audio" or its "video"."""
        if row.id not in self._codes:
            self._codes[row.id] = codes_of(self.tested, self.corpus, row)
        return torch.from_numpy(getattr(self._codes[row.id], side))

    @torch.inference_mode()
    def silence(self):
        """(SILENT_FRAMES, D) tensor: codes of digital silence."""
        return self.tested.model.hear(torch.zeros(SILENT_FRAMES, 20, 12))

    def first(self, row):
        """(S, S, 3) uint8: the first crop of a sentence."""
        return np.array(self.corpus.open(row)["face"][0])

    @torch.inference_mode()
    def draw(self, picture, codes):
        """Crops drawn from one identity picture.

        Args:
            picture: (S, S, 3) uint8 RGB; codes: (N, D) tensor.

        Returns:
            (N, S, S, 3) uint8.
        """
        model = self.tested.model
        identity = model.identify(torch.from_numpy(picture)[None].permute(0, 3, 1, 2).float() / 255)
        made = [model.draw(identity, part) for part in codes.split(BATCH)]
        return (torch.cat(made) * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()

    def embedding(self, footage):
        """(128,) float64 of unit length: mean embedding of the faces of some frames; None where none was found."""
        found = []
        for crop, points in zip(footage.crops[::EMBEDDED_EVERY], footage.landmarks[::EMBEDDED_EVERY], strict=True):
            if np.isfinite(points).all():
                found.append(self._embedder(enlarge(crop), points * ENLARGE + (ENLARGE - 1) / 2 + BORDER))
        if not found:
            return None
        mean = np.mean(found, 0)
        return mean / max(np.linalg.norm(mean), 1e-12)

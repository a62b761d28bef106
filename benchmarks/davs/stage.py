"""One network that draws, and what is read from its pictures: landmarks, opening of the mouth, whose face it is."""

import numpy as np
import torch

from benchmarks.davs.codes import BATCH, codes_of
from benchmarks.held_out.drive import read_crops
from benchmarks.held_out.kept import once
from benchmarks.held_out.rest import QUIET_FRAMES, quiet_cepstra
from benchmarks.held_out.whose import embedding_of
from speech.mfcc_windows import mfcc_windows

PAUSE = 0.12  # seconds between a word and a pause: a frame hears 0.1 s to both sides


class Stage:
    """Draws and reads crops; what is read of real sentences, and their codes, are kept for a while (benchmarks.held_out.kept).

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
        return once(self._real, row.id, lambda: self.read(np.array(self.corpus.open(row)["face"])))

    def read(self, crops):
        """Footage of (N, S, S, 3) uint8 crops, read as held-out crops of the other families are: enlarged three times."""
        return read_crops(crops, self._detector)

    def codes(self, row, side):
        """(F, D) tensor: speech codes of a sentence, of its "audio" or its "video"."""
        found = once(self._codes, row.id, lambda: codes_of(self.tested, self.corpus, row))
        return torch.from_numpy(getattr(found, side))

    @torch.inference_mode()
    def quiet(self):
        """(QUIET_FRAMES, D) tensor: codes of quiet noise, see benchmarks.held_out.rest."""
        windows = mfcc_windows(quiet_cepstra(), range(QUIET_FRAMES), 25)
        return self.tested.model.hear(torch.from_numpy(windows))

    def pauses(self, row):
        """(F,) bool: frames of a sentence in whose sound no word is; all False where its words are not known."""
        from datasets.words import KIND, read_words

        if "from" not in row.side.get(KIND, {}):
            return np.zeros(row.frames, bool)
        times, _ = read_words(self.corpus.folder, row)
        middles = (np.arange(row.frames) + 0.5) / row.fps
        near = (middles[:, None] > times[:, 0] - PAUSE) & (middles[:, None] < times[:, 1] + PAUSE)
        return ~near.any(1)

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
        """(128,) float64 of unit length: see benchmarks.held_out.whose."""
        return embedding_of(footage, self._embedder)

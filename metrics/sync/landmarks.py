"""The judge that reads landmarks: lips and sound of a video in the space of `models.lips.sync`; no pixels."""

import numpy as np
import torch

from common.errors import InputError
from faces.mouth import canonical_mouth, resting_mouth
from faces.tracking.smoothing import segments
from metrics.networks.precision import precision_of
from metrics.sync.score import COSINES, FPS
from speech.features import features
from speech.waveform import SAMPLE_RATE, to_waveform


class LandmarkJudge:
    """A lip-sync judge by landmarks, such as checkpoints/lip_sync_b.safetensors; its figures bear its own name, never LSE.

    Args:
        checkpoint: training.checkpoint.Checkpoint of a lip_sync.

    Raises:
        InputError: it hears the speech embedding, and the package with its weights is missing.

    Attributes:
        name, sha256, is_lse, rule, precision: as of the other judges, see `metrics.sync.judges`.
        by_landmarks: it wants landmarks in place of crops.
        hears: kind of speech feature.
    """

    by_landmarks, is_lse, crop_spec, rule = True, False, None, COSINES

    def __init__(self, checkpoint):
        self.name, self.sha256 = checkpoint.path.stem, checkpoint.sha256
        self._model = checkpoint.model.eval()
        weight = self._model.scale
        self._device, self.precision = weight.device, precision_of(weight)
        self.hears, self.dimension = self._model.features, self._model.dimension
        try:
            features(self.hears, np.zeros(SAMPLE_RATE, np.float32), 0, 1)
        except InputError as error:
            raise InputError(f"{checkpoint.path}: {error}. evaluate.py also takes "
                             "--expert checkpoints/lip_sync_mel.safetensors, and --expert none") from error  # fmt: skip

    @torch.inference_mode()
    def embed(self, landmarks, present, samples, rate):
        """Embed lips and sound of every run of frames with a face.

        Args:
            landmarks: (N, 68, 2) float, of each twenty-fifth of a second; present: (N,) bool.
            samples: (channels, n) float32, full scale 1, beginning with the first frame; rate: samples a second.

        Returns:
            list of (lips, sound), both (n, D) float32 on the CPU: an embedding for each frame that sound covers, too.
        """
        waveform = to_waveform(samples, rate)
        count = min(len(landmarks), len(waveform) * FPS // SAMPLE_RATE)
        runs = segments(np.asarray(present[:count]))
        if not runs:
            return []
        points = canonical_mouth(landmarks)
        rest = self._moved(resting_mouth(points[present]))[None]
        heard = self._moved(features(self.hears, waveform, 0, count))[None]
        sound = self._model.sound(heard)[0].cpu()
        seen = [self._model.lips(self._moved(points[start:end])[None], rest)[0].cpu() for start, end in runs]
        return [(lips, sound[start:end]) for lips, (start, end) in zip(seen, runs, strict=True)]

    def least_confidence(self, frames):
        """Confidence from which on an offset is sure, see `models.lips.sync.LipSync`."""
        return self._model.least_confidence(frames)

    def _moved(self, array):
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self._device)



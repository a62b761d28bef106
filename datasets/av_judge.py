"""AV offsets by a judge of lip sync (models.lip_sync): by how many frames the sound of a clip trails its picture.

The judge knows strangers, because it sees mouth landmarks and hears speech features. Every frame's lips are laid against the
sound of every shift up to 15 frames; the shift that fits best is the offset, and how far it stands out of all of them is the
confidence. How much it takes to be sure grows as clips get shorter; the checkpoint says it. docs/av_offset.md has figures.
"""

import numpy as np
import torch

from datasets.av_offset import FPS, MAX_LAG, NOTHING, AvOffset, at_places, is_still, vertex
from faces.mouth import canonical_mouth, resting_mouth
from models.lip_sync import shift_cosines
from speech.features import features
from speech.waveform import SAMPLE_RATE

MIN_COMMON = 13  # frames at FPS that sound and lips share at every shift that is tried
MIN_FRAMES = 22  # of the shortest clip: 9 shifts to either side


class JudgeOffset:
    """Measures AV offsets with a judge; may be sent to other processes.

    Args:
        model: models.lip_sync.LipSync in eval mode, on the CPU.
        name: of the measure, for the manifest, such as the checkpoint's name and hash.
    """

    def __init__(self, model, name):
        self.name, self._model = name, model

    def check(self):
        """InputError where the package is missing that the judge hears with."""
        features(self._model.features, np.zeros(SAMPLE_RATE, np.float32), 0, 1)

    def __call__(self, waveform, landmarks, fps):
        """AV offset of one clip; between -15 and 15 frames of 40 ms, less in clips that are shorter than 28 of them.

        The confidence is 0, and so are the frames, for a clip shorter than 22 frames, a mouth that does not move, silence, and
        where the agreement still grows at the outermost shift.

        Args:
            waveform: (n,) float32 in [-1, 1], 16 kHz, beginning with the picture.
            landmarks: (N, 68, 2) float, in pixels of any frame or crop; frame t lies at (t + 1/2) / fps.
            fps: of the landmarks, above 0.

        Returns:
            datasets.av_offset.AvOffset.
        """
        rate = float(fps)
        length = int(min(len(landmarks) / rate, len(waveform) / SAMPLE_RATE) * FPS + 1e-6)
        if length < MIN_FRAMES or is_still(landmarks) or not np.any(waveform):
            return NOTHING
        points = canonical_mouth(landmarks).reshape(len(landmarks), -1)
        points = at_places(points, (np.arange(length) + 0.5) / FPS * rate - 0.5).reshape(length, -1, 2)
        return self.compare(points, self.hear(waveform, length), rate)

    def hear(self, waveform, length):
        """(length, F) float32: the features that the judge hears, from the sound's beginning on."""
        return features(self._model.features, waveform, 0, length)

    @torch.inference_mode()
    def compare(self, points, heard, rate=FPS):
        """AvOffset of N frames at FPS, counted in frames of `rate`.

        Args:
            points: (N, 20, 2) float, of the mouth in the canonical frame (faces.mouth.canonical_mouth).
            heard: (N, F) float32 of `hear`.
        """
        length = len(points)
        points = np.asarray(points, np.float32)
        given = (points, heard, np.asarray(resting_mouth(points), np.float32))
        lips, sound = (vectors[0] for vectors in self._model.embed(*(torch.from_numpy(one)[None] for one in given)))
        reach = min(MAX_LAG, length - MIN_COMMON)
        curve = shift_cosines(lips, sound, reach).numpy().astype(np.float64)
        best = int(curve.argmax())
        confidence, least = float(curve[best] - np.median(curve)), self._model.least_confidence(length)
        if confidence <= 0 or best in (0, len(curve) - 1):
            return AvOffset(0.0, 0.0, float(curve[best]), least)
        frames = (best - reach + vertex(curve, best)) * rate / FPS
        return AvOffset(round(float(frames), 3), round(confidence, 4), float(curve[best]), least)

"""AV offsets by judges of lip sync (models.lips.sync): by how many frames the sound of a clip trails its picture.

A judge knows strangers, because it sees mouth landmarks and hears speech features. Every frame's lips are laid against the
sound of every shift up to 15 frames; the shift that fits best is the offset. docs/av_offset.md has the measured figures.
"""

import numpy as np
import torch

from datasets.av_offset import FPS, MAX_LAG, NOTHING, AvOffset, at_places, is_still, vertex
from faces.mouth import canonical_mouth, resting_mouth
from models.lips.sync import shift_cosines
from speech.features import features
from speech.waveform import SAMPLE_RATE

MIN_COMMON = 13  # frames at FPS that sound and lips share at every shift that is tried
MIN_FRAMES = 22  # of the shortest clip: 9 shifts to either side
BESIDE = 2  # frames around the best shift whose agreement is no rival's
SURE = 0.44  # confidence from which on an offset is believed; chosen by benchmarks.sync.av_measures, see docs/av_offset.md


class JudgeOffset:
    """Measures AV offsets with one judge, or with several whose agreements are averaged; may be sent to other processes.

    Args:
        models: list of models.lips.sync.LipSync in eval mode, on the CPU.
        name: of the measure, for the manifest, such as the checkpoints' names and hashes.
    """

    def __init__(self, models, name):
        self.name, self._models = name, list(models)

    def check(self):
        """InputError where the package is missing that a judge hears with."""
        self.hear(np.zeros(SAMPLE_RATE, np.float32), 1)

    def __call__(self, waveform, landmarks, fps):
        """AV offset of one clip; between -15 and 15 frames of 40 ms, less in clips that are shorter than 28 of them.

        The agreement at a shift is the mean cosine over the frames in common, times their share of the clip: where few frames
        are left, much agreement is chance. The confidence is sqrt(prominence * margin * seconds): by how much the best
        agreement lies above the median of all, and above the best one more than two frames away; and the clip's length, so that
        a short clip needs more. It is 0, and so are the frames, for a clip shorter than 22 frames, a mouth that does not move,
        silence, and where the agreement still grows at the outermost shift.

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
        """{kind of feature that a judge hears: (length, F) float32}, from the sound's beginning on."""
        return {kind: features(kind, waveform, 0, length) for kind in sorted({model.features for model in self._models})}

    def compare(self, points, heard, rate=FPS):
        """AvOffset of N frames at FPS, counted in frames of `rate`.

        Args:
            points: (N, 20, 2) float, of the mouth in the canonical frame (faces.mouth.canonical_mouth).
            heard: {kind: (N, F) float32} of `hear`.
        """
        count, reach = len(points), min(MAX_LAG, len(points) - MIN_COMMON)
        points = np.asarray(points, np.float32)
        cosines = np.mean([self._cosines(model, points, heard[model.features], reach) for model in self._models], 0)
        shares = 1 - np.abs(np.arange(-reach, reach + 1)) / count
        curve = cosines * shares
        best = int(curve.argmax())
        away = np.abs(np.arange(len(curve)) - best) > BESIDE
        prominence, margin = curve[best] - np.median(curve), curve[best] - curve[away].max()
        if min(prominence, margin) <= 0 or best in (0, len(curve) - 1):
            return AvOffset(0.0, 0.0, float(cosines[best]), SURE)
        frames = (best - reach + vertex(curve, best)) * rate / FPS
        confidence = np.sqrt(prominence * margin * count / FPS)
        return AvOffset(round(float(frames), 3), round(float(confidence), 4), float(cosines[best]), SURE)

    @staticmethod
    @torch.inference_mode()
    def _cosines(model, points, heard, reach):
        """(2 reach + 1,) float64: mean cosine of the lips of frame t and the sound of frame t + shift, of each shift."""
        given = (points, heard, np.asarray(resting_mouth(points), np.float32))
        lips, sound = model.embed(*(torch.from_numpy(one)[None] for one in given))
        return shift_cosines(lips[0], sound[0], reach).numpy().astype(np.float64)

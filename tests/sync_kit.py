"""For the tests of sync: drawn videos with a face that a test detector finds, sounds, and a judge of light and loudness."""

from fractions import Fraction

import numpy as np
import torch

from faces.detectors import Face
from media import VideoWriter
from metrics.sync.crops import TrackRules
from metrics.sync.score import PADDED
from tests.faces_kit import plain_face

WIDTH, HEIGHT, EYES = 160, 176, 32.0
RULES = TrackRules(min_track=6, min_face=20)
RATE = 16000


class RedSpot:
    """Finds the face that `draw` marks with a red square between its eyes."""

    name, version = "red spot", "1"

    def detect(self, frame):
        rows, columns = np.nonzero((frame[..., 0] > 150) & (frame[..., 1] < 90) & (frame[..., 2] < 90))
        if len(rows) < 16:
            return []
        return [Face.from_landmarks(plain_face(columns.mean() + 0.5, rows.mean() + 0.5, EYES), 1.0)]

    def follow(self, frame, face):
        return next(iter(self.detect(frame)), None)

    def close(self):
        pass


def draw(number, level=0, seen=True):
    """A frame that no other equals; the face sways, and above it is a field whose brightness is `level`."""
    random = np.random.default_rng(number)
    frame = np.repeat(np.repeat(random.integers(60, 160, (HEIGHT // 16, WIDTH // 16, 1), np.uint8), 16, 0), 16, 1).repeat(3, 2)
    x, y = 80 + 4 * (number % 3), 68
    frame[:60] = level
    if seen:
        frame[y - 4 : y + 4, x - 4 : x + 4] = (255, 0, 0)
    return frame


def write(path, frames, fps=25):
    with VideoWriter(path, width=WIDTH, height=HEIGHT, fps=Fraction(fps), crf=1) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def flashes(count, times, fps=25):
    """Brightness of each frame: 255 where it is on screen at one of the times, else 0."""
    lit = {int(time * fps + 0.01) for time in times}
    return [255 * (at in lit) for at in range(count)]


def clicks(seconds, times, rate=RATE):
    """(1, n) float32: quiet, and loud for a twenty-fifth of a second from each time on."""
    sound = np.zeros((1, round(seconds * rate)), np.float32)
    for time in times:
        sound[0, round(time * rate) : round((time + 0.04) * rate)] = 0.9
    return sound


class Level:
    """A judge that compares brightness with loudness, frame by frame, and keeps what it was shown."""

    dimension, by_landmarks = 1, False

    def __init__(self, crop_spec=None, rule=PADDED):
        self.crop_spec, self.rule, self.shown, self.heard = crop_spec, rule, [], []

    def lips(self, crops):
        crops = [np.array(crop) for crop in crops]
        self.shown.append(crops)
        level = [float(crop[: len(crop) // 8].mean()) / 255 for crop in crops]
        return torch.tensor(level)[: max(0, len(crops) - 4), None]

    def sound(self, samples, rate, count):
        self.heard.append(samples)
        edges = [round(at / 25 * rate) for at in range(count + 1)]
        peaks = [np.abs(samples[0, a:b]).mean() for a, b in zip(edges, edges[1:], strict=False)]
        return torch.tensor(np.array(peaks), dtype=torch.float32)[:, None]

"""A talking head whose mouth opening is known in every frame, with a voice that follows it: ground truth for the main job.

The head is scikit-image's astronaut picture (public domain, inside the wheel), because face detectors find a photograph and
often miss a drawing. Its mouth is opened and closed by moving the lower lip and the chin; the gap shows teeth and a dark mouth.
The head sways a little, so that tracking has work to do. The voice is a sum of harmonics: opening makes it louder and raises
its first formant, as in speech; with closed lips there is silence.
"""

from fractions import Fraction

import cv2
import numpy as np

RATE = 16000
FULL_GAP = 16.0  # inner-lip gap at opening 1, in pixels of the picture; the outer eye corners are 61 apart
VIEW = (111.0, 8.0, 224.0)  # left, top and side of the view in the picture

# Inner lips of the picture, measured with MediaPipe on a fourfold enlargement; corners first and last.
_UPPER = [(204.1, 140.4), (209.8, 141.0), (213.5, 141.7), (218.2, 142.6), (224.1, 143.3), (230.1, 142.9), (234.9, 142.2),
          (238.8, 141.7), (244.5, 141.4)]  # fmt: skip
_LOWER = [(204.1, 140.4), (207.4, 143.8), (210.0, 146.1), (213.6, 148.4), (218.2, 150.1), (223.8, 150.9), (229.5, 150.5),
          (234.2, 149.1), (238.1, 147.0), (240.9, 144.7), (244.5, 141.4)]  # fmt: skip
_PATCH = (176, 128, 272, 192)  # part of the picture that moves with the mouth: x1, y1, x2, y2
_CHIN_END = 186.0  # the row below the chin where nothing moves any more
_DARK = np.array([46.0, 18.0, 20.0])


def opening_track(seconds, seed, rate=RATE):
    """A random mouth opening over time: words of one to four syllables, closed lips and silence between them.

    Args:
        seconds: length.
        seed: int; equal seeds give equal tracks.
        rate: samples a second.

    Returns:
        (round(seconds * rate),) float32 in [0, 1]; sample i is the opening at time i / rate; 0 at both ends.
    """
    generator = np.random.default_rng(seed)
    track = np.zeros(round(seconds * rate), np.float32)
    start = generator.uniform(0.08, 0.25)
    while True:
        for _ in range(generator.integers(1, 5)):
            length, peak = generator.uniform(0.18, 0.36), generator.uniform(0.35, 1.0)
            if start + length > seconds:
                return track
            first, last = int(start * rate), int((start + length) * rate)
            track[first:last] = peak * 0.5 * (1 - np.cos(2 * np.pi * np.arange(last - first) / (last - first)))
            start += length * generator.uniform(0.9, 1.1)
        start += generator.uniform(0.15, 0.5)


def voice(opening, seed=0, rate=RATE):
    """The sound of a mouth: harmonics under two formants.

    Args:
        opening: (n,) float in [0, 1], the opening at every audio sample.
        seed: int; sets pitch and its slow drift.
        rate: samples a second.

    Returns:
        (n,) float32 in [-0.6, 0.6], zero where `opening` is zero.
    """
    generator = np.random.default_rng([seed, 1])
    time = np.arange(len(opening)) / rate
    pitch = generator.uniform(105, 190) * (1 + 0.06 * np.sin(2 * np.pi * generator.uniform(0.3, 0.8) * time + seed))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    first, second = 280 + 520 * opening, 900 + 450 * opening
    sound = np.zeros(len(opening))
    for harmonic in range(1, 31):
        frequency = harmonic * pitch
        gain = 1 / (1 + ((frequency - first) / 90) ** 2) + 0.5 / (1 + ((frequency - second) / 130) ** 2) + 0.004
        sound += gain / np.sqrt(harmonic) * np.sin(harmonic * phase)
    sound *= np.asarray(opening, np.float64) ** 0.8
    return (0.6 * sound / max(np.abs(sound).max(), 1e-9)).astype(np.float32)


class TalkingPicture:
    """The astronaut with a mouth that can be set; all maps are in pixels of the picture."""

    def __init__(self):
        from skimage import data

        self.picture = data.astronaut()
        x1, y1, x2, y2 = _PATCH
        self.x, self.y = (grid.astype(np.float32) for grid in np.meshgrid(np.arange(x1, x2), np.arange(y1, y2)))
        columns = np.arange(x1, x2)
        self.upper = np.interp(columns, *zip(*_UPPER, strict=True)).astype(np.float32)
        self.lower = np.interp(columns, *zip(*_LOWER, strict=True)).astype(np.float32)
        self.gap = self.lower - self.upper
        self.chin = self.gap.max() * np.exp(-(((columns - 224.0) / 24.0) ** 4)).astype(np.float32)

    def _pull(self, row, stretch):
        """How far the skin at source `row` moves down when the lips' gap grows by `stretch` times itself."""
        depth = np.clip((row - self.lower) / (_CHIN_END - self.lower), 0, 1)
        mix = np.clip(3 * depth, 0, 1)
        return stretch * ((1 - mix) * self.gap + mix * self.chin) * (1 - depth * depth * (3 - 2 * depth))

    def with_mouth(self, opening):
        """The picture with its inner lips `opening * FULL_GAP` pixels apart: (512, 512, 3) uint8 RGB. `opening` in [0, 1]."""
        stretch = float(opening * FULL_GAP / self.gap.max() - 1)
        source = self.y
        for _ in range(6):
            source = self.y - self._pull(source, stretch)
        below = cv2.remap(self.picture, self.x, np.maximum(source, self.lower + 0.6), cv2.INTER_CUBIC).astype(np.float32)
        above = cv2.remap(self.picture, self.x, np.minimum(self.y, self.upper - 0.4), cv2.INTER_CUBIC).astype(np.float32)
        x1, y1, x2, y2 = _PATCH
        teeth = np.clip((self.upper + 4.5 - self.y) / 2, 0, 1)[..., None] * min(1.0, 1.6 * opening)
        inside = teeth * self.picture[y1:y2, x1:x2] + (1 - teeth) * _DARK
        lower_edge = self.upper + (1 + stretch) * self.gap
        weight_above = np.clip(self.upper - self.y + 0.5, 0, 1)[..., None]
        weight_below = np.minimum(np.clip(self.y - lower_edge + 0.5, 0, 1)[..., None], 1 - weight_above)
        patch = weight_above * above + weight_below * below + (1 - weight_above - weight_below) * inside
        result = self.picture.copy()
        result[y1:y2, x1:x2] = np.clip(np.rint(patch), 0, 255)
        return result


def sway_matrix(seconds, seed, size):
    """Affine matrix (2, 3) from picture to view at a time: up to 3 px of shift, 2.5 degrees of roll, 2 % of zoom."""
    generator = np.random.default_rng([seed, 2])
    rates, starts = generator.uniform(0.1, 0.4, 4), generator.uniform(0, 2 * np.pi, 4)
    shift_x, shift_y, roll, zoom = np.sin(2 * np.pi * rates * seconds + starts) * (3.0, 3.0, 2.5, 0.02)
    matrix = cv2.getRotationMatrix2D((223.0, 125.0), roll, 1 + zoom)
    matrix[:, 2] += (shift_x - VIEW[0], shift_y - VIEW[1])
    return matrix * (size / VIEW[2])


def make_talking_head(path, seconds=4.0, seed=0, *, fps=25, size=256, opening=None):
    """Write a video of the talking head with its voice.

    Args:
        path: .mp4.
        seconds: length; the video gets round(seconds * fps) frames.
        seed: int; sets opening, pitch and sway.
        fps: int or Fraction.
        size: side of the square frames in pixels; the face is about 0.42 of it wide.
        opening: (round(seconds * 16000),) float in [0, 1] to use in place of a random track.

    Returns:
        (N,) float32 in [0, 1]: the opening in every frame, taken at the frame's middle, (i + 0.5) / fps.
    """
    from media import VideoWriter

    fps = Fraction(fps)
    track = opening_track(seconds, seed) if opening is None else np.asarray(opening, np.float32)
    count = round(seconds * fps)
    middles = [float((index + Fraction(1, 2)) / fps) for index in range(count)]
    per_frame = np.interp(np.array(middles) * RATE, np.arange(len(track)), track).astype(np.float32)
    head = TalkingPicture()
    with VideoWriter(path, width=size, height=size, fps=fps, audio=voice(track, seed), sample_rate=RATE) as writer:
        for middle, value in zip(middles, per_frame, strict=True):
            picture, view = head.with_mouth(value), sway_matrix(middle, seed, size)
            writer.write(cv2.warpAffine(picture, view, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))
    return per_frame

"""By how many frames the sound of a clip trails its picture, from the movement of the lips and the mel around each frame.

Two small networks turn the sound around a frame and the lips around a frame into vectors that agree where the two belong
together; sound is laid against lips at every lag, and the best lag is the offset. Lips are lengths between landmarks divided by
the distance of the eyes, standardised over the clip, so that no face's looks matter. `tools/learn_av_offset.py` learns the
networks from GRID; numpy alone runs them here. docs/av_offset.md has the measured figures.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from speech.mel import MEL_RATE, mel_spectrogram

MODEL = Path(__file__).with_name("av_offset.npz")  # remade by `python tools/learn_av_offset.py`
FPS = 25  # the networks' rate; other frame rates are brought to it
MAX_LAG = 15  # frames at FPS
MIN_COMMON = 25  # frames at FPS that sound and lips share at every lag that is tried
BANDS = 20  # the mel's 80 bands, four by four
HEARD = np.arange(-16, 17, 2) / MEL_RATE  # seconds around a frame's middle whose sound it is given
SEEN = 4  # frames before and after whose lips it is given
SHAPES = 8  # lengths of `lip_shape`
STILL = 0.005  # mean deviation of the inner opening over the eyes' distance; talk has 0.02 and more, trembling landmarks 0.001
_BESIDE = 2  # frames around the best lag whose agreement is no rival's
_PAIRS = ((48, 54), (60, 64), (33, 8), (33, 51), (33, 57))
CONFIDENT = 0.3  # confidence from which on an offset is believed; docs/av_offset.md has what that keeps, and how much is right


@dataclass(frozen=True)
class AvOffset:
    """What was measured of a clip.

    Attributes:
        frames: of the clip's rate by which the sound trails the picture: what is heard at frame t + frames was spoken at frame
            t of the picture. Negative where the sound leads. 0.0 where nothing could be measured.
        confidence: from 0 on; how far the best lag stands out, see `measure_av_offset`.
        agreement: mean cosine of sound and lips at the best lag, -1 to 1.
        least: confidence from which on this measurement of this clip is to be believed.
    """

    frames: float
    confidence: float
    agreement: float
    least: float = CONFIDENT

    @property
    def sure(self):
        """Whether the confidence is one at which the measurement is to be believed."""
        return 0 < self.confidence >= self.least


NOTHING = AvOffset(0.0, 0.0, 0.0)


def measure_av_offset(mel, landmarks, fps, model=None):
    """AV offset of one clip; between -15 and 15 frames of 40 ms, less in clips that are shorter than 1.6 s.

    The confidence is sqrt(agreement * margin * seconds): the agreement at the best lag, by how much it lies above that of the
    best lag more than two frames away from it, and the clip's length. It is 0, and so are the frames, for a clip shorter than
    1.16 s, a mouth that does not move, silence, and where the agreement still grows at the outermost lag.

    Args:
        mel: (80, m) float32 of speech.mel; column m lies at m / 80 s.
        landmarks: (N, 68, 2) float, in pixels of any frame or crop; frame t lies at (t + 1/2) / fps.
        fps: of the landmarks, above 0.
        model: OffsetModel; None takes the stored one.

    Returns:
        AvOffset.
    """
    rate = float(fps)
    length = int(min(len(landmarks) / rate, mel.shape[1] / MEL_RATE) * FPS + 1e-6)
    if length < MIN_COMMON + _BESIDE + 2 or is_still(landmarks):  # too few lags to compare
        return NOTHING
    seconds = (np.arange(length) + 0.5) / FPS
    shape = at_places(lip_shape(landmarks), seconds * rate - 0.5)
    scores = (model or stored_model()).scores(sound_features(mel, seconds), lip_features(shape))
    reach, best = len(scores) // 2, int(scores.argmax())
    margin = scores[best] - scores[np.abs(np.arange(len(scores)) - best) > _BESIDE].max()
    if min(scores[best], margin) <= 0 or best in (0, len(scores) - 1):
        return AvOffset(0.0, 0.0, float(scores[best]))
    frames = (best - reach + vertex(scores, best)) * rate / FPS
    confidence = np.sqrt(scores[best] * margin * length / FPS)
    return AvOffset(round(float(frames), 3), round(float(confidence), 4), float(scores[best]))


def is_still(landmarks):
    """Whether the mouth does not move, trembling of landmarks aside: (N, 68, 2), N > 0 -> bool."""
    opening = lip_shape(landmarks)[:, 0]
    return bool(np.abs(opening - np.median(opening)).mean() < STILL)


def lip_shape(landmarks):
    """Lengths around the mouth over the distance of the eyes: (N, 68, 2) -> (N, 8) float64.

    Inner and outer opening, outer and inner width, nose to chin, nose to upper lip, nose to lower lip, thickness of the lips.
    """
    points = np.asarray(landmarks, np.float64)

    def length(one, other):
        return np.linalg.norm(points[:, one] - points[:, other], axis=-1)

    eyes = np.median(np.linalg.norm(points[:, 36:42].mean(1) - points[:, 42:48].mean(1), axis=-1))
    inner = length([61, 62, 63], [67, 66, 65]).mean(-1)
    outer = length([50, 51, 52], [58, 57, 56]).mean(-1)
    lips = length([51, 57], [62, 66]).mean(-1)
    return np.stack([inner, outer, *(length(*pair) for pair in _PAIRS), lips], -1) / max(eyes, 1e-6)


def lip_features(shape):
    """Lengths standardised over the clip, by median and mean deviation, of each frame with four before and after it.

    Args:
        shape: (n, 8) of `lip_shape`, at 25 frames a second.

    Returns:
        (n, 72) float64 in [-4, 4].
    """
    centred = shape - np.median(shape, 0)
    clipped = np.clip(centred / (1.25 * np.abs(centred).mean(0) + 1e-3), -4, 4)
    near = np.arange(len(shape))[:, None] + np.arange(-SEEN, SEEN + 1)
    return clipped[np.clip(near, 0, len(shape) - 1)].reshape(len(shape), -1)


def sound_features(mel, seconds, stretch=1.0):
    """The sound 200 ms before and after some times, in 20 bands that are standardised over the clip.

    Args:
        mel: (80, m) float.
        seconds: (n,) times.
        stretch: factor on the 200 ms, for speech at another speed.

    Returns:
        (n, 340) float64.
    """
    bands = np.asarray(mel, np.float64).reshape(BANDS, -1, mel.shape[1]).mean(1).T
    bands = (bands - bands.mean(0)) / (bands.std(0) + 0.3)
    return at_places(bands, ((seconds[:, None] + HEARD * stretch) * MEL_RATE).ravel()).reshape(len(seconds), -1)


def at_places(values, places):
    """Rows of (n, d) at fractional places, linear between them, the outermost beyond them."""
    places = np.clip(places, 0, len(values) - 1)
    low = np.floor(places).astype(int)
    share = (places - low)[:, None]
    return (1 - share) * values[low] + share * values[np.minimum(low + 1, len(values) - 1)]


def vertex(scores, best):
    """Where the parabola through the best score and its neighbours has its top, -0.5 to 0.5; 0 at the ends."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    before, top, after = scores[best - 1 : best + 2]
    bend = before - 2 * top + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


class MelOffset:
    """The measure as an object, like datasets.av_judge.JudgeOffset: it needs no package, and knows few voices and faces.

    Attributes:
        name: of the measure, for the manifest.
    """

    name = "mel"

    def __call__(self, waveform, landmarks, fps):
        """AvOffset of a waveform (n,) in [-1, 1] at 16 kHz and landmarks (N, 68, 2); see `measure_av_offset`."""
        return measure_av_offset(mel_spectrogram(waveform), landmarks, fps) if len(waveform) else NOTHING


class OffsetModel:
    """The networks: several pairs, learned from different beginnings, whose agreements are averaged.

    Args:
        path: .npz with float16 arrays: for `sound` and `lips` each, `<name>_in` (pairs, features, hidden), `<name>_in_bias`
            (pairs, hidden), `<name>_out` (pairs, hidden, d), `<name>_out_bias` (pairs, d).
    """

    def __init__(self, path=MODEL):
        with np.load(path, allow_pickle=False) as stored:
            self._weights = {name: stored[name].astype(np.float32) for name in stored.files}

    def _vectors(self, name, features):
        """(n, f) -> (pairs, n, d) of unit length about the clip's mean; 0 where the clip has nothing but its mean."""
        first, last = (self._weights[f"{name}_{part}"] for part in ("in", "out"))
        bias, last_bias = (self._weights[f"{name}_{part}_bias"][:, None] for part in ("in", "out"))
        vectors = np.maximum(features.astype(np.float32) @ first + bias, 0) @ last + last_bias
        vectors -= vectors.mean(1, keepdims=True)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-3)

    def scores(self, sound, lips):
        """Mean cosine of sound and lips at each lag.

        Args:
            sound: (n, 340) of `sound_features`; lips: (n, 72) of `lip_features`.

        Returns:
            (2 k + 1,) float64, lags -k to k; k is 15, less where fewer than 25 frames would be left in common.
        """
        heard, seen = self._vectors("sound", sound), self._vectors("lips", lips)
        count = len(lips)
        reach = max(0, min(MAX_LAG, count - MIN_COMMON))
        return np.array([
            np.einsum("pnd,pnd->", heard[:, max(0, lag) : count + min(0, lag)], seen[:, max(0, -lag) : count - max(0, lag)])
            / (len(heard) * (count - abs(lag)))
            for lag in range(-reach, reach + 1)
        ], np.float64)  # fmt: skip


@lru_cache(maxsize=1)
def stored_model():
    """The OffsetModel beside this file, read once."""
    return OffsetModel()

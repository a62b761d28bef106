"""Which frames of a track show a covered mouth: a hand, a microphone, a mask, a box (docs/methods.md, section 19).

A small network looks at each lower face, brought upright and cut out along its outline, with the place of the lips as the
landmarks have it, and says how much it looks covered. A face that looks so all along is judged more strictly than one that
changes: beards, shadows and turned heads stay, hands come and go (ours).
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from faces.landmarks import CANONICAL_STABLE, STABLE, apply_affine, fit_similarity
from faces.tracking.smoothing import segments

SIDE = 48  # pixels of the picture of a lower face
LEFT, TOP, WIDTH = -1.0, -0.1, 2.0  # what it shows, in canonical eye distances
FAR = 1 << 20  # sixteenths of a pixel; points beyond are drawn there
INNER_SHADE = 110  # of 255: the inside of the lips in the drawing of them
SPREAD_FLOOR = 8.0  # grey levels added to the spread by which a picture is divided
STRIDES = (2, 1, 2, 1, 2, 2)  # of the network's layers
WEIGHTS = Path(__file__).with_name("covering.npz")
BATCH = 32

# Scores are logits. A frame is covered where its score is above SURE; or above LIKELY, and more than RISE above what is usual
# in its shot. Its neighbours are covered down to WEAK and half the rise.
SURE, LIKELY, RISE, WEAK = 9.0, 7.5, 8.0, 1.0
TURNED, PROFILE = 0.17, 80.0  # place of the nose's tip beside the middle from which on, and how much, a score is lessened
NOSE_TIP = 30
USUAL = 25  # percentile of a shot's scores
CALM = 5  # frames of the median that takes single wrong scores out
LEAST_SECONDS, GAP_SECONDS, FADE_SECONDS = 0.1, 0.2, 0.12


def lower_face(frame, landmarks):
    """The lower face in its canonical place, and drawings of the lips and of the whole face's outline.

    Args:
        frame: (H, W, 3) uint8 RGB.
        landmarks: (68, 2) float, in its pixels.

    Returns:
        (SIDE, SIDE, 5) uint8: the picture; lips and face, 255 inside, as the landmarks have them.
    """
    import cv2

    landmarks = np.asarray(landmarks, np.float64)
    zoom = SIDE / WIDTH
    fit = fit_similarity(landmarks[list(STABLE)], CANONICAL_STABLE) * zoom
    fit[:, 2] -= (LEFT * zoom + 0.5, TOP * zoom + 0.5)
    fine = int(np.clip(np.ceil(0.75 / max(float(np.hypot(fit[0, 0], fit[1, 0])), 1e-6)), 1, 16))
    matrix = fit * fine
    matrix[:, 2] += (fine - 1) / 2
    picture = cv2.warpAffine(frame, matrix, (SIDE * fine,) * 2, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if fine > 1:
        picture = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    points = np.rint(apply_affine(fit, landmarks) * 16).astype(np.int32)
    points = np.clip(points, -FAR, FAR)
    lips, face = np.zeros((2, SIDE, SIDE), np.uint8)
    for part, shade in ((points[48:60], 255), (points[60:68], INNER_SHADE)):
        cv2.fillPoly(lips, [part], shade, cv2.LINE_AA, 4)
    cv2.fillPoly(face, [cv2.convexHull(points[:27])[:, 0]], 255, cv2.LINE_AA, 4)
    return np.dstack([picture, lips, face])


class CoverDetector:
    """Looks at the mouths of a track while it is made; keeps a number a frame.

    Frames are told in order. One without a face is looked at where the face was last: what covers a mouth may hide the face.
    """

    def __init__(self):
        self._waiting, self._scores = [], []

    def add(self, frame, landmarks):
        """Take a frame (H, W, 3) uint8 with landmarks (68, 2); None where nothing is known of the face."""
        known = landmarks is not None and np.isfinite(landmarks).all()
        self._waiting.append((lower_face(frame, landmarks), _profile(landmarks)) if known else None)
        if len(self._waiting) == BATCH:
            self._look()

    def scores(self):
        """(N,) float32 of all frames: how much the mouth looks covered, a logit; NaN where nothing is known."""
        self._look()
        return np.concatenate(self._scores) if self._scores else np.empty(0, np.float32)

    def _look(self):
        if not self._waiting:
            return
        found = np.full(len(self._waiting), np.nan, np.float32)
        known = [at for at, one in enumerate(self._waiting) if one is not None]
        if known:
            pictures, profiles = zip(*(self._waiting[at] for at in known), strict=True)
            found[known] = cover_scores(np.stack(pictures)) - np.array(profiles, np.float32)
        self._scores.append(found)
        self._waiting = []


def _profile(landmarks):
    """What is taken off the score of a face that is turned far: a profile shows half a mouth."""
    landmarks = np.asarray(landmarks, np.float64)
    tip = apply_affine(fit_similarity(landmarks[list(STABLE)], CANONICAL_STABLE), landmarks[[NOSE_TIP]])[0, 0]
    return PROFILE * max(0.0, abs(tip) - TURNED)


def cover_scores(pictures):
    """How much mouths look covered.

    Args:
        pictures: (n, SIDE, SIDE, 5) uint8, see `lower_face`.

    Returns:
        (n,) float32 logits.
    """
    import torch
    from torch.nn import functional

    layers, head = _network()
    values = prepared(torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float())
    with torch.inference_mode():
        for (weight, bias), stride in zip(layers, STRIDES, strict=True):
            values = functional.relu(functional.conv2d(values, weight, bias, stride, 1))
        return functional.linear(values.flatten(1), *head)[:, 0].numpy()


def prepared(planes):
    """What the network sees: the face over its own mean and spread, 0 beside it, and the lips.

    Args:
        planes: (n, 5, SIDE, SIDE) float tensor, 0 to 255, of `lower_face`.

    Returns:
        (n, 4, SIDE, SIDE).
    """
    import torch

    colours, lips, face = planes[:, :3], planes[:, 3:4] / 255, planes[:, 4:] / 255
    count = 3 * face.sum((1, 2, 3), keepdim=True).clamp(min=1)
    away = (colours - (colours * face).sum((1, 2, 3), keepdim=True) / count) * face
    spread = (away.square().sum((1, 2, 3), keepdim=True) / count).sqrt()
    return torch.cat([away / (spread + SPREAD_FLOOR), lips], 1)


def covered_frames(scores, fps, shots=None):
    """Decide which frames are covered.

    Args:
        scores: (N,) float, see `CoverDetector.scores`.
        fps: frames a second.
        shots: (N,) int, number of the shot of each frame; None: all are of one.

    Returns:
        (N,) bool.
    """
    scores = np.asarray(scores, np.float64)
    out = np.zeros(len(scores), bool)
    shots = np.zeros(len(scores), int) if shots is None else np.asarray(shots)
    for shot in np.unique(shots):
        own = np.flatnonzero(shots == shot)
        if np.isfinite(scores[own]).any():
            out[own] = _covered_in_shot(scores[own], float(fps))
    return out


def _covered_in_shot(scores, fps):
    """(n,) bool of the frames of one shot; scores (n,), NaN where nothing is known."""
    known = np.isfinite(scores)
    calm = np.full(len(scores), -np.inf)
    calm[known] = _median(scores[known], CALM)
    usual = min(float(np.percentile(calm[known], USUAL)), SURE)
    seeds = (calm > SURE) | ((calm > LIKELY) & (calm > usual + RISE))
    weak = (calm > WEAK) & ((calm > usual + RISE / 2) | (calm > SURE - RISE / 2))
    covered = np.zeros(len(scores), bool)
    for start, end in segments(weak | seeds):
        covered[start:end] = seeds[start:end].any()
    for start, end in segments(~covered):
        covered[start:end] |= 0 < start and end < len(covered) and end - start <= GAP_SECONDS * fps
    least = min(max(1, round(LEAST_SECONDS * fps)), len(covered))
    for start, end in segments(covered):
        covered[start:end] = end - start >= least
    return covered


def paste_opacity(covered, fps, shots=None):
    """How much of a drawn mouth is laid over each frame, so that it does not pop: 0 where it is covered, 1 away from there.

    Args:
        covered: (N,) bool.
        fps: frames a second; the way from 0 to 1 is FADE_SECONDS long.
        shots: (N,) int, number of the shot of each frame; None: all are of one. What is covered changes nothing beyond a cut.

    Returns:
        (N,) float32 in [0, 1].
    """
    covered = np.asarray(covered, bool)
    opacity, steps = np.ones(len(covered), np.float32), max(1, round(FADE_SECONDS * float(fps))) + 1
    for start, end in segments(np.ones(len(covered), bool), shots):
        there = np.flatnonzero(covered[start:end])
        if len(there):
            numbers = np.arange(end - start)
            after = np.searchsorted(there, numbers).clip(0, len(there) - 1)
            away = np.minimum(np.abs(there[after] - numbers), np.abs(there[np.maximum(after - 1, 0)] - numbers))
            opacity[start:end] = np.minimum(away / steps, 1)
    return opacity


def _median(values, width):
    """(n,) running median; the ends are repeated."""
    half = min(width // 2, max(0, (len(values) - 1) // 2))
    padded = np.pad(values, half, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)


@lru_cache(maxsize=1)
def _network():
    """([(weight, bias) of each convolution], (weight, bias) of the last layer) as torch tensors."""
    import torch

    with np.load(WEIGHTS, allow_pickle=False) as stored:
        tensors = {name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files}
    layers = [(tensors[f"weight{at}"], tensors[f"bias{at}"]) for at in range(len(STRIDES))]
    return layers, (tensors["head_weight"], tensors["head_bias"])

"""Frames of a person from which the lower face is drawn: which are good, which cover the mouth's shapes, which one serves when.

Candidates are chosen by landmarks alone, their pictures are read once, and those that are blurred, covered or lit otherwise are
put aside (docs/methods.md, section 14; ours).
"""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from faces.drawing.looks import LEAST, Looks, nearest_look, small_picture
from faces.drawing.shots import same_looks
from faces.landmarks import CANONICAL_STABLE, OUTER_EYES, STABLE, apply_affine, fit_similarity
from faces.mouth import mouth_opening

SIZE = 48  # entries of a bank, at most
SPARE = 1.5  # candidates for each entry
LEAST_SHARE, MOST = 4, 144  # entries of each shot, if there are enough for all; candidates of a video of many shots, at most
INNER = 2.0  # weight of the inner lips in the mouth's distance
OPEN = 0.5  # weight of the gap that a source's mouth is less open
POSE = 0.5  # weight of the head's pose beside the mouth
BLUR = 0.1  # cost of a source that is less sharp than usual, eye distances for a factor of e
SWITCH = 0.03  # cost of another source, eye distances
FADE = 1  # frames on either side of a change of source, over which the two are mixed
STRANGE = (0.32, 0.45)  # difference of a frame's skin from all entries': from where on it may be, and is, covered
FEW = 6  # one of so many entries is compared first, which is enough for nearly all frames
OUTLINE = (0, 1, 2, 14, 15, 16)


@dataclass(frozen=True)
class Sources:
    """What to draw from.

    Attributes:
        entries: (F, 2) int64 numbers of entries of the bank.
        weights: (F, 2) float32, they sum to 1 in each row, the first is not less than the second; 0 and 0 where no entry is of
            the shot, so that the frame can only serve itself.
    """

    entries: np.ndarray
    weights: np.ndarray

    def __len__(self):
        return len(self.entries)


@dataclass(frozen=True)
class Bank:
    """Frames to draw from.

    Attributes:
        pictures: (R, S, S, 3) uint8 RGB.
        landmarks: (R, 68, 2) float64, in their pixels.
        numbers: (R,) int64, of the source frames, ascending.
        shots: (R,) int64, number of the shot that each belongs to; shots that show the same person in the same light are one.
        shot_of: (N,) int64, the same of every source frame; -1 where entries of all shots may serve.
        blur: (R,) float, 0 for sharp ones, see `faces.drawing.looks.Looks.blur`.
        looks: (R, 48, 48, 3) float32, see `faces.drawing.looks.small_picture`.
    """

    pictures: np.ndarray
    landmarks: np.ndarray
    numbers: np.ndarray
    shots: np.ndarray
    shot_of: np.ndarray
    blur: np.ndarray
    looks: np.ndarray

    def __len__(self):
        return len(self.numbers)

    def sources(self, targets, shown, gap=0, switch=None, fade=None):
        """The entries from which each frame of a result is drawn: the nearest mouth and pose, without needless changes.

        Args:
            targets: (F, 68, 2) float, wanted landmarks, in any pixels; NaN where there is no face.
            shown: (F,) int, number of the source frame on screen.
            gap: an entry is never within this many frames of the frame shown; 0 allows all, the frame itself, too. With
                a gap, a shot without entries is drawn from those of others.
            switch: cost of a change, eye distances; None is SWITCH.
            fade: frames on either side of a change over which two entries are mixed; None is FADE.

        Returns:
            Sources.

        Raises:
            InputError: `gap` leaves a frame without any entry.
        """
        switch, fade = SWITCH if switch is None else switch, int(FADE if fade is None else fade)
        shown = np.asarray(shown)
        cost = distances(targets, self.landmarks) + BLUR * self.blur
        barred = self._barred(shown, gap, 0)
        if barred.all(1).any():
            raise InputError(f"the face video is too short to draw each frame from others at least {gap} frames away")
        # A change of source mixes entries `fade` frames early and late, and none may come too near the frame shown.
        wide = self._barred(shown, gap, fade)
        cost = np.where(np.where(wide.all(1, keepdims=True), barred, wide), np.inf, cost)
        found = faded(cheapest_path(cost, switch), barred, len(self), fade)
        if not gap:
            found.weights[~self._own(shown).any(1) & (self._shot(shown) >= 0)] = 0
        return found

    def uncovered(self, picture, landmarks):
        """How surely nothing lies over the mouth of a frame: 0 where its skin looks like that of no entry (a hand), else 1.

        Args:
            picture: (S, S, 3) uint8 RGB; landmarks: (68, 2) float, in its pixels.

        Returns:
            float in [0, 1]; 1 where the bank has too few entries to tell.
        """
        if len(self) < LEAST:
            return 1.0
        small, _, _ = small_picture(picture, np.asarray(landmarks, np.float64))
        first, last = STRANGE
        away = nearest_look(small, self.looks[::FEW])
        if away > first:
            away = nearest_look(small, self.looks)
        return float(np.clip((last - away) / (last - first), 0, 1))

    def _barred(self, shown, gap, reach):
        """(F, R) bool: entries that may not serve: too near the frame shown, here or `reach` frames away; of another shot."""
        near = np.abs(self.numbers[None] - shown[:, None]) < gap
        for offset in range(1, min(reach, len(shown) - 1) + 1):
            again = near.copy()
            again[offset:] |= near[:-offset]
            again[:-offset] |= near[offset:]
            near |= again
        own = self._own(shown)
        return near | (~own & own.any(1, keepdims=True))

    def _shot(self, shown):
        """(F,) int64: shot of each frame shown."""
        return self.shot_of[np.clip(shown, 0, len(self.shot_of) - 1)]

    def _own(self, shown):
        """(F, R) bool: entries of the shot of each frame shown."""
        return self.shots[None] == self._shot(shown)[:, None]


def build_bank(landmarks, usable, pictures, size=None, shots=None):
    """Choose the frames to draw from.

    Args:
        landmarks: (N, 68, 2) float, of all source frames, in the pixels of their crops; NaN where unknown.
        usable: (N,) bool, the face was found, and lies inside the frame (`FaceTrack.whole`).
        pictures: function of (n,) int64 numbers, ascending -> (n, S, S, 3) uint8 RGB crops; it is called once.
        size: most entries; None is SIZE. More only where there are more shots: each that has a usable frame keeps one at least.
            Of a video of more than MOST shots the longest have entries.
        shots: (N,) int64, the shot of each frame (`FaceTrack.shots`), -1 for frames that entries of all shots may serve; None:
            one shot.

    Returns:
        Bank, with one entry at least.

    Raises:
        InputError: no frame is usable.
    """
    size = int(SIZE if size is None else size)
    landmarks = np.asarray(landmarks, np.float64)
    usable = np.asarray(usable, bool) & np.isfinite(landmarks).all((1, 2))
    if not usable.any():
        raise InputError("no frame of the face video shows a whole face to draw from")
    shots = np.zeros(len(landmarks), np.int64) if shots is None else np.asarray(shots)
    candidates = _candidates(landmarks, usable, shots, int(np.ceil(size * SPARE)))
    shown = pictures(candidates)
    looks = Looks.of(shown, landmarks[candidates])
    merged = same_looks(looks, landmarks[candidates], shots[candidates])
    shot_of = np.array([merged.get(int(shot), int(shot)) for shot in shots], np.int64)
    good = np.zeros(len(candidates), bool)
    for shot in np.unique(shot_of[candidates]):
        own = np.flatnonzero(shot_of[candidates] == shot)
        good[own] = looks.good(own)
    kept = np.flatnonzero(good)
    kept = kept[_of_each(_places(landmarks[candidates[kept]]), shot_of[candidates[kept]], size)]
    numbers = candidates[kept]
    own = np.ascontiguousarray(shown[kept])
    return Bank(own, landmarks[numbers], numbers, shot_of[numbers], shot_of, looks.blur(kept), looks.small[kept])


def distances(targets, sources):
    """Distance of mouth and pose between landmarks, (F, 68, 2) and (R, 68, 2) -> (F, R) float64, eye distances.

    A mouth that opens shows what the source has not, so a source that is less open than the target is further away.
    """
    first, second = _places(targets), _places(sources)
    first = np.where(np.isfinite(first).all(1, keepdims=True), first, second.mean(0))
    square = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    more = np.nan_to_num(OUTER_EYES * mouth_opening(targets))[:, None] - OUTER_EYES * mouth_opening(sources)[None]
    return np.sqrt(np.maximum(square, 0)) + OPEN * np.maximum(more, 0)


def cheapest_path(cost, switch):
    """The path through (F, R) costs that costs least, with `switch` for each change: Viterbi -> (F,) int64."""
    frames, entries = cost.shape
    total, come = cost[0].copy(), np.zeros((frames, entries), np.int64)
    own = np.arange(entries)
    for frame in range(1, frames):
        best = int(np.argmin(total))
        change = total[best] + switch < total
        come[frame] = np.where(change, best, own)
        total = np.where(change, total[best] + switch, total) + cost[frame]
        total -= total[np.argmin(total)]
    path = np.empty(frames, np.int64)
    path[-1] = int(np.argmin(total))
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = come[frame, path[frame]]
    return path


def faded(path, barred, entries, fade):
    """Mix the entries of a path around its changes.

    Args:
        path: (F,) int64.
        barred: (F, R) bool, entries that may not be mixed in.
        entries: R.
        fade: frames on either side of a change; 0 mixes nothing.

    Returns:
        Sources.
    """
    frames = len(path)
    weights = np.zeros((frames, entries))
    for offset in range(-fade, fade + 1):
        share = 1 - abs(offset) / (fade + 1)
        weights[np.arange(frames), path[np.clip(np.arange(frames) + offset, 0, frames - 1)]] += share
    weights[barred] = 0
    order = np.argsort(-weights, axis=1, kind="stable")[:, :2]
    if entries == 1:
        order = np.repeat(order, 2, axis=1)
    kept = np.take_along_axis(weights, order, 1)
    if entries == 1:
        kept[:, 1] = 0
    kept /= kept.sum(1, keepdims=True)
    return Sources(order.astype(np.int64), kept.astype(np.float32))


def spread_out(places, count, first=None):
    """Numbers of `count` places (n, D), each the farthest from all chosen before it; fewer where the others are the same."""
    chosen = [int(np.argmin(np.linalg.norm(places - np.median(places, 0), axis=1))) if first is None else first]
    nearest = np.linalg.norm(places - places[chosen[0]], axis=1)
    while len(chosen) < min(count, len(places)) and nearest.max() > 0:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return np.array(chosen, np.int64)


def _candidates(landmarks, usable, shots, count):
    """Numbers of usable frames that cover mouth shapes and poses, ascending; each shot has a share, see MOST."""
    numbers = np.flatnonzero(usable)
    found, lengths = np.unique(shots[numbers], return_counts=True)
    longest = found[np.argsort(-lengths, kind="stable")[:MOST]]
    numbers = numbers[np.isin(shots[numbers], longest)]
    count = max(count, min(MOST, LEAST_SHARE * len(longest)))
    return numbers[_of_each(_places(landmarks[numbers]), shots[numbers], count)]


def _of_each(places, shots, count):
    """Which of the places (n, D) are taken, ascending: `count` in all, spread out in each shot, of which none goes without."""
    found, lengths = np.unique(shots, return_counts=True)
    least = max(1, min(LEAST_SHARE, count // len(found)))
    spare = max(0, count - least * len(found))
    chosen = []
    for shot, length in zip(found, lengths, strict=True):
        own = np.flatnonzero(shots == shot)
        chosen.extend(own[spread_out(places[own], least + spare * int(length) // len(shots))])
    return np.sort(np.array(chosen, np.int64))


def _places(landmarks):
    """(n, 68, 2) -> (n, D): a space in which the Euclidean distance is that of `distances`."""
    points = np.asarray(landmarks, np.float64)
    stable = points[..., list(STABLE), :]
    canonical = apply_affine(fit_similarity(stable, np.broadcast_to(CANONICAL_STABLE, stable.shape)), points)
    mouth = canonical[:, 48:].copy()
    weights = np.ones(20)
    weights[12:] = INNER
    mouth *= np.sqrt(weights / weights.sum())[:, None]
    pose = canonical[:, [*STABLE, *OUTLINE]]
    pose = pose * (POSE / np.sqrt(pose.shape[1]))
    return np.concatenate([mouth.reshape(len(points), -1), pose.reshape(len(points), -1)], 1)

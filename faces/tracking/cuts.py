"""Where a video is cut, told from its pictures while they stream by (docs/methods.md, section 18; ours).

A cut is a step between two frames that is large beside the steps around it: a fast camera, a fast head or a film of held frames
makes large steps everywhere. Frames further away are compared too, so that a flash, after which the picture is as before, is no
cut. The detail of small pictures is compared, without their light: a lamp changes light and leaves detail.
"""

from collections import deque
from functools import cached_property

import numpy as np

SIDE = 32  # pixels of the square picture that is compared
SMALL = 96  # pixels, at least, of the shorter side of the picture from which it is taken
REACH = 3  # frames on either side that are compared
BRIDGE = 1  # frames between the two sides that may be like neither: a flash at the cut, a mix of both pictures
LIGHT, LEAST_LIGHT, DARK = 64.0, 4.0, 8.0  # grey levels: see `_detail`
COARSE = 13  # pixels of the compared picture: changes that reach further are changes of the light
FAINT = 0.03  # detail of a flat wall, which is noise
# Chosen on 205 real clips without a known cut (22,957 frames) and 700 joins of two of them: docs/methods.md.
LEAST, TIMES, NOISE = 0.2, 5.0, 0.02  # a cut differs by more than the first, and so many times more than the steps around it
UNLIKE, TIMES_UNLIKE = 0.8, 1.25  # the same of pictures that have nothing in common
LEAST_ODD = 0.7  # as LEAST, where fewer than REACH frames are on one side, or where one is bridged
LEAST_FACE = 0.3  # as LEAST, in the surroundings of the face
BLANK, CLEAR = 3.0, 8.0  # grey levels of spread below which a picture shows nothing, and above which it shows enough
OTHER = 0.35  # pictures before and after a gap without a picture that differ by more show two scenes
AROUND = 0.9  # half the side of the surroundings, over the size of the face
CHANGED = 0.25  # change of the surroundings, over their spread, below which they are not looked at closer
LEVELS = np.arange(256, dtype=np.float32)


class CutDetector:
    """Frames one after the other, and whether the one at hand is the first of a shot.

    Args:
        frames: iterable of (H, W, 3) uint8 RGB, all of one size; it is read REACH + BRIDGE - 1 frames ahead.

    Attributes:
        gap: frames without a picture just before the frame at hand; where `cut` is True they belong to the new shot.
    """

    def __init__(self, frames):
        self._frames = frames
        self._before, self._ahead = deque(maxlen=REACH), deque()
        self._clear, self.gap = None, 0

    def __iter__(self):
        """Yield the frames; `cut` tells of the one that was yielded last."""
        frames = iter(self._frames)
        while True:
            while len(self._ahead) < REACH + BRIDGE and (frame := next(frames, None)) is not None:
                self._ahead.append((frame, _View(frame)))
            if not self._ahead:
                return
            yield self._ahead[0][0]
            _, view = self._ahead.popleft()
            if view.spread < BLANK or self.gap and view.spread < CLEAR:
                self.gap += 1
            else:
                self.gap = 0
                self._before.append(view)
                self._clear = view if view.spread >= CLEAR else self._clear

    def cut(self, face=None):
        """Whether the frame at hand is the first of a shot.

        Args:
            face: faces.detectors.Face of the frame before; None where there was none. Its surroundings are compared too.

        Returns:
            bool.
        """
        views = [view for _, view in self._ahead]
        if views[0].spread < BLANK or self.gap and views[0].spread < CLEAR:
            return False
        if self.gap:
            return self._clear is not None and float(1 - self._clear.detail() @ views[0].detail()) > OTHER
        if not self._before:
            return False
        after = [view for view in views if view.spread >= BLANK]
        if _is_cut(self._before, after, None, LEAST):
            return True
        place = None if face is None else views[0].place(face)
        if place is None or not views[0].changed(self._before[-1], place):
            return False
        return _is_cut(self._before, after, place, LEAST_FACE)


class _View:
    """A frame as it is compared.

    Attributes:
        spread: standard deviation of the grey levels.
    """

    def __init__(self, frame):
        import cv2

        step = max(1, min(frame.shape[:2]) // SMALL)
        self._scale = 1 / step
        self._small = np.ascontiguousarray(frame[step // 2 :: step, step // 2 :: step, 1])  # green, nearly the grey level
        self._whole = cv2.resize(self._small, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        self.spread = float(cv2.meanStdDev(self._whole)[1][0, 0])

    @cached_property
    def _of_whole(self):
        return _detail(self._whole)

    def detail(self, place=None):
        """(SIDE * SIDE,) float32 of unit length: detail of the picture, or of a place in it."""
        import cv2

        if place is None:
            return self._of_whole
        return _detail(cv2.resize(self._small[place], (SIDE, SIDE), interpolation=cv2.INTER_AREA))

    def changed(self, before, place):
        """Whether a place looks otherwise than in the view before: a rough and quick test."""
        import cv2

        own = self._small[place]
        change = cv2.norm(own, before._small[place], cv2.NORM_L1) / own.size
        return change > CHANGED * float(cv2.meanStdDev(own)[1][0, 0])

    def place(self, face):
        """(rows, columns) slices of the surroundings of a Face, or None where they are too small to tell anything."""
        middle, half = np.asarray(face.centre) * self._scale, max(face.size * AROUND * self._scale, 1.0)
        height, width = self._small.shape
        left, top = np.clip(np.floor(middle - half).astype(int), 0, (width, height))
        right, bottom = np.clip(np.ceil(middle + half).astype(int), 0, (width, height))
        return None if min(right - left, bottom - top) < 8 else (slice(top, bottom), slice(left, right))


def _is_cut(before, after, place, least):
    """Whether there is a cut between two lists of views, see the head of this file."""
    if 1 - float(before[-1].detail(place) @ after[0].detail(place)) <= least:
        return False
    first = np.stack([view.detail(place) for view in before])
    second = np.stack([view.detail(place) for view in after])
    inside = 1 - (first[1:] * first[:-1]).sum(1)
    steps = 1 - (second[1:] * second[:-1]).sum(1)
    away = 1 - first @ second.T
    for skip in range(min(BRIDGE + 1, len(second))):
        few = skip or len(first) < REACH or len(second) - skip < REACH
        apart = float(away[:, skip : skip + REACH].min())
        around = max((*inside, *steps[skip : skip + REACH - 1]), default=0.0)
        if apart > max(least, LEAST_ODD if few else 0) and apart > TIMES * (around + NOISE):
            return True
        if place is None and not few and apart > UNLIKE and apart > TIMES_UNLIKE * around:
            return True
    return False


def _detail(grey):
    """(SIDE * SIDE,) float32 of unit length, of a (SIDE, SIDE) uint8 picture: logarithm of the light, less that around.

    Light is brought to one mean first, so that a picture that is faded looks as it did, and a little is added, so that noise in
    the dark is no detail. A picture without detail is as unlike itself as it is unlike others.
    """
    import cv2

    levels = np.log(LEVELS * np.float32(LIGHT / max(cv2.mean(grey)[0], LEAST_LIGHT)) + np.float32(DARK))
    light = cv2.LUT(grey, levels)
    detail = cv2.subtract(light, cv2.blur(light, (COARSE, COARSE))).ravel()
    return detail * np.float32(1 / np.sqrt(detail @ detail + len(detail) * FAINT**2))

"""Things drawn before a mouth in real clips: hands, boxes, microphones, masks, and further shapes to learn from (ours).

A thing has a place and a size in eye distances beside the mouth, follows the head, comes into the picture from one side, and
leaves it again.
"""

from dataclasses import dataclass

import numpy as np

from faces.landmarks import MOUTH, eye_distance

KINDS = ("hand", "box", "microphone", "mask")  # what figures are reported of
MORE = ("finger", "patch", "scarf", "cup")  # further ones to learn from
OUTER, JAW, NOSE = slice(48, 60), slice(1, 16), (28, 29)
REACH = 3.0  # eye distances about the mouth in which a thing is drawn
ENTER = (2, 7)  # frames that a thing needs to come, at least and at most


@dataclass(frozen=True)
class Thing:
    """A thing before the mouth.

    Attributes:
        kind: one of KINDS or MORE.
        seed: decides its look.
        place: (2,) eye distances from the mouth's middle, where it rests.
        size: factor on its usual size.
        first, last: frames in which it is there; last is exclusive.
        enter: frames that it needs to come, and to go; 0: it is there at once.
        side: radians, the direction it comes from.
        texture: (h, w, 3) uint8, what a `patch` or `scarf` shows; None: a colour.
    """

    kind: str
    seed: int
    place: tuple
    size: float
    first: int
    last: int
    enter: int
    side: float
    texture: np.ndarray | None = None

    @staticmethod
    def random(kind, seed, frames, *, near=True, texture=None):
        """A thing that covers the mouth for a while (`near`), or comes close and leaves it free."""
        rng = np.random.default_rng(seed)
        length = int(rng.uniform(0.25, 0.6) * frames)
        first = int(rng.integers(0, max(1, frames - length)))
        whole = rng.random() < 0.15
        first, last = (0, frames) if whole else (first, first + length)
        away = 0.18 if near else rng.uniform(1.0, 1.6)
        angle = rng.uniform(0, 2 * np.pi)
        spread = rng.random() if near else 1.0
        place = (away * spread * np.cos(angle), away * spread * np.sin(angle))
        enter = 0 if kind == "mask" or rng.random() < 0.2 else int(rng.integers(*ENTER))
        size, side = float(rng.uniform(0.8, 1.35)), float(rng.uniform(0, np.pi))
        return Thing(kind, seed, place, size, first, last, enter, side, texture)

    def on(self, frame, landmarks, number):
        """The frame with the thing in it.

        Args:
            frame: (H, W, 3) uint8 RGB. landmarks: (68, 2), of its face; number: of the frame.

        Returns:
            (H, W, 3) uint8, and the share of the lips that is covered.
        """
        import cv2

        if not self.first <= number < self.last or not np.isfinite(landmarks).all():
            return frame, 0.0
        unit = float(eye_distance(landmarks))
        whole, middle = frame, landmarks[MOUTH].mean(0)
        reach = REACH * self.size * unit
        left, top = np.clip(np.floor(middle - reach).astype(int), 0, np.array(frame.shape[1::-1]) - 4)
        right, bottom = np.clip(np.ceil(middle + reach).astype(int), (left + 4, top + 4), frame.shape[1::-1])
        frame, landmarks = frame[top:bottom, left:right], landmarks - (left, top)
        middle = middle - (left, top)
        across = (landmarks[45] - landmarks[36]) / np.linalg.norm(landmarks[45] - landmarks[36])
        axes = np.stack([across, [-across[1], across[0]]], 1)  # canonical -> frame
        gone = 0.0
        if self.enter:
            gone = np.clip(1 - min(number - self.first + 1, self.last - number) / self.enter, 0, 1)
        rng = np.random.default_rng(self.seed + 7)
        wobble = 0.04 * np.sin(np.arange(2) + number * rng.uniform(0.1, 0.4))
        at = np.array(self.place) + wobble + 2.2 * gone * np.array([np.cos(self.side), np.sin(self.side)])
        alpha, colour = _DRAW[self.kind](self, frame, landmarks, middle + axes @ at * unit, axes, unit * self.size)
        soft = max(0.5, 0.012 * unit)
        alpha = cv2.GaussianBlur(alpha, (0, 0), soft)[..., None]
        out = np.clip(np.rint(frame + (colour - frame) * alpha), 0, 255).astype(np.uint8)
        lips = np.zeros(frame.shape[:2], np.uint8)
        cv2.fillPoly(lips, [np.rint(landmarks[OUTER] * 8).astype(np.int32)], 1, shift=3)
        whole = whole.copy()
        whole[top:bottom, left:right] = out
        return whole, float((alpha[..., 0] * lips).sum() / max(int(lips.sum()), 1))


def _skin(frame, landmarks):
    """(3,) colour of the cheeks."""
    points = np.concatenate([(landmarks[[2]] + landmarks[[31]]) / 2, (landmarks[[14]] + landmarks[[35]]) / 2, landmarks[[29]]])
    at = np.clip(np.rint(points).astype(int), 0, np.array(frame.shape[1::-1]) - 1)
    return frame[at[:, 1], at[:, 0]].astype(np.float32).mean(0)


def _surface(frame, colour, rng, unit, middle, grain=0.03, slope=0.35):
    """(H, W, 3) float32: a colour with light from a side, and grain."""
    height, width = frame.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    away = ((x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle)) / unit
    light = 1 + slope * rng.uniform(0.3, 1) * np.clip(away, -1, 1)
    light = light + rng.normal(0, grain, (height, width)).astype(np.float32)
    return np.asarray(colour, np.float32) * light[..., None]


def _points(rows, middle, axes, unit):
    return np.rint((middle + np.asarray(rows) @ axes.T * unit) * 8).astype(np.int32)


def _rotated(axes, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return axes @ np.array([[cos, -sin], [sin, cos]])


def _hand(thing, frame, landmarks, middle, axes, unit):
    import cv2

    rng = np.random.default_rng(thing.seed)
    axes = _rotated(axes, rng.uniform(0, 2 * np.pi))
    colour = _skin(frame, landmarks) * rng.uniform(0.7, 1.15) * rng.uniform(0.94, 1.06, 3)
    surface = _surface(frame, colour, rng, unit, middle)
    alpha = np.zeros(frame.shape[:2], np.float32)
    lines = np.zeros(frame.shape[:2], np.float32)
    palm = _points([(0, 0)], middle, axes, unit)[0]
    turn = float(np.degrees(np.arctan2(axes[1, 0], axes[0, 0])))
    half = [int(8 * unit * rng.uniform(0.42, 0.55)), int(8 * unit * rng.uniform(0.38, 0.5))]
    cv2.ellipse(alpha, tuple(int(v) for v in palm), tuple(half), turn, 0, 360, 1.0, -1, cv2.LINE_8, 3)
    bend = rng.uniform(0.6, 1.2)
    for finger in range(4):
        y = -0.36 + 0.24 * finger
        start, end = _points([(0.2, y), (0.45 + bend * (0.75 - 0.1 * abs(finger - 1.5)), y * 1.15)], middle, axes, unit)
        thick = max(1, int(unit * 0.2))
        cv2.line(alpha, tuple(int(v) for v in start), tuple(int(v) for v in end), 1.0, thick, cv2.LINE_AA, 3)
        if finger:
            start, end = _points([(0.1, y - 0.12), (0.45 + bend * 0.6, (y - 0.12) * 1.15)], middle, axes, unit)
            thin = max(1, int(unit * 0.03))
            cv2.line(lines, tuple(int(v) for v in start), tuple(int(v) for v in end), 1.0, thin, cv2.LINE_AA, 3)
    start, end = _points([(-0.1, 0.3), (0.35, 0.75)], middle, axes, unit)
    cv2.line(alpha, tuple(int(v) for v in start), tuple(int(v) for v in end), 1.0, max(1, int(unit * 0.22)), cv2.LINE_AA, 3)
    lines = cv2.GaussianBlur(lines, (0, 0), max(0.5, 0.02 * unit))
    return np.clip(alpha, 0, 1), surface * (1 - 0.45 * lines[..., None])


def _finger(thing, frame, landmarks, middle, axes, unit):
    import cv2

    rng = np.random.default_rng(thing.seed)
    axes = _rotated(axes, rng.uniform(0, 2 * np.pi))
    surface = _surface(frame, _skin(frame, landmarks) * rng.uniform(0.75, 1.15), rng, unit, middle)
    alpha = np.zeros(frame.shape[:2], np.float32)
    for number in range(int(rng.integers(2, 4))):
        y = -0.22 + 0.22 * number
        start, end = _points([(-1.0, y), (0.6, y)], middle, axes, unit)
        cv2.line(alpha, tuple(int(v) for v in start), tuple(int(v) for v in end), 1.0, max(1, int(unit * 0.2)), cv2.LINE_AA, 3)
    return np.clip(alpha, 0, 1), surface


def _box(thing, frame, landmarks, middle, axes, unit):
    import cv2

    rng = np.random.default_rng(thing.seed)
    colour = np.full(3, rng.uniform(20, 235)) if rng.random() < 0.6 else rng.uniform(10, 245, 3)
    half = np.array([rng.uniform(0.45, 0.8), rng.uniform(0.28, 0.5)])
    alpha = np.zeros(frame.shape[:2], np.float32)
    axes = np.eye(2) if rng.random() < 0.6 else _rotated(axes, rng.uniform(-0.5, 0.5))
    rows = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    cv2.fillPoly(alpha, [_points(rows, middle, axes, unit)], 1.0, cv2.LINE_AA, 3)
    flat = rng.random() < 0.5
    return alpha, _surface(frame, colour, rng, unit, middle, *((0.0, 0.0) if flat else (0.03, 0.3)))


def _microphone(thing, frame, landmarks, middle, axes, unit):
    import cv2

    rng = np.random.default_rng(thing.seed)
    dark = np.full(3, rng.uniform(12, 60)) if rng.random() < 0.75 else rng.uniform(20, 220, 3)
    alpha = np.zeros(frame.shape[:2], np.float32)
    radius = rng.uniform(0.36, 0.5)
    lean = rng.uniform(-0.5, 0.5)
    start, end = _points([(0, 0), (2.6 * np.sin(lean), 2.6 * np.cos(lean))], middle, axes, unit)
    cv2.line(alpha, tuple(int(v) for v in start), tuple(int(v) for v in end), 1.0, max(1, int(unit * 0.28)), cv2.LINE_AA, 3)
    cv2.circle(alpha, tuple(int(v) for v in start), int(8 * unit * radius), 1.0, -1, cv2.LINE_AA, 3)
    surface = _surface(frame, dark, rng, unit * radius, middle, 0.12, 0.5)
    height, width = frame.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    shine = np.exp(-(((x - middle[0] + 0.12 * unit) ** 2 + (y - middle[1] + 0.15 * unit) ** 2) / (0.1 * unit) ** 2))
    return np.clip(alpha, 0, 1), surface + rng.uniform(0, 60) * shine[..., None]


def _mask(thing, frame, landmarks, middle, axes, unit):
    import cv2

    rng = np.random.default_rng(thing.seed)
    colour = [(120, 170, 215), (150, 200, 220), (230, 232, 235), (30, 30, 34), tuple(rng.uniform(20, 240, 3))][rng.integers(5)]
    jaw = landmarks[JAW]
    low = jaw.mean(0)
    jaw = low + (jaw - low) * rng.uniform(0.95, 1.08)
    outline = np.concatenate([jaw, landmarks[[NOSE[int(rng.integers(2))]]]])
    alpha = np.zeros(frame.shape[:2], np.float32)
    cv2.fillPoly(alpha, [np.rint(outline * 8).astype(np.int32)], 1.0, cv2.LINE_AA, 3)
    surface = _surface(frame, np.array(colour) * rng.uniform(0.6, 1.05), rng, 1.5 * unit, middle, 0.02, 0.3)
    folds = np.zeros(frame.shape[:2], np.float32)
    if rng.random() < 0.7:
        for y in (-0.3, 0.0, 0.3):
            start, end = _points([(-0.8, y - 0.05), (0.8, y - 0.05)], landmarks[MOUTH].mean(0), axes, unit)
            thin = max(1, int(unit * 0.03))
            cv2.line(folds, tuple(int(v) for v in start), tuple(int(v) for v in end), 1.0, thin, cv2.LINE_AA, 3)
        folds = cv2.GaussianBlur(folds, (0, 0), max(0.5, 0.015 * unit))
    return alpha, surface * (1 - 0.2 * folds[..., None])


def _blob(rng, count=10):
    """(K, 2) outline of a random shape about the origin, of mean radius 1."""
    angles = np.linspace(0, 2 * np.pi, count * 4, endpoint=False)
    radius = 1 + sum(rng.uniform(-0.25, 0.25) / k * np.cos(k * angles + rng.uniform(0, 6.3)) for k in range(1, 5))
    return radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)


def _patch(thing, frame, landmarks, middle, axes, unit):
    import cv2

    rng = np.random.default_rng(thing.seed)
    alpha = np.zeros(frame.shape[:2], np.float32)
    rows = _blob(rng) * (rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.8))
    cv2.fillPoly(alpha, [_points(rows, middle, _rotated(axes, rng.uniform(0, 6.3)), unit)], 1.0, cv2.LINE_AA, 3)
    return alpha, _texture(thing, frame, rng, unit, middle)


def _texture(thing, frame, rng, unit, middle):
    import cv2

    if thing.texture is None:
        return _surface(frame, rng.uniform(10, 245, 3), rng, unit, middle)
    side = int(max(8, 3.4 * unit))
    picture = cv2.resize(thing.texture, (side, side)).astype(np.float32)
    out = np.zeros(frame.shape, np.float32)
    top, left = (int(v) for v in middle[::-1] - side / 2)
    rows, columns = (np.clip(np.arange(n) - at, 0, side - 1) for n, at in zip(frame.shape[:2], (top, left), strict=True))
    out[:] = picture[rows[:, None], columns]
    return out * rng.uniform(0.7, 1.2)


def _scarf(thing, frame, landmarks, middle, axes, unit):
    alpha, _ = _mask(thing, frame, landmarks, middle, axes, unit)
    return alpha, _texture(thing, frame, np.random.default_rng(thing.seed), unit, middle)


def _cup(thing, frame, landmarks, middle, axes, unit):
    import cv2

    rng = np.random.default_rng(thing.seed)
    alpha = np.zeros(frame.shape[:2], np.float32)
    wide, high = rng.uniform(0.4, 0.6), rng.uniform(0.9, 1.4)
    rows = [(-wide, -0.25), (wide, -0.25), (wide * 0.8, high), (-wide * 0.8, high)]
    cv2.fillPoly(alpha, [_points(rows, middle, _rotated(axes, rng.uniform(-0.4, 0.4)), unit)], 1.0, cv2.LINE_AA, 3)
    colour = np.full(3, rng.uniform(180, 250)) if rng.random() < 0.5 else rng.uniform(10, 245, 3)
    return alpha, _surface(frame, colour, rng, unit * wide, middle, 0.01, 0.45)


_DRAW = {"hand": _hand, "box": _box, "microphone": _microphone, "mask": _mask, "finger": _finger, "patch": _patch,
         "scarf": _scarf, "cup": _cup}  # fmt: skip

"""Square views of a frame in which a face stands upright, and whole frames turned to look for faces that do not.

Angles are degrees, clockwise on the screen: a face rolled by an angle is upright in the window or view of that angle.
"""

from dataclasses import dataclass

import numpy as np

from faces.crops import inverse
from faces.landmarks import LEFT_EYE, RIGHT_EYE, apply_affine

LEAN = 25.0  # degrees: faces that lean less are looked at in an upright window
TURNS = (60, -60, 120, -120, 180)  # the finder sees faces that lean less than 45 degrees
TURNED_SIDE = 640  # most pixels of a turned frame's side


@dataclass(frozen=True)
class Window:
    """A square part of a frame, perhaps turned about its middle.

    Attributes:
        x, y: whole pixels, the top left corner before it is turned.
        side: whole pixels.
        angle: degrees.
    """

    x: int
    y: int
    side: int
    angle: float = 0.0

    @staticmethod
    def around(centre, side, angle=0.0):
        """The window around a point; of angles less than LEAN there is nothing to turn."""
        side = max(16, int(round(side)))
        corner = (int(round(value - side / 2)) for value in centre)
        return Window(*corner, side, float(angle) if abs(angle) > LEAN else 0.0)

    @property
    def middle(self):
        """(2,) float, in pixels."""
        return np.array([self.x + self.side / 2, self.y + self.side / 2])

    def matrix(self, shown):
        """(2, 3) float64: frame pixel -> pixel of the view of `shown` x `shown` pixels, pixel centres at whole numbers."""
        scale = shown / self.side
        half = (scale - 1) / 2
        matrix = np.array([[scale, 0, half - self.x * scale], [0, scale, half - self.y * scale]])
        return matrix if not self.angle else compose(turn_matrix(self.angle, (shown - 1) / 2, (shown - 1) / 2), matrix)

    def cut(self, frame, shown):
        """(shown, shown, 3) uint8 view of (H, W, 3) uint8, black outside the frame; much shrunk by area, not to alias."""
        import cv2

        if shown / self.side >= 0.5:
            return cv2.warpAffine(frame, self.matrix(shown), (shown, shown), flags=cv2.INTER_LINEAR,
                                  borderMode=cv2.BORDER_CONSTANT)  # fmt: skip
        if self.angle:
            fine = shown * int(np.ceil(self.side / shown / 2))
            view = cv2.warpAffine(frame, self.matrix(fine), (fine, fine), flags=cv2.INTER_LINEAR,
                                  borderMode=cv2.BORDER_CONSTANT)  # fmt: skip
        else:
            height, width = frame.shape[:2]
            view = np.zeros((self.side, self.side, 3), np.uint8)
            left, top = max(0, self.x), max(0, self.y)
            right, bottom = min(width, self.x + self.side), min(height, self.y + self.side)
            if right > left and bottom > top:
                view[top - self.y : bottom - self.y, left - self.x : right - self.x] = frame[top:bottom, left:right]
        return cv2.resize(view, (shown, shown), interpolation=cv2.INTER_AREA)


def roll_of(landmarks):
    """Degrees by which the line of the eyes is turned: (68, 2) -> float in [-180, 180]."""
    across = landmarks[LEFT_EYE].mean(0) - landmarks[RIGHT_EYE].mean(0)
    return float(np.rad2deg(np.arctan2(across[1], across[0])))


def between(one, other):
    """Degrees from one angle to another, in [0, 180]."""
    return abs((one - other + 180) % 360 - 180)


def turned_views(frame):
    """Yield (angle, (S, S, 3) uint8 view, (2, 3) matrix view -> frame): the frame as those see it who lean their heads."""
    import cv2

    height, width = frame.shape[:2]
    scale = min(1.0, TURNED_SIDE / np.hypot(height, width))
    if scale < 1:  # once, by area, for all views
        small = cv2.resize(frame, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)
    else:
        small = frame
    rows, columns = small.shape[:2]
    side = int(np.ceil(np.hypot(rows, columns)))
    to_frame = np.array([[width / columns, 0, (width / columns - 1) / 2], [0, height / rows, (height / rows - 1) / 2]])
    for angle in TURNS:
        turn = turn_matrix(angle, (columns - 1) / 2, (rows - 1) / 2)
        turn[:, 2] += (side - 1) / 2 - np.array([columns - 1, rows - 1]) / 2
        yield angle, cv2.warpAffine(small, turn, (side, side)), compose(to_frame, inverse(turn))


def turn_matrix(angle, x, y):
    """(2, 3) float64: what leans by `angle` is set upright about (x, y)."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    linear = np.array([[cos, sin], [-sin, cos]])
    return np.concatenate([linear, (np.array([x, y]) - linear @ (x, y))[:, None]], 1)


def compose(second, first):
    """(2, 3) matrix of `first`, then `second`."""
    return np.concatenate([second[:, :2] @ first[:, :2], apply_affine(second, first[:, 2][None]).T], 1)

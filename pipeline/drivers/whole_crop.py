"""The colours of a whole drawn crop brought to those of the frame over which it is laid, by one drawing at rest (ours).

A head that moves does not lie where the head of the picture lies, so its faces cannot be compared with the picture point by
point. One drawing can: the person's own mouth in the person's own pose. What it lacks in colour and in light is carried to all
drawn crops of the shot; so nothing flickers.
"""

from dataclasses import dataclass

import numpy as np

from faces.colours import colour_levels, skin_weights

RIM = 0.30  # of the crop's side, over which the light of the rim fades towards the middle
BLUR = 0.06  # of the crop's side: the rim is compared over this way
MOST_RIM = 40.0  # grey levels that the rim is moved, at most: a drawn background may be another one


@dataclass(frozen=True)
class RestColours:
    """What is done to each drawn crop of a shot.

    Attributes:
        levels: (256, 3) uint8, new value of each value of a channel.
        rim: (S, S, 3) float32 grey levels that are added, 0 in the middle; None where the source's background moves.
    """

    levels: np.ndarray
    rim: np.ndarray | None

    @staticmethod
    def of(rest, target, landmarks, *, still):
        """Compare a drawing at rest with the crop that it shows.

        Args:
            rest: (S, S, 3) uint8, drawn. target: (S, S, 3) uint8, crop of the source.
            landmarks: (68, 2) float, of the target, crop pixels.
            still: the source is a picture, whose rim is the same in each frame.
        """
        table = np.arange(256.0)[:, None]
        gain, offset = colour_levels(rest, target, skin_weights(landmarks, len(target))) or (np.ones(3), np.zeros(3))
        levels = np.clip(np.rint(table * gain + offset), 0, 255).astype(np.uint8)
        return RestColours(levels, _rim(_mapped(rest, levels), target) if still else None)

    def __call__(self, face):
        """(S, S, 3) uint8 drawn crop -> (S, S, 3) uint8 in the colours of the source."""
        face = _mapped(face, self.levels)
        if self.rim is None:
            return face
        return np.clip(np.rint(face + self.rim), 0, 255).astype(np.uint8)


def _mapped(face, levels):
    import cv2

    return cv2.LUT(face, levels[None])


def _rim(rest, target):
    """(S, S, 3) float32: the smooth difference of two crops near their border, fading towards the middle."""
    import cv2

    size = len(target)
    away = target.astype(np.float32) - rest
    away = cv2.GaussianBlur(away, (0, 0), BLUR * size, borderType=cv2.BORDER_REPLICATE)
    at = (np.arange(size) + 0.5) / size
    inside = np.clip(np.minimum(at, 1 - at) / RIM, 0, 1)
    inside = np.minimum(inside[:, None], inside[None])
    near = 1 - inside * inside * (3 - 2 * inside)
    return np.clip(away, -MOST_RIM, MOST_RIM) * near[..., None].astype(np.float32)

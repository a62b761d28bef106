"""Face optimisation: a generated face takes the texture of the person's own, module by module (docs/methods.md, eq. (41)).

A generated face is smooth and a little off in colour. For each texture module outside the mouth, mean colour and the deviation
of its detail are matched to those of the same module of the reference, in closed form. Gains are bounded, so noise is not blown
up, and blend smoothly from module to module, so no border shows. Skin that has not moved, which the correlation of a coarser
band of detail tells, takes its finest detail from the reference itself. The mouth is left alone to the last bit.
"""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from faces.crops import ALIGNED_SIDE, ALIGNED_TOP, BOX_EXTENT
from faces.landmarks import MOUTH

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
BAND_SIGMAS = (1.0, 2.0)  # in pixels of a face of 96: fine detail lies above the first, coarser between the two, colour below
UNIT_SIZE = 96
QUIET = 0.1  # grey levels squared, added to each variance: a little above what rounding to whole grey levels makes
SPREAD = 0.5  # of a block's side: how far a module's gains reach into its neighbours
ZONE_MARGIN, ZONE_DROP = 1.15, 0.3  # the lips grown about their middle; how far they may open, over the mouth's width

# Outer lips (points 48-59) of a mean face, in the units of `faces.landmarks.CANONICAL_STABLE`: a mean over the reference frames
# of six GRID speakers, symmetrised.
USUAL_LIPS = np.array(
    [
        (-0.368, 1.148), (-0.215, 1.063), (-0.111, 1.032), (0.0, 1.055), (0.111, 1.032), (0.215, 1.063),
        (0.368, 1.148), (0.215, 1.300), (0.116, 1.342), (0.0, 1.354), (-0.116, 1.342), (-0.215, 1.300),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Strength:
    """How far the optimisation goes.

    Attributes:
        colour: share of the difference of mean colour that is taken away, 0 to 1.
        most_colour: grey levels by which a mean moves at most.
        gain: least and most factor on the detail of a module.
        still: correlation with the reference below which the skin counts as moved, and above which as still.
        alike: grey levels by which colour may differ from the reference's; what differs by far more (teeth, the dark of a mouth
            that opens beyond its zone) is left alone.
    """

    colour: float = 0.5
    most_colour: float = 12.0
    gain: tuple[float, float] = (0.7, 3.0)
    still: tuple[float, float] = (0.6, 0.9)
    alike: float = 40.0


class FaceOptimiser:
    """The reference's statistics, computed once, and the optimisation of any number of faces by them.

    Args:
        reference: (S, S, 3) uint8 RGB, crop of a real frame.
        labels: (S, S) int, texture modules 0 ... K - 1 of the reference (`faces.texture.texture_modules`).
        landmarks: (68, 2) crop pixels of the reference, or None: a mean face's mouth.
        kind: of the crop, "aligned" or "box"; says where a mean face's mouth lies.
        strength: Strength.

    Raises:
        InputError: the pictures are not square, or sizes differ.
    """

    def __init__(self, reference, labels, landmarks=None, *, kind="aligned", strength=None):
        side = len(reference)
        if reference.shape != (side, side, 3) or labels.shape != (side, side):
            raise InputError(f"face optimisation: {reference.shape} and its modules {labels.shape} must be squares of one size")
        self._strength = strength or Strength()
        self._labels, self._flat, self._count = labels, labels.ravel(), int(labels.max()) + 1
        self._block = side / self._count**0.5
        self._zone = mouth_zone(usual_lips(side, kind) if landmarks is None else landmarks, side)
        self._weights = _weights(self._zone)
        self._fine, self._middle, self._base = _bands(reference)
        self._middle_luma = self._middle @ LUMA
        self._moments = self._means(self._columns(self._fine @ LUMA, self._middle_luma, self._base), ~self._zone)

    @property
    def zone(self):
        """(S, S) bool, the mouth as it is kept out of everything."""
        return self._zone

    def __call__(self, face, landmarks=None):
        """Optimise one face.

        Args:
            face: (S, S, 3) uint8 RGB, a generated face, aligned as the reference is.
            landmarks: (68, 2) crop pixels of this face, if they are known: its lips join the zone that is left alone.

        Returns:
            (S, S, 3) uint8 RGB; the mouth's zone holds the same bits as `face`.
        """
        if face.shape != self._base.shape:
            raise InputError(f"face optimisation: the face is {face.shape}, the reference {self._base.shape}")
        zone, weights = self._zone, self._weights
        if landmarks is not None:
            zone = zone | mouth_zone(landmarks, len(face))
            weights = _weights(zone)
        fine, middle, base = _bands(face)
        shift, gains, still = self._per_pixel(fine @ LUMA, middle @ LUMA, base, ~zone)
        own_fine = gains[..., :1] * fine
        change = shift + (own_fine - fine) + still * (self._fine - own_fine) + (gains[..., 1:] - 1) * middle
        away = ((base - self._base) ** 2).sum(-1)
        weights = weights * np.exp(-away / (2 * self._strength.alike**2))
        return np.clip(np.rint(face + weights[..., None] * change), 0, 255).astype(np.uint8)

    def _per_pixel(self, fine, middle, base, counted):
        """Colour shift (S, S, 3), gains of the two bands (S, S, 2), share of still skin (S, S, 1), smooth over the modules."""
        import cv2

        strength = self._strength
        own, model = self._means(self._columns(fine, middle, base), counted), self._moments
        joint = self._means((middle * self._middle_luma)[..., None], counted)[:, 0]
        shift = strength.colour * np.clip(model[:, 2:] - own[:, 2:], -strength.most_colour, strength.most_colour)
        gains = np.clip(np.sqrt((model[:, :2] + QUIET) / (own[:, :2] + QUIET)), *strength.gain)
        alike = joint / np.sqrt((model[:, 1] + QUIET) * (own[:, 1] + QUIET))
        low, high = strength.still
        still = np.clip((alike - low) / (high - low), 0, 1)
        # Modules that lie wholly in the zone say nothing; their pixels get what their neighbours say.
        trust = np.bincount(self._flat, counted.ravel(), self._count) / self._block**2 + 1e-6
        table = np.concatenate([shift, gains, still[:, None], np.ones((self._count, 1))], 1) * trust[:, None]
        spread = table.astype(np.float32)[self._labels]
        for at in range(0, spread.shape[-1], 4):  # OpenCV filters up to four channels at once
            part = np.ascontiguousarray(spread[..., at : at + 4])
            part = cv2.GaussianBlur(part, (0, 0), SPREAD * self._block, borderType=cv2.BORDER_REPLICATE)
            spread[..., at : at + 4] = part.reshape(*part.shape[:2], -1)
        spread = spread[..., :-1] / np.maximum(spread[..., -1:], 1e-6)
        return spread[..., :3], spread[..., 3:5], spread[..., 5:]

    @staticmethod
    def _columns(fine, middle, base):
        return np.concatenate([(fine**2)[..., None], (middle**2)[..., None], base], -1)

    def _means(self, values, counted):
        """(K, C) means over the counted pixels of each module; 0 where none is counted."""
        weights = counted.ravel().astype(np.float64)
        total = np.maximum(np.bincount(self._flat, weights, self._count), 1e-9)
        columns = values.reshape(len(weights), -1).T
        return np.stack([np.bincount(self._flat, weights * column, self._count) for column in columns], 1) / total[:, None]


def optimise_face(face, reference, labels, landmarks=None, reference_landmarks=None, *, kind="aligned", strength=None):
    """Optimise one face; for many faces of one reference, FaceOptimiser computes the reference's statistics once.

    Args:
        face: (S, S, 3) uint8 RGB, generated.
        reference: (S, S, 3) uint8 RGB, crop of a real frame of the same person, aligned the same way.
        labels: (S, S) int, texture modules 0 ... K - 1.
        landmarks: (68, 2) crop pixels of the face; None: only the reference's mouth is known.
        reference_landmarks: (68, 2) crop pixels of the reference; None: a mean face's mouth.
        kind, strength: as of FaceOptimiser.

    Returns:
        (S, S, 3) uint8 RGB.

    Raises:
        InputError: sizes differ.
    """
    return FaceOptimiser(reference, labels, reference_landmarks, kind=kind, strength=strength)(face, landmarks)


def mouth_zone(landmarks, size):
    """Where a mouth is or may open to: the lips with a margin, and the way of the lower lip.

    Args:
        landmarks: (68, 2) crop pixels.
        size: S.

    Returns:
        (S, S) bool.
    """
    import cv2

    lips = np.asarray(landmarks, np.float64)[MOUTH]
    middle, (along, down) = lips.mean(0), lips[6] - lips[0]  # from corner to corner
    grown = middle + ZONE_MARGIN * (lips - middle)
    outline = np.concatenate([grown, grown + ZONE_DROP * np.array([-down, along])])
    zone = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(zone, cv2.convexHull(np.rint(outline).astype(np.int32)), 1)
    return zone > 0


def usual_lips(size, kind="aligned"):
    """(68, 2) float64 crop pixels: outer lips of a mean face, for a crop without landmarks; all other points lie amid them."""
    left, top, right, bottom = BOX_EXTENT
    if kind == "aligned":
        left, top, right, bottom = -ALIGNED_SIDE / 2, ALIGNED_TOP, ALIGNED_SIDE / 2, ALIGNED_TOP + ALIGNED_SIDE
    lips = (USUAL_LIPS - (left, top)) / (right - left, bottom - top) * size - 0.5
    points = np.tile(lips.mean(0), (68, 1))
    points[48:60] = lips
    return points


def _bands(picture):
    """Fine detail, coarser detail and the rest of an (S, S, 3) picture; they sum up to it. float32."""
    import cv2

    picture = picture.astype(np.float32)
    sigmas = (max(sigma * len(picture) / UNIT_SIZE, 0.5) for sigma in BAND_SIGMAS)
    first, second = (cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) for sigma in sigmas)
    return picture - first, first - second, second


def _weights(zone):
    """(S, S) float32: 0 in the zone, rising to 1 over a few pixels around it."""
    import cv2

    away = cv2.distanceTransform((~zone).astype(np.uint8), cv2.DIST_L2, 3)
    return np.clip(away / (len(zone) / 32), 0, 1).astype(np.float32)

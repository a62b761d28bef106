"""Movements of lips without the head: what speech does to a mouth, told apart from who has it and how the head is held.

Landmarks are carried to a canonical frame; the pose's share of mouth and jaw is taken away, then the person's rest position;
what is left is divided by the person's amplitude. These movements, 20 mouth points in eye distances, are alike in all people;
docs/methods.md has the formulas. `lip_space.npz` holds the constants, which `tools/learn_lip_space.py` learned from people of
class A.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from faces.landmarks import CANONICAL_STABLE, JAW, MOUTH, STABLE, apply_affine, fit_similarity
from faces.mouth import mouth_opening

COMPONENTS = 6
CONSTANTS = Path(__file__).with_name("lip_space.npz")
QUIET = 0.1  # spread of the opening over the mean person's below which nobody speaks in a video
LEAST_OPEN = 0.2  # share of frames whose median is the rest position
AMPLITUDES = (0.5, 2.0)
FEW = 25  # frames; below, they tell no amplitude, and a rest position that may smile or be open
FULL_SMILE, FULL_GAP = 0.25, 0.08  # width over the mean one, less 1, and eye distances of a gap, that are certainly not rest
TOWARDS_MEAN = 0.6  # of the way from a single picture's mouth to the mean rest shape
UPPER_LIP = (3, 14)  # middle of the upper lip among the mouth points; it moves with the skull
LOWER_INNER, UPPER_INNER = (17, 18, 19), (15, 14, 13)  # inner points that lie above one another
# How much of a jaw point is placed; the rest is the frame's own.
JAW_SHARE = np.array([0, 0, 0, 1 / 3, 2 / 3, *[1] * 7, 2 / 3, 1 / 3, 0, 0, 0])[:, None]


@dataclass(frozen=True)
class LipSpace:
    """Constants, all float64 in eye distances of the canonical frame.

    Attributes:
        pose_mean (22,), pose (22, 74): pose's share of the 20 mouth and the 17 jaw points is (stable - pose_mean) @ pose, with
            the 11 stable points, less the canonical ones.
        components (6, 40): orthonormal shapes of movement: opening, width, rounding, one more that leaves left and right alike,
            then two that do not; scale (6,): root of their mean square.
        jaw_of (6, 34): how the jaw goes with them, 0 at the ears.
        rest (20, 2): mean rest position over people; spread: standard deviation of the opening of a mean person, see
            `faces.mouth.mouth_opening`.
    """

    pose_mean: np.ndarray
    pose: np.ndarray
    components: np.ndarray
    scale: np.ndarray
    jaw_of: np.ndarray
    rest: np.ndarray
    spread: float

    def head_effect(self, points):
        """What the head's pose alone adds to mouth and jaw.

        Args:
            points: (..., 68, 2) canonical.

        Returns:
            (..., 68, 2), 0 but for the points 0-16 and 48-67. It is linear in the stable points (11), so that a person's own
            proportions add a constant, which the rest position takes away again.
        """
        effect = (pose_of(points) - self.pose_mean) @ self.pose
        out = np.zeros(np.shape(points))
        out[..., MOUTH, :] = effect[..., :40].reshape(*effect.shape[:-1], 20, 2)
        out[..., JAW, :] = effect[..., 40:].reshape(*effect.shape[:-1], 17, 2)
        return out

    def coefficients(self, shape):
        """Displacement from rest (..., 20, 2) -> (..., 6) of the components."""
        shape = np.asarray(shape, np.float64)
        return shape.reshape(*shape.shape[:-2], 40) @ self.components.T

    def shape(self, coefficients):
        """(..., 6) -> displacement from rest (..., 20, 2)."""
        flat = np.asarray(coefficients, np.float64) @ self.components
        return flat.reshape(*flat.shape[:-1], 20, 2)

    def jaw(self, coefficients):
        """(..., 6) -> displacement of the jaw line (..., 17, 2)."""
        flat = np.asarray(coefficients, np.float64) @ self.jaw_of
        return flat.reshape(*flat.shape[:-1], 17, 2)


@lru_cache(maxsize=1)
def lip_space():
    """The LipSpace of this repository."""
    with np.load(CONSTANTS, allow_pickle=False) as stored:
        return LipSpace(**{name: stored[name].astype(np.float64)[()] for name in stored.files})


def to_canonical(landmarks):
    """Landmarks without place, size and roll of the head.

    Args:
        landmarks: (..., 68, 2) in any unit; NaN where there is no face.

    Returns:
        points (..., 68, 2) float64 in eye distances; matrix (..., 2, 3) float64 that carries `landmarks` to them. Both are NaN
        where there is no face.
    """
    landmarks = np.asarray(landmarks, np.float64)
    stable = landmarks[..., STABLE, :]
    matrix = fit_similarity(stable, np.broadcast_to(CANONICAL_STABLE, stable.shape))
    return apply_affine(matrix, landmarks), matrix


def pose_of(points):
    """(..., 68, 2) canonical points -> (..., 22): how the stable ones lie otherwise than on the mean frontal face."""
    residual = np.asarray(points, np.float64)[..., STABLE, :] - CANONICAL_STABLE
    return residual.reshape(*residual.shape[:-2], 22)


@dataclass(frozen=True)
class Person:
    """Whose lips they are.

    Attributes:
        rest: (20, 2) float64 mouth at rest, canonical and head-free; jaw: (17, 2) the jaw line then.
        amplitude: spread of the person's mouth opening over that of the mean person, within AMPLITUDES.
    """

    rest: np.ndarray
    jaw: np.ndarray
    amplitude: float = 1.0

    @staticmethod
    def of(landmarks, present=None):
        """Rest and amplitude of a person in a video, or in one picture.

        With at least FEW frames, in which somebody speaks, rest is the median of the fifth of them that is least open. With
        fewer, or where the mouth hardly moves (a held smile says nothing of rest or amplitude), a mouth that is open is closed
        along the first component, and then goes up to TOWARDS_MEAN of the way to the mean rest shape, held at the middle of the
        upper lip, the further the wider it smiled or the more open it was: a smile goes, lips that rest stay the person's own.
        Amplitude is then 1.

        Args:
            landmarks: (N, 68, 2) in any unit; present: (N,) bool, frames with a face; None: those without NaN.

        Raises:
            ValueError: no frame has a face.
        """
        points, opening = _head_free(landmarks, present)
        space = lip_space()
        few = not _speaks(opening)
        least = np.argsort(opening, kind="stable")[: max(1, round(len(points) * LEAST_OPEN))]
        median = np.median(points if few else points[least], axis=0)
        if not few:
            amplitude = float(np.clip(opening.std() / space.spread, *AMPLITUDES))
            return Person(median[MOUTH], median[JAW], amplitude)
        mouth, jaw = median[MOUTH], median[JAW]
        closing, way = _closing(mouth, space), TOWARDS_MEAN * _away_from_rest(mouth, space)
        mouth, jaw = mouth + space.shape(closing), jaw + space.jaw(closing)
        mean = space.rest + (mouth - space.rest)[list(UPPER_LIP)].mean(0)
        return Person(mouth + way * (mean - mouth), jaw, 1.0)


def speaks(landmarks, present=None):
    """Whether somebody speaks in a video, so that its frames tell rest and amplitude and show the inside of the mouth.

    Args:
        landmarks: (N, 68, 2) in any unit; present: (N,) bool, frames with a face; None: those without NaN.

    Raises:
        ValueError: no frame has a face.
    """
    return _speaks(_head_free(landmarks, present)[1])


def movements(landmarks, person):
    """What the motion network learns.

    Args:
        landmarks: (N, 68, 2) in any unit; NaN where there is no face.
        person: Person.

    Returns:
        (N, 20, 2) float64: head-free displacement of the mouth points from rest, in eye distances, over the amplitude.
    """
    points, _ = to_canonical(landmarks)
    free = (points - lip_space().head_effect(points))[..., MOUTH, :]
    return (free - person.rest) / person.amplitude


def placed(movement, person, landmarks, gain=1.0):
    """The frames' own landmarks with mouth and jaw as wanted.

    Lips stop where they meet: inner points that would pass each other lie between the two places. Nothing of the frames' own
    mouth goes into the result; of their jaw line only the outermost points that are placed keep a share, so that it joins the
    cheeks.

    Args:
        movement: (N, 20, 2), see `movements`; person: Person; landmarks: (N, 68, 2) in any unit, which the result has too.
        gain: float, of the movement.

    Returns:
        (N, 68, 2) float64; points 48-67 and 3-13 differ from `landmarks`.
    """
    landmarks, space = np.asarray(landmarks, np.float64), lip_space()
    points, matrix = to_canonical(landmarks)
    effect = space.head_effect(points)
    shape = np.asarray(movement, np.float64) * (gain * person.amplitude)
    wanted = points.copy()
    wanted[..., MOUTH, :] = _met(person.rest + shape) + effect[..., MOUTH, :]
    jaw = person.jaw + space.jaw(space.coefficients(shape)) + effect[..., JAW, :]
    wanted[..., JAW, :] += JAW_SHARE * (jaw - points[..., JAW, :])
    out = landmarks.copy()
    changed = [*range(3, 14), *range(48, 68)]
    back = np.linalg.inv(matrix[..., :2])
    moved = (wanted[..., changed, :] - matrix[..., None, :, 2]) @ np.swapaxes(back, -1, -2)
    out[..., changed, :] = moved
    return out


def _met(mouth):
    """(..., 20, 2) -> the same, where no inner point of the lower lip lies above that of the upper lip."""
    lower, upper = mouth[..., LOWER_INNER, 1], mouth[..., UPPER_INNER, 1]
    crossed = np.minimum(lower - upper, 0) / 2
    out = mouth.copy()
    out[..., LOWER_INNER, 1], out[..., UPPER_INNER, 1] = lower - crossed, upper + crossed
    return out


def _speaks(opening):
    return len(opening) >= FEW and opening.std() >= QUIET * lip_space().spread


def _head_free(landmarks, present):
    """(N, 68, 2), (N,) or None -> head-free canonical points (n, 68, 2) of the frames with a face, and their openings (n,)."""
    landmarks = np.asarray(landmarks, np.float64)
    known = np.isfinite(landmarks).all((-2, -1))
    known = known if present is None else known & np.asarray(present, bool)
    if not known.any():
        raise ValueError("no frame shows a face")
    points, _ = to_canonical(landmarks[known])
    return points - lip_space().head_effect(points), mouth_opening(landmarks[known])


def _away_from_rest(mouth, space):
    """(20, 2) -> 0 to 1: how wide it is pulled, or how far it is open, over what a mouth at rest may be."""
    wide = np.linalg.norm(mouth[6] - mouth[0]) / np.linalg.norm(space.rest[6] - space.rest[0]) - 1
    gap, rest = ((points[list(LOWER_INNER)] - points[list(UPPER_INNER)]).mean(0)[1] for points in (mouth, space.rest))
    return float(np.clip(max(wide / FULL_SMILE, (gap - rest) / FULL_GAP), 0, 1))


def _closing(mouth, space):
    """(20, 2) -> (6,) coefficients that close it as the mean rest shape is: of the first component alone, 0 where it is."""
    unit = space.shape(np.eye(COMPONENTS)[0])
    gap, rate, rest = (
        (points[list(LOWER_INNER)] - points[list(UPPER_INNER)]).mean(0)[1] for points in (mouth, unit, space.rest)
    )  # fmt: skip
    return np.eye(COMPONENTS)[0] * min(0.0, (rest - gap) / rate)

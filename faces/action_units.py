"""Action units of speech by the geometry of 68 landmarks (ours). This is no FACS coding: nobody looks at skin, and five
distances stand for muscles. Where OpenFace's labels are at hand, take those.

Distances are measured in the canonical frame of the head, without its place, size, roll, and what its pose adds to mouth and
jaw (`faces.lip_space`). There the nose keeps its place, so heights of lip and chin are distances to the nose. Each is compared
with a neutral face. That of a clip is the median over the frames with the smallest gap of the inner lips (NEUTRAL_SHARE,
ALIKE); that of a person, by which corpora are labelled, the median over the person's clips.

    AU25 lips part           gap of the inner lips; of the neutral gap no more than CLOSED counts as closed
    AU26 jaw drop            chin lower, below the nose
    AU20 lip stretcher       mouth wider, and the less so the higher the lips stand (HEIGHT_COSTS)
    AU10 upper lip raiser    upper lip nearer to the nose
    AU14 dimpler             corners reach further beyond the lips beside them, and those lie closer together (TIGHTNESS)

RULES has the thresholds. The intensity is 0 at the neutral face, 1 at `present`, 5 at `full`, and in proportion between; a
unit is present from 1 on. So the scale has the ends of OpenFace's, and means what the table says. No coded labels were at hand
to set the thresholds by. They lie a little above what the measures do while one man is silent, s1 of GRID (495 of 556 clips),
and do not hold for others: the shares of AU10 / AU25 in the first five frames of clips are .02 / .06 of s1, .40 / .72 of s31,
.82 / .73 of s26, and 1.0 / 1.0 of s5 and s16. Many of these mouths are visibly parted, so AU25 may be right; AU10 then says no
more than that the lips are not pressed. AU10 is present in .13 of the training frames and in .67 of those of unseen people,
AU20 in .12 and .45: both are unreliable across people. The threshold of AU14 is near the noise of landmarks, and much of what
it finds is a mouth that is stretched.
"""

from dataclasses import dataclass

import numpy as np

from common.action_units import MOST, UNITS
from faces.lip_space import lip_space, to_canonical
from faces.tracking.smoothing import smooth_series

NEUTRAL_SHARE = 0.1  # of the frames, those with the smallest gap, are neutral
ALIKE = 0.008  # eye distances; frames whose gap is larger by no more are neutral, too: lips at rest outnumber pressed ones
SMOOTH_SECONDS = 0.03  # width of the kernel over time, against the noise of landmarks
CLOSED = 0.06  # eye distances; a neutral gap beyond it is a mouth that never closes
HEIGHT_COSTS = 0.10  # eye distances of width for each of height that the lips stand higher than at rest
TIGHTNESS = 0.05  # weight of the height of the lips beside the corners against the reach of the corners
UPPER_LIP, LOWER_LIP, CHIN = [50, 51, 52], [56, 57, 58], [7, 8, 9]
INNER_UPPER, INNER_LOWER = [61, 62, 63], [67, 66, 65]
MEASURES = ("gap", "chin", "width", "upper_lip", "height", "reach", "corner_height")  # distances, as a neutral face holds them
CORNERS = (48, 54)
BESIDE = ((49, 59), (53, 55))  # outer lip points next to each corner, upper and lower


@dataclass(frozen=True)
class Rule:
    """How far a measure must go from the neutral face, in eye distances.

    Attributes:
        present: from here on the unit is present, with intensity 1; full: intensity 5.
    """

    present: float
    full: float


RULES = {
    10: Rule(0.015, 0.080),
    14: Rule(0.006, 0.030),
    20: Rule(0.018, 0.110),
    25: Rule(0.030, 0.280),
    26: Rule(0.040, 0.130),
}


def action_units(landmarks, fps=25.0, usable=None, neutral=None):
    """Action units of the frames of one clip of one person, by geometry.

    Args:
        landmarks: (N, 68, 2) float, iBUG order, any unit; NaN where there is no face.
        fps: frames per second.
        usable: (N,) bool, frames whose landmarks were seen; None: those without NaN.
        neutral: (7,) float of `neutral_face`; None: that of these frames.

    Returns:
        present (N, 5) uint8 0 or 1, intensity (N, 5) float32 in [0, 5], in the order of common.action_units.UNITS; known (N,)
        bool. Frames that are not known hold 0.

    Raises:
        ValueError: no frame is usable.
    """
    landmarks = np.asarray(landmarks, np.float64)
    known = np.isfinite(landmarks).all((-2, -1))
    known = known if usable is None else known & np.asarray(usable, bool)
    intensity = np.zeros((len(landmarks), len(UNITS)), np.float32)
    if not known.any():
        raise ValueError("no frame shows a face")
    moved = movements(landmarks[known], neutral)
    places = np.flatnonzero(known)
    for run in np.split(np.arange(len(places)), np.flatnonzero(np.diff(places) > 1) + 1):
        moved[run] = smooth_series(moved[run], SMOOTH_SECONDS * float(fps))
    for column, unit in enumerate(UNITS):
        rule = RULES[unit]
        intensity[known, column] = np.interp(moved[:, column], (0, rule.present, rule.full), (0, 1, MOST))
    return (intensity >= 1).astype(np.uint8), intensity, known


def neutral_face(landmarks):
    """Distances in the neutral face of these frames.

    Args:
        landmarks: (N, 68, 2) float in any unit, N > 0, no NaN.

    Returns:
        (7,) float64 in eye distances, in the order of MEASURES.
    """
    return _neutral(_measures(landmarks))


def movements(landmarks, neutral=None):
    """How far the measures of the units go from a neutral face.

    Args:
        landmarks: (N, 68, 2) float in any unit, N > 0, no NaN.
        neutral: (7,) float of `neutral_face`; None: that of these frames.

    Returns:
        (N, 5) float64 in eye distances, in the order of UNITS.
    """
    found = _measures(landmarks)
    rest = dict(zip(MEASURES, _neutral(found) if neutral is None else np.asarray(neutral, np.float64), strict=True))
    change = {name: values - rest[name] for name, values in found.items()}
    by_unit = {
        10: -change["upper_lip"],
        14: change["reach"] - TIGHTNESS * change["corner_height"],
        20: change["width"] - HEIGHT_COSTS * np.maximum(change["height"], 0),
        25: found["gap"] - np.clip(rest["gap"], 0, CLOSED),
        26: change["chin"],
    }
    return np.stack([by_unit[unit] for unit in UNITS], -1)


def _neutral(found):
    """dict of `_measures` -> (7,) float64: medians over the frames with the smallest gap."""
    least = found["gap"] <= np.quantile(found["gap"], NEUTRAL_SHARE) + ALIKE
    return np.array([np.median(found[name][least]) for name in MEASURES])


def _measures(landmarks):
    """(N, 68, 2) landmarks -> dict of (N,) distances without the head, in eye distances, heights from the eyes downwards."""
    points, _ = to_canonical(landmarks)
    points = points - lip_space().head_effect(points)
    x, y = points[..., 0], points[..., 1]
    right, left = CORNERS
    (over_right, under_right), (over_left, under_left) = BESIDE
    inwards = (x[:, [over_right, under_right]].mean(1) - x[:, right]) + (x[:, left] - x[:, [over_left, under_left]].mean(1))
    upper_lip = y[:, UPPER_LIP].mean(1)
    return {
        "gap": (y[:, INNER_LOWER] - y[:, INNER_UPPER]).mean(1),
        "chin": y[:, CHIN].mean(1),
        "width": np.hypot(x[:, left] - x[:, right], y[:, left] - y[:, right]),
        "upper_lip": upper_lip,
        "height": y[:, LOWER_LIP].mean(1) - upper_lip,
        "reach": inwards / 2,
        "corner_height": (y[:, [under_right, under_left]] - y[:, [over_right, over_left]]).mean(1),
    }

"""Whose pose drives a clip: frames of another person's clip in which the head stands as in the clip itself.

The paper says only that the source of the pose is a video of another identity with the same pose. How it is found is ours: for
each frame of the real clip the pose is looked up among the frames of one other clip, by dynamic programming over time. The cost
is the squared difference of yaw, pitch and roll in degrees. From one frame to the next the other clip moves up to STRIDE
frames forwards or backwards, or stands still; every other step is a jump, which costs JUMP. The clip with the least cost gives
the pose.
"""

from dataclasses import dataclass, field

import numpy as np

from benchmarks.motion.clips import stored_angles
from metrics.formulas.head_pose import angle_difference

STRIDE = 2  # frames
JUMP = 30.0  # squared degrees: once in a second, it counts as about 1 degree in each frame


@dataclass(frozen=True)
class Giver:
    """Frames that give the pose of a clip.

    Attributes:
        row: ClipRow of another person; None where there is none.
        frames: (N,) int, its frame for each of the N frames of the clip.
        errors: (3,) float, mean absolute difference of yaw, pitch and roll from the real clip, degrees.
        jumps: how often the frames jump.
    """

    row: object
    frames: np.ndarray = field(repr=False)
    errors: np.ndarray
    jumps: int


class Givers:
    """Finds the giver of a clip.

    Args:
        corpus: datasets.prepared.PreparedCorpus; rows: list of ClipRow that may give a pose.
    """

    def __init__(self, corpus, rows):
        self._corpus, self._pool = corpus, [(row, stored_angles(corpus, row)) for row in rows]

    def of(self, row):
        """Giver of a clip; None where the pool holds no other person."""
        wanted, found = stored_angles(self._corpus, row), []
        for other, angles in self._pool:
            if other.speaker != row.speaker:
                costs = np.square(angle_difference(wanted[:, None], angles[None])).sum(-1)
                found.append((costs.min(1).sum(), other, angles, costs))  # no way through the clip costs less
        best = None
        for least, other, angles, costs in sorted(found, key=lambda one: one[0]):
            if best is not None and least >= best[0]:
                break
            total, frames = cheapest_way(costs)
            if best is None or total < best[0]:
                best = total, other, angles, frames
        if best is None:
            return None
        _, other, angles, frames = best
        errors = np.abs(angle_difference(angles[frames], wanted)).mean(0)
        return Giver(other, frames, errors, int((np.abs(np.diff(frames)) > STRIDE).sum()))


def cheapest_way(costs, stride=STRIDE, jump=JUMP):
    """Way through the frames of a clip with the least sum of costs.

    Args:
        costs: (N, M) float, of frame m at the moment n; stride: frames that a step may have, either way, at no cost; jump: cost
            of every other step.

    Returns:
        (its cost, (N,) int frames).
    """
    total, before = costs[0].copy(), np.empty(costs.shape, np.int64)
    steps, places = np.arange(-stride, stride + 1), np.arange(costs.shape[1])
    sources = places + steps[np.argsort(np.abs(steps), kind="stable"), None]  # standing still wins a tie
    inside = (sources >= 0) & (sources < len(places))
    sources = np.clip(sources, 0, len(places) - 1)
    for moment in range(1, len(costs)):
        near = np.where(inside, total[sources], np.inf)
        choice = near.argmin(0)
        reached, before[moment] = near[choice, places], sources[choice, places]
        far = int(total.argmin())
        jumped = total[far] + jump < reached
        before[moment, jumped] = far
        total = np.where(jumped, total[far] + jump, reached) + costs[moment]
    way = np.empty(len(costs), np.int64)
    way[-1] = total.argmin()
    for moment in range(len(costs) - 1, 0, -1):
        way[moment - 1] = before[moment, way[moment]]
    return float(total.min()), way

"""Sound that does not belong to a window: what the lip-sync expert must learn to tell from the window's own.

Published code takes any other moment of the clip, which sound and lips of fluent speech seldom resemble; a judge of AV offset
must tell neighbours, too. So negatives are drawn near, far, and from other clips of the same speaker (ours).
"""

from dataclasses import dataclass

from common.errors import InputError

NEAR = 15  # frames: the range of shifts that LSE looks at


@dataclass(frozen=True)
class Negatives:
    """Shares of the kinds of negatives; they need not sum to 1.

    Attributes:
        near: 1 to `NEAR` frames earlier or later.
        far: more than `NEAR` frames away in the clip.
        other: another clip of the same speaker.
        least: frames that a near negative lies away at least; a shift of one frame is 40 ms.
        sounds: K, sounds that each window is heard with: its own and K - 1 negatives. 1 is the published way: one sound, the
            window's own with probability 1/2.

    Raises:
        InputError: a negative share, all of them 0, or `least` outside 1 ... NEAR.
    """

    near: float = 0.5
    far: float = 0.25
    other: float = 0.25
    least: int = 1
    sounds: int = 1

    def __post_init__(self):
        shares = (self.near, self.far, self.other)
        if min(shares) < 0 or sum(shares) <= 0:
            raise InputError("data.negatives: near, far and other must be 0 or more, and not all 0")
        if not 1 <= self.least <= NEAR:
            raise InputError(f"data.negatives.least: {self.least}: must lie between 1 and {NEAR}")
        if self.sounds < 1:
            raise InputError(f"data.negatives.sounds: {self.sounds}: must be 1 or more")

    def draw(self, rng, clip, start, starts, alike, starts_of):
        """Where the sounds of a window come from.

        A kind that the clip has no room for gives way to the next one; where there is room for none, the window's own is taken.

        Args:
            rng: numpy Generator.
            clip, start: number of the clip and first frame of the window.
            starts: how many windows the clip has room for.
            alike: numbers of the speaker's clips, `clip` among them.
            starts_of: number of a clip -> how many windows it has room for.

        Returns:
            list of K (number of the clip, first frame); with K > 1 the window itself comes first.
        """
        own = (clip, start)
        if self.sounds == 1:
            return [own if rng.random() < 0.5 else self._draw_one(rng, own, starts, alike, starts_of)]
        return [own, *(self._draw_one(rng, own, starts, alike, starts_of) for _ in range(self.sounds - 1))]

    def _draw_one(self, rng, own, starts, alike, starts_of):
        clip, start = own
        kind, pick = rng.random(2)
        kind *= self.near + self.far + self.other
        order = ("other", "far", "near")
        if kind < self.near + self.far:
            order = ("near", "far", "other") if kind < self.near else ("far", "near", "other")
        for name in order:
            if name == "other":
                others = [number for number in alike if number != clip]
                if others:
                    number = others[int(pick * len(others))]
                    return number, int(rng.integers(starts_of(number)))
                continue
            low, high = (self.least, NEAR) if name == "near" else (NEAR + 1, starts)
            choices = [at for at in range(starts) if low <= abs(at - start) <= high]
            if choices:
                return clip, choices[int(pick * len(choices))]
        return own

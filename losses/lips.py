"""Losses of movements of lips, (B, T, 20, 2) in eye distances (faces.lip_space); ours."""

import numpy as np
import torch

from common.errors import InputError
from common.schema import REQUIRED, Flag, Number
from faces.lip_space import COMPONENTS, lip_space
from losses.masking import frame_mean, window_mean
from losses.term import Term
from models.lips.motion import LOWER, UPPER


class LipTerm(Term):
    """Base: reads the network's `lips` and the real ones, and knows the lip space."""

    needs = ("lips",)
    reads = ("lips",)

    def __init__(self):
        super().__init__()
        space = lip_space()
        self.register_buffer("components", torch.from_numpy(np.float32(space.components)))
        self.register_buffer("scale", torch.from_numpy(np.float32(space.scale)))

    def coefficients(self, lips):
        """(B, T, 20, 2) -> (B, T, 6)."""
        return lips.flatten(2) @ self.components.T


class LipCoefficients(LipTerm):
    """Mean square of the difference of the six coefficients (docs/methods.md).

    Args:
        even: 0 counts all in eye distances, so that the opening decides; 1 counts each in its own spread.
        centred: the mean difference of a window does not count. A network that sees single pictures cannot know where a
            person's lips rest.
    """

    ranges = {"even": Number(REQUIRED, 0, 1), "centred": Flag(REQUIRED)}

    def __init__(self, even=0.5, centred=False):
        super().__init__()
        self.even, self.centred = float(even), centred

    def forward(self, outputs, batch):
        """-> scalar, in squares of the opening's spread."""
        apart = self.coefficients(outputs["lips"] - batch["lips"])
        if self.centred:
            apart = apart - window_mean(apart, batch)
        weighed = apart * (self.scale[0] / self.scale) ** self.even / self.scale[0]
        return frame_mean(weighed.square().sum(-1), batch)


def opening(lips):
    """(B, T, 20, 2) -> (B, T): how far the inner lips have moved apart, mean of three pairs of points."""
    return lips[..., LOWER, 1].mean(-1) - lips[..., UPPER, 1].mean(-1)


class LipOpening(LipTerm):
    """Mean square of the difference of the openings, in squares of the first component's spread."""

    def forward(self, outputs, batch):
        """-> scalar."""
        return frame_mean((opening(outputs["lips"] - batch["lips"]) / self.scale[0]).square(), batch)


class LipVelocity(LipTerm):
    """The same of their changes from frame to frame; windows have two frames or more."""

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        return _with_change(options, setting, name)

    def forward(self, outputs, batch):
        """-> scalar."""
        change = (opening(outputs["lips"] - batch["lips"]) / self.scale[0]).diff(dim=1)
        beside = {"valid": batch["valid"][:, 1:]} if "valid" in batch else {}
        return frame_mean(change.square(), beside)


def _with_change(options, setting, name):
    """The options; InputError where windows of one frame hold no movement."""
    if setting.frames < 2:
        raise InputError(f"losses.{name}: looks at how lips move; give data.window 2 frames or more")
    return options


class LipSpread(LipTerm):
    """Keeps movements as wide as the real ones: squares of the log ratios of the coefficients' spreads, over the batch.

    What predicts a mean moves less than what it predicts.

    Args:
        components: how many of the first ones count.
    """

    ranges = {"components": Number(REQUIRED, 1, COMPONENTS, whole=True)}

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        return _with_change(options, setting, name)

    def __init__(self, components=3):
        super().__init__()
        self.most = components

    def forward(self, outputs, batch):
        """-> scalar."""
        made, real = (self._spread(values["lips"], batch) for values in (outputs, batch))
        return (made / real).log().square().mean()

    def _spread(self, lips, batch):
        """(6,) root of the mean square about each window's mean."""
        values = self.coefficients(lips)[..., : self.most]
        valid = batch.get("valid", torch.ones_like(values[..., 0]))[..., None]
        about = (values - window_mean(values, batch)) * valid
        return (about.square().sum((0, 1)) / valid.sum().clamp_min(1) + 1e-6).sqrt()

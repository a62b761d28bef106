"""The generator's way to the portrait: the picture, and the finer maps of the identity encoder, moved by a flow (ours).

Codes and small maps alone draw a stranger only after a long training on many people. This is off in the published form. The
flow begins with the portrait's landmarks, whose movements are read in the codes; the generator's levels change it.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled
from models.motion.head import centred_skull, head_fit, of_head
from models.motion.identity import EXPANSION, PLANES
from models.precision import outside_autocast

LEVELS = 4  # the picture, and maps of half, a quarter and an eighth of its side
FARTHEST = 0.5  # half sides that one level of the flow moves at most
SLOW = 0.1  # the flow learns by so much more slowly than colours do
NEAR, STILL = 0.15, 0.4  # how far a landmark carries what is about it, and where all stands still, in half sides
CLOSE = 0.02  # half sides: up to there a landmark alone carries; an upper and a lower lip that touch part
STANDS = math.exp(-((STILL / NEAR) ** 2) / 2) / (STILL**2 + CLOSE**2) ** 2  # weight of what stands still


def moved(maps, flow):
    """Move maps: (N, C, H, W) float, flow (N, 2, h, w) float32 -> (N, C, H, W) float32.

    Args:
        flow: where each place of the result lies in `maps`, right and down of that place, in half sides.
    """
    with outside_autocast(maps.device):
        height, width = maps.shape[-2:]
        flow = F.interpolate(flow.float(), (height, width), mode="bilinear", align_corners=False)
        across, down = ((2 * torch.arange(size, device=maps.device) + 1) / size - 1 for size in (width, height))
        place = torch.stack(torch.meshgrid(across, down, indexing="xy"), 0)
        grid = (place + flow).permute(0, 2, 3, 1)
        return F.grid_sample(maps.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


class Reading(nn.Conv2d):
    """A 3x3 convolution over the root of the number of its inputs, 0 at first: (N, C, H, W) -> (N, after, H, W) float32."""

    def __init__(self, before, after):
        super().__init__(before, after, 3, padding=1)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x):
        return super().forward(x).float() / math.sqrt(9 * self.in_channels)


class MovedPortrait(nn.Module):
    """Draws a flow from coarse to fine, lays moved maps over those of the generator, and the moved picture over its face.

    At first the learned flow is 0, and the picture covers the face by three quarters.

    Args:
        width: that of the identity encoder; channels: of the generator's levels, from the coarsest to full size.
    """

    def __init__(self, width, channels):
        super().__init__()
        planes, ends = scaled(PLANES, width), channels[::-1][:LEVELS]
        found = (3, planes, planes * EXPANSION, 2 * planes * EXPANSION)
        self.joins = nn.ModuleList(nn.Conv2d(before, after, 1) for before, after in zip(found, ends, strict=True))
        self.flows = nn.ModuleList(Reading(after, 2) for after in ends[1:])
        self.cover = Reading(ends[0], 1)
        self.register_buffer("skull", torch.tensor(centred_skull() @ head_fit(), dtype=torch.float32))

    def begin(self, portrait, moves):
        """The flow by the landmarks alone: (N, 2, s, s) float32, s half of S.

        Points of the skull stand and move as the affine map does that fits the landmarks which go with the head best, so that
        hair goes with the face. Each place goes with the landmarks and these points about it, which weigh
        exp(-d^2 / 2 NEAR^2) / (d^2 + CLOSE^2)^2 at the distance d, and with what stands still, which weighs as a landmark at
        the distance STILL does (a Shepard mean of short reach; ours).
        """
        with outside_autocast(moves.device):
            side = portrait.levels[1].shape[-1]
            along = (2 * torch.arange(side, device=moves.device) + 1) / side - 1
            landmarks = portrait.landmarks.float()
            landmarks, moves = (torch.cat([one, self.skull.float() @ of_head(one)], 1) for one in (landmarks, moves))
            reached = landmarks + moves
            across, down = ((along - one[..., None]).square() for one in reached.unbind(-1))  # (N, landmarks, s)
            weights = _carried(down[..., :, None] + across[..., None, :])
            total = weights.sum(1, keepdim=True) + STANDS
            return -torch.einsum("nlyx,nlc->ncyx", weights, moves) / total

    def join(self, x, levels, flows, level):
        """Lay a level's maps over those of the generator.

        Args:
            x: (N, C, H, W) float of the generator; levels: those of models.motion.identity.Identity; level: H is S / 2^level;
            flows: the flow by the landmarks, and what the levels before have added, (N, 2, h, w) float32 each.

        Returns:
            The new x, and the flows as this level has changed them.
        """
        if level >= LEVELS:
            return x, flows
        given, learned = flows
        if level:
            step = FARTHEST * torch.tanh(SLOW * self.flows[level - 1](x))
            learned = step + _at(learned, step)
        maps = moved(levels[level], _at(given, learned) + learned).to(levels[level].dtype)
        return x + self.joins[level](maps), (given, learned)

    def over(self, face, x, picture, flows):
        """Lay the moved picture over a drawn face.

        Args:
            face: (N, 3, S, S) float32 in [0, 1]; x: (N, C, S, S) float, the generator's last maps; picture: (N, 3, S, S) float
                in [-1, 1]; flows: as of `join`.

        Returns:
            (N, 3, S, S) float32 in [0, 1].
        """
        given, learned = flows
        cover = (self.cover(x) + 1).sigmoid()
        return cover * (moved(picture, given + _at(learned, given)) + 1) / 2 + (1 - cover) * face


def _carried(squares):
    """Weights of landmarks at squared distances."""
    return torch.exp(-squares / (2 * NEAR**2)) / (squares + CLOSE**2).square()


def _at(flow, other):
    """A flow at the size of another one: (N, 2, h, w) float32."""
    return F.interpolate(flow, other.shape[-2:], mode="bilinear", align_corners=False)

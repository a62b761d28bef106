"""How the landmarks of a portrait move, as codes of mouth and pose say (ours)."""

import torch
from torch import nn

from faces.landmarks import MOUTH
from models.fan import LANDMARKS
from models.motion.head import AFFINE, READ_AS_1, centred_face
from models.precision import outside_autocast

HIDDEN = 256  # numbers between codes and movements
CHIN = slice(4, 13)  # and the mouth: what the codes of the mouth move
LOWER = CHIN.stop - CHIN.start + MOUTH.stop - MOUTH.start


class Mover(nn.Module):
    """Codes -> movements of the portrait's landmarks, 0 where the codes are its own.

    The pose moves them as an affine map of a mean head in three dimensions moves its landmarks in the picture: a head that
    turns, nears and shifts, and no mouth that opens. That map is linear in how the pose codes differ, so that a
    change of the pose moves a portrait alike, whoever gives it. The mouth moves chin and mouth against that head.

    Args:
        codes: M, numbers in the codes of mouth and pose together; pose: P, those of the pose, which come last.
        affine: pose codes begin with such maps, as those of PoseReading do; the movement then begins with their change.
    """

    def __init__(self, codes, pose, affine=False):
        super().__init__()
        self.numbers = codes - pose, pose
        self.head = nn.Linear(pose, AFFINE, bias=False)
        self.mouth = nn.Sequential(nn.Linear(2 * (codes - pose), HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LOWER))
        for layer in (self.head, self.mouth[2]):
            nn.init.zeros_(layer.weight)
        if affine:
            nn.init.eye_(self.head.weight)
        self.register_buffer("face", torch.tensor(centred_face(), dtype=torch.float32))

    def forward(self, own, codes):
        """(N, M) float codes of the portraits, (N, M) float codes -> (N, 68, 2) float32, right and down, half sides."""
        (own_mouth, own_pose), (mouth, pose) = (one.split(self.numbers, -1) for one in (own, codes))
        with outside_autocast(codes.device):
            change = (pose.float() - own_pose.float()) @ self.head.weight.float().T
            head = change.unflatten(-1, (2, 4)) @ self.face.float().T  # (..., 2, 68)
        there, here = (torch.cat([one, own_mouth], -1).to(self.mouth[0].weight.dtype) for one in (mouth, own_mouth))
        lower = (self.mouth(there).float() - self.mouth(here).float()).unflatten(-1, (2, LOWER))
        chin, lips = lower.tensor_split([CHIN.stop - CHIN.start], -1)
        moved = head + _placed(chin, CHIN) + _placed(lips, MOUTH)
        return READ_AS_1 * moved.transpose(-1, -2)


def _placed(moves, part):
    """(..., n) for some landmarks in a row -> (..., 68), 0 for the others."""
    return nn.functional.pad(moves, (part.start, LANDMARKS - part.stop))


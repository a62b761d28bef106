"""What a refined mouth is judged by: its pixels, and an adversary that looks at small patches (docs/methods.md; ours)."""

import torch
import torch.nn.functional as F

from common.schema import REQUIRED, Number
from losses.term import Precise, Term, fixed, raised
from models.lips.patches import LipPatches
from models.lips.refiner import near_lips, square
from models.precision import outside_autocast


class PatchAdversary(Precise):
    """The judge of patches, and what it learns from: binary cross-entropy, weighed by how near the lips a patch is."""

    def __init__(self, judge):
        super().__init__()
        self.judge = judge

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) generated and real, `lip_drawing` (B, T, 4, S, S) -> float32 scalar."""
        with outside_autocast(batch["face"].device):
            fake, real = _squares(raised(outputs["face"].detach())), _squares(batch["face"])
            drawing = _squares(batch["lip_drawing"])
            with self.networks(real.device):
                logits, _ = self.judge(torch.cat((real, fake)), torch.cat((drawing, drawing)))
            told_real, told_fake = logits.float().chunk(2)
            return 0.5 * _near(F.softplus(-told_real) + F.softplus(told_fake), drawing, batch)


class LipDistance(Term):
    """Mean absolute difference near the lips, which are a small part of a face.

    Args:
        gradient: weight of the same difference between horizontal and vertical pixel differences, which keeps edges.
    """

    needs = ("face", "lip_drawing")
    ranges = {"gradient": Number(REQUIRED, 0, 1000)}

    def __init__(self, gradient=1.0):
        super().__init__()
        self.gradient = float(gradient)

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) generated and real, `lip_drawing` (B, T, 4, S, S) -> scalar."""
        fake, real, drawing = (_squares(one) for one in (outputs["face"], batch["face"], batch["lip_drawing"]))
        difference = fake - real
        loss = _near(difference.abs(), drawing, batch)
        if self.gradient:
            edges = sum(_near(difference.diff(dim=axis).abs(), drawing, batch) for axis in (-1, -2))
            loss = loss + self.gradient * edges
        return loss


class LipPatchLoss(Term):
    """How real the patches around the mouth look to a judge that learns beside the network, and to the layers inside it.

    -log of the judge's probability, plus `matching` times the mean absolute difference of its maps for the real and the
    generated face (feature matching, Salimans et al., arXiv 1606.03498; ours with L1).

    Args:
        channels: of the judge's first layer.
        matching: weight of the maps' difference.
    """

    needs = ("face", "lip_drawing")
    ranges = {"channels": Number(REQUIRED, 8, 128, whole=True), "matching": Number(REQUIRED, 0, 1000)}

    def __init__(self, channels=32, matching=1.0):
        super().__init__()
        self.adversary, self.matching = PatchAdversary(LipPatches(int(channels))), float(matching)

    def adversaries(self):
        """See losses.term.Term."""
        return {"": self.adversary}

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) generated and real, `lip_drawing` (B, T, 4, S, S) -> scalar."""
        fake, real, drawing = (_squares(one) for one in (outputs["face"], batch["face"], batch["lip_drawing"]))
        judge = self.adversary.judge
        with self.networks(fake.device):
            logits, maps = fixed(judge, fake, drawing)
            with torch.no_grad():
                _, wanted = judge(real, drawing)
        loss = _near(F.softplus(-logits.float()), drawing, batch)
        if self.matching:
            pairs = zip(maps, wanted, strict=True)
            apart = [(one.float() - other.float()).abs().mean(1, keepdim=True) for one, other in pairs]
            loss = loss + self.matching * sum(_near(one, drawing, batch) for one in apart) / len(apart)
        return loss


def _squares(pictures):
    """(B, T, C, S, S) -> (B * T, C, S / 2, S / 2): the square around the mouth."""
    rows, columns = square(pictures.shape[-1])
    return pictures[..., rows, columns].flatten(0, 1)


def _near(values, drawing, batch):
    """Mean of (N, C, h, w) values, weighed by how near the lips they are: open mouths count more; padded frames do not."""
    weight = F.interpolate(near_lips(drawing), size=values.shape[-2:], mode="area")
    if "valid" in batch:
        weight = weight * batch["valid"].to(weight.dtype).view(-1, 1, 1, 1)
    return (values * weight).sum() / (values.shape[1] * weight.sum()).clamp_min(1)

"""Reconstruction: how far the generated face is from the real one, pixel by pixel."""

import torch
import torch.nn.functional as F

from common.schema import REQUIRED, Number
from losses.masking import frame_mean
from losses.regions import REGIONS, cut, region_of
from losses.term import Term


class L1Loss(Term):
    """Mean absolute difference (Wav2Lip's L_recon, arXiv 2008.10010 eq. 2), optionally with more weight on the mouth.

    Args:
        mouth_weight: weight of the mouth (`losses.regions`) relative to the rest; 1 is the published loss. The weights are
            scaled to a mean of 1 over the region.
        upper_weight: weight of the rows above `upper_rows`, which the model is given and pasting leaves as they are; 1 is the
            published loss.
        upper_rows: share of the crop's height.
        gradient: weight of the same difference between horizontal and vertical pixel differences, which keeps edges; 0 is the
            published loss.
        region: part of the face that is looked at, one of `losses.regions.REGIONS`.

    Raises:
        InputError: an unknown region.
    """

    needs = ("face",)

    ranges = {
        **dict.fromkeys(("mouth_weight", "upper_weight", "gradient"), Number(REQUIRED, 0, 1000)),
        "upper_rows": Number(REQUIRED, 0, 1),
    }

    def __init__(self, mouth_weight=1.0, upper_weight=1.0, upper_rows=0.44, gradient=0.0, region="face"):
        super().__init__()
        self.mouth_weight, self.gradient = float(mouth_weight), float(gradient)
        self.upper_weight, self.upper_rows = float(upper_weight), float(upper_rows)
        self.region = region_of(region, "losses.l1.region")
        if not self._weight(torch.zeros(96, 96)).isfinite().all():
            raise ValueError("mouth_weight and upper_weight leave no pixel of the region any weight")

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) generated and real -> scalar."""
        weight = self._weight(batch["face"])
        fake, real = cut(outputs["face"], self.region), cut(batch["face"], self.region)
        loss = frame_mean(((fake - real).abs() * weight).mean((2, 3, 4)), batch)
        if self.gradient:
            for axis in (-1, -2):
                edge = (fake.diff(dim=axis) - real.diff(dim=axis)).abs()
                edge = edge * weight.narrow(axis, 0, edge.shape[axis])
                loss = loss + self.gradient * frame_mean(edge.mean((2, 3, 4)), batch)
        return loss

    def _weight(self, faces):
        """Weights of the pixels of the region, with a mean of 1."""
        side = faces.shape[-1]
        weight = torch.ones(side, side, device=faces.device)
        weight[: int(self.upper_rows * side)] = self.upper_weight
        cut(weight, REGIONS["mouth"]).fill_(self.mouth_weight)
        weight = cut(weight, self.region)
        return weight / weight.mean()


class LaplacianLoss(Term):
    """L1 between Laplacian pyramids: fine detail counts as much as coarse, so that a mouth does not come out blurred (ours).

    Args:
        levels: of the pyramid; level j weighs 2**j, as the number of its pixels shrinks by 4**j.
        region: part of the face that is looked at, one of `losses.regions.REGIONS`.

    Raises:
        InputError: an unknown region.
    """

    needs = ("face",)

    ranges = {"levels": Number(REQUIRED, 1, 5, whole=True)}

    def __init__(self, levels=3, region="face"):
        super().__init__()
        self.levels, self.region = int(levels), region_of(region, "losses.laplacian.region")

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) generated and real -> scalar."""
        difference = cut(outputs["face"] - batch["face"], self.region)
        rest, loss = difference.flatten(0, 1), difference.new_zeros(difference.shape[:2])
        for level in range(self.levels):
            coarse = F.avg_pool2d(rest, 2)
            detail = rest - F.interpolate(coarse, size=rest.shape[-2:], mode="bilinear", align_corners=False)
            loss = loss + 2**level * detail.abs().mean((1, 2, 3)).view(loss.shape)
            rest = coarse
        return frame_mean(loss, batch) / self.levels

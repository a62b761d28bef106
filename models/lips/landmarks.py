"""Mouth landmarks with a gradient: 20 points from a face crop, for losses to run through (docs/methods.md, eq. (23)).

A detector's landmarks have no gradient. This small network is distilled from them (configs/lip_landmarks.yaml) and then frozen.
"""

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import ConvBlock, check_size, residual_blocks
from models.network import Network

POINTS = 20  # the mouth part, 48-67, of the 68-point scheme
SIDE = 96  # pixels; other crops are resized to it
TOP, LEFT, RIGHT = 32, 8, 88  # the part of such a crop in which lips can be, down to its lower edge
STRIDE = 4  # of the heat maps
_EPSILON = 1e-3


class LipLandmarks(Network):
    """20 mouth landmarks from a face crop; differentiable in the crop.

    Each point is the mean position under the softmax of its own heat map (integral regression), so that its gradient lies where
    the lips are. Each crop is brought to zero mean and unit deviation first: light and skin tone are taken out.

    Args:
        face_size: S, side of the crops.

    Raises:
        InputError: `face_size` is not one of `models.blocks.FACE_SIZES`.
    """

    role = "a lip-landmark network"
    needs = ("face",)
    gives = ("mouth",)

    def __init__(self, face_size=96):
        super().__init__()
        check_size(face_size, 1.0)
        self.face_size = face_size
        self.stem = nn.Sequential(ConvBlock(3, 24, stride=2), ConvBlock(24, 48, stride=2), *residual_blocks(48, 1))
        self.context = nn.Sequential(ConvBlock(48, 96, stride=2), *residual_blocks(96, 2), ConvBlock(96, 128, stride=2),
                                     *residual_blocks(128, 1))  # fmt: skip
        self.back = ConvBlock(128, 48, kernel_size=1, padding=0)
        self.head = nn.Sequential(*residual_blocks(48, 1), ConvBlock(48, 64), nn.Conv2d(64, POINTS, kernel_size=1))

    def parts(self):
        """See models.network.Network."""
        return {"trunk": ("stem", "context", "back"), "head": ("head",)}

    def forward(self, batch):
        """Training: `face` (B, T, 3, S, S) -> {"mouth": (B, T, 20, 2) float32 crop pixels}."""
        return {"mouth": self.find(batch["face"])}

    def find(self, faces):
        """Find the points.

        Args:
            faces: (N, 3, S, S) or (B, T, 3, S, S) float32 in [0, 1], RGB.

        Returns:
            (N, 20, 2) or (B, T, 20, 2) float32: x, y in crop pixels, the middle of the first pixel being 0, 0; in the order of
            points 48-67 of the 68-point scheme.
        """
        flat = faces.flatten(0, -4)
        size = flat.shape[-1]
        if size != SIDE:
            flat = F.interpolate(flat, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=size > SIDE)
        part = flat[:, :, TOP:, LEFT:RIGHT].float()
        deviation, mean = torch.std_mean(part.detach(), (1, 2, 3), keepdim=True)  # constants: the gradient stays at the lips
        fine = self.stem(((part - mean) / (deviation + _EPSILON)).to(self.head[-1].weight.dtype))
        coarse = F.interpolate(self.back(self.context(fine)), scale_factor=4, mode="bilinear", align_corners=False)
        heat = self.head(fine + coarse).flatten(2).float().softmax(-1)
        places = (heat.unsqueeze(-1) * _places(heat.device)).sum(-2)  # autocast would round a matrix product
        points = (places + 0.5) * (size / SIDE) - 0.5
        return points.unflatten(0, faces.shape[:-3])


def _places(device):
    """(K, 2) float32: x, y of the middle of each cell of a heat map, in pixels of the 96-pixel crop."""
    middle = (STRIDE - 1) / 2
    rows = torch.arange(TOP, SIDE, STRIDE, device=device) + middle
    columns = torch.arange(LEFT, RIGHT, STRIDE, device=device) + middle
    return torch.cartesian_prod(rows, columns).flip(1)

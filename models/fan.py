"""One hourglass of the face alignment network FAN (arXiv 1703.07332), as the public code of DAVS and of PC-AVS has it.

Parameter names are those of that code. Written anew.
"""

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled

LANDMARKS = 68
DEPTH = 4  # halvings inside the hourglass
DROPOUT = 0.5  # of the maps that go past a halving, as published


class FanBlock(nn.Module):
    """Residual block of FAN: three convolutions, a batch norm before each, their outputs side by side."""

    def __init__(self, before, after):
        super().__init__()
        half, quarter = after // 2, after // 4
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, half, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv2 = nn.Conv2d(half, quarter, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(quarter)
        self.conv3 = nn.Conv2d(quarter, quarter, 3, padding=1, bias=False)
        same = before == after
        shortcut = nn.Sequential(nn.BatchNorm2d(before), nn.ReLU(inplace=True), nn.Conv2d(before, after, 1, bias=False))
        self.downsample = None if same else shortcut

    def forward(self, x):
        one = self.conv1(F.relu(self.bn1(x), inplace=True))
        two = self.conv2(F.relu(self.bn2(one), inplace=True))
        three = self.conv3(F.relu(self.bn3(two), inplace=True))
        return torch.cat((one, two, three), 1) + (x if self.downsample is None else self.downsample(x))


class Hourglass(nn.Module):
    """Maps halved DEPTH times and enlarged again, with a branch past each halving: (N, C, H, W) -> the same shape.

    Args:
        channels: C; corners: enlarging is bilinear, with the corners aligned or not.
    """

    def __init__(self, channels, corners):
        super().__init__()
        self.corners = corners
        for level in range(DEPTH, 0, -1):
            for branch in ("b1", "b2", "b3", *(("b2_plus",) if level == 1 else ())):
                self.add_module(f"{branch}_{level}", FanBlock(channels, channels))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x, level=DEPTH):
        past = self.dropout(getattr(self, f"b1_{level}")(x))
        low = getattr(self, f"b2_{level}")(F.max_pool2d(x, 2))
        low = self(low, level - 1) if level > 1 else self.b2_plus_1(low)
        low = getattr(self, f"b3_{level}")(low)
        return past + F.interpolate(low, size=past.shape[2:], mode="bilinear", align_corners=self.corners)


class Heatmaps(nn.Module):
    """Faces -> heatmaps: (N, 3, S, S) float RGB -> (N, 68, S / 4, S / 4) float, one for each landmark.

    Args:
        width: multiplies the channels, not the 68 heatmaps; corners: as for Hourglass.
    """

    def __init__(self, width, corners):
        super().__init__()
        c64, c128, c256 = (scaled(channels, width) for channels in (64, 128, 256))
        self.conv1 = nn.Conv2d(3, c64, 7, 2, 3)
        self.bn1 = nn.BatchNorm2d(c64)
        self.conv2, self.conv3, self.conv4 = FanBlock(c64, c128), FanBlock(c128, c128), FanBlock(c128, c256)
        self.m0, self.top_m_0 = Hourglass(c256, corners), FanBlock(c256, c256)
        self.conv_last0 = nn.Conv2d(c256, c256, 1)
        self.bn_end0 = nn.BatchNorm2d(c256)
        self.l0 = nn.Conv2d(c256, LANDMARKS, 1)

    def heatmaps(self, faces):
        """The 68 maps of (N, 3, S, S) faces."""
        x = F.relu(self.bn1(self.conv1(faces)), inplace=True)
        x = self.conv4(self.conv3(F.max_pool2d(self.conv2(x), 2)))
        x = self.top_m_0(self.m0(x))
        return self.l0(F.relu(self.bn_end0(self.conv_last0(x)), inplace=True))

    forward = heatmaps

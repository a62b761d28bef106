"""DAVS: the two encoders of speech (wid), from sound and from a mouth that is seen.

Layout and parameter names of the public code (arXiv 1807.07860); layers that it makes and never uses are left out. The encoder
of faces is one hourglass of the face alignment network (models.fan) with a small head.
"""

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled
from models.fan import LANDMARKS, Heatmaps

CODE = 256  # at width 1
MFCC_FRAMES, MFCC_COEFFICIENTS = 20, 12
LEAK = 0.2


class SquareSound(nn.Module):
    """Time and coefficients convolved alike: (N, 1, 20, 12) -> (N, 512, 1, 1) float, channels at width 1."""

    def __init__(self, width):
        super().__init__()
        c64, c128, c256, c512 = (scaled(channels, width) for channels in (64, 128, 256, 512))
        self.conv1 = nn.Conv2d(1, c64, 3, (3, 2), (1, 2), bias=False)
        self.bn1 = nn.BatchNorm2d(c64)
        self.conv2 = nn.Conv2d(c64, c128, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c128)
        self.conv3 = nn.Conv2d(c128, c256, 3, bias=False)
        self.bn3 = nn.BatchNorm2d(c256)
        self.conv4 = nn.Conv2d(c256, c512, 2, bias=False)

    def forward(self, mfcc):
        x = F.leaky_relu(self.bn1(self.conv1(mfcc)), LEAK)
        x = F.leaky_relu(self.bn2(self.conv2(x)), LEAK)
        x = F.leaky_relu(self.bn3(self.conv3(x)), LEAK)
        return self.conv4(x)


class TimeSound(nn.Module):
    """All coefficients at once, then convolutions over time: (N, 1, 20, 12) -> (N, 512, 1, 1) float, channels at width 1.

    Its poolings have windows of one element, as published: they take every third and every second column.
    """

    def __init__(self, width):
        super().__init__()
        c64, c256, c512 = (scaled(channels, width) for channels in (64, 256, 512))
        self.conv1 = nn.Conv2d(1, c64, (3, MFCC_COEFFICIENTS), bias=False)
        self.bn1 = nn.BatchNorm2d(c64)
        self.conv2 = nn.Conv2d(c64, c256, (3, 1), 1, (1, 0), bias=False)
        self.bn2 = nn.BatchNorm2d(c256)
        self.conv3 = nn.Conv2d(c256, c512, (3, 1), bias=False)

    def forward(self, mfcc):
        x = F.leaky_relu(self.bn1(self.conv1(mfcc)), LEAK)[:, :, ::3]
        x = F.leaky_relu(self.bn2(self.conv2(x)), LEAK)[:, :, ::2]
        return self.conv3(x)


class AudioSpeechEncoder(nn.Module):
    """MFCC windows -> codes of the speech: (N, 20, 12) float, time by coefficient -> (N, 256) float, width 1."""

    def __init__(self, width=1.0):
        super().__init__()
        self.model1, self.model2 = SquareSound(width), TimeSound(width)
        self.fc = nn.Linear(2 * scaled(512, width), scaled(CODE, width))

    def forward(self, mfcc):
        x = mfcc[:, None]
        return self.fc(torch.cat((self.model1(x), self.model2(x)), 1).flatten(1))


class VideoSpeechEncoder(nn.Module):
    """Faces -> codes of the speech and heatmaps.

    All codes pass through one map and its ReLU. The published encoder begins from weights of FAN; ours begins anew, with a bias
    by which most of that map is above 0 (measured with torch's own start: 19 to 95 % of it, by the seed).

    Args:
        face_size: S, a multiple of 8; width: multiplies the channels, not the 68 heatmaps.
    """

    def __init__(self, face_size=256, width=1.0):
        super().__init__()
        self.model = Heatmaps(width, corners=True)  # which is what the torch of the published code did
        self.bn1 = nn.BatchNorm2d(LANDMARKS)
        self.conv6 = nn.Conv2d(LANDMARKS, 1, 3, 2, 1)
        nn.init.constant_(self.conv6.bias, 0.5)
        self.fc = nn.Linear((face_size // 8) ** 2, scaled(CODE, width))

    def forward(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> codes (N, 256) float, width 1; heatmaps (N, 68, S / 4, S / 4) float."""
        heatmaps = self.model(faces)
        features = self.conv6(F.relu(self.bn1(heatmaps), inplace=True))
        return self.fc(F.relu(features.flatten(1))), heatmaps

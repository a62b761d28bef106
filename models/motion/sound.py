"""PC-AVS: the encoder of sound, a ResNet-34 with squeeze and excitation and attention over time.

Layout and parameter names of the public code (arXiv 2104.11116) at width 1; its classifier of people, on which no other part
depends, is left out. Written anew.
"""

import torch.nn.functional as F
from torch import nn

from models.blocks import scaled

MELS, COLUMNS = 80, 20  # of a log mel window: bands, columns of 10 ms
FILTERS, LAYERS = (32, 64, 128, 256), (3, 4, 6, 3)
ATTENTION, REDUCTION = 128, 8
FEATURE = 512  # at width 1


class Excitation(nn.Module):
    """A weight in (0, 1) for each channel, from the means of all: (N, C, H, W) -> the same shape."""

    def __init__(self, channels):
        super().__init__()
        hidden = channels // REDUCTION
        self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, x):
        return x * self.fc(x.mean((2, 3)))[..., None, None]


class SoundBlock(nn.Module):
    """Two 3x3 convolutions with excitation and a shortcut; the first norm comes after the ReLU, as published."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)
        self.se = Excitation(after)
        same = before == after and stride == 1
        shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.downsample = None if same else shortcut

    def forward(self, x):
        made = self.bn1(F.relu(self.conv1(x), inplace=True))
        made = self.se(self.bn2(self.conv2(made)))
        return F.relu(made + (x if self.downsample is None else self.downsample(x)), inplace=True)


class ResNetSe(nn.Module):
    """Log mel windows -> features: (N, 1, 80, 20) float in [0, 1] -> (N, 512) float, width 1.

    The four layers leave 3 columns; bands and channels of a column are one vector, and attention weighs the columns. Weights
    of convolutions start by He's scheme over the outputs, as published.
    """

    def __init__(self, width):
        super().__init__()
        before = scaled(FILTERS[0], width)
        self.conv1, self.bn1 = nn.Conv2d(1, before, 3, padding=1), nn.BatchNorm2d(before)
        for number, (wanted, count) in enumerate(zip(FILTERS, LAYERS, strict=True)):
            after = scaled(wanted, width)
            blocks = [SoundBlock(before, after, 2 if number else 1), *(SoundBlock(after, after, 1) for _ in range(count - 1))]
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
            before = after
        column, hidden = before * MELS // 8, scaled(ATTENTION, width)
        self.attention = nn.Sequential(nn.Conv1d(column, hidden, 1), nn.ReLU(), nn.BatchNorm1d(hidden),
                                       nn.Conv1d(hidden, column, 1), nn.Softmax(dim=2))  # fmt: skip
        self.fc = nn.Linear(column, scaled(FEATURE, width))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, log_mel):
        x = self.bn1(F.relu(self.conv1(log_mel), inplace=True))
        for number in range(1, len(LAYERS) + 1):
            x = getattr(self, f"layer{number}")(x)
        columns = x.flatten(1, 2)
        return self.fc((columns * self.attention(columns)).sum(2))


class AudioEncoder(nn.Module):
    """Log mel windows -> mouth features, see ResNetSe; `width` multiplies the channels."""

    def __init__(self, width=1.0):
        super().__init__()
        self.model = ResNetSe(width)

    def forward(self, log_mel):
        return self.model(log_mel)

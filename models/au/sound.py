"""Action units: what is heard in a window of MFCC, as codes of units and as a code of the speech.

The size of the codes, and the layers of the speech encoder by number and kind, are of the papers (arXiv 2110.09951,
arXiv 2204.12756). The layers of the nets for units are those of the code of the later system of the same authors, which has the
sizes that the papers leave open; batch norms and pooling are ours. All sizes of the speech encoder are ours.
"""

import torch
import torch.nn.functional as F
from torch import nn

from common.action_units import UNITS
from models.blocks import scaled
from models.recurrent import BothWays

COEFFICIENTS = 12
COLUMNS = 28  # of 10 ms: 280 ms, the best window of the papers
LEAST_COLUMNS, MOST_COLUMNS = 12, 100
UNIT_CODE = 64  # numbers of one unit, at any width
SPEECH_CODE = 512  # at width 1
LEAK = 0.2
# channels at width 1, kernel and pooling over (coefficients, columns)
UNIT_LAYERS = ((8, (1, 4), None), (32, (1, 3), (1, 2)), (64, (1, 3), None), (128, (3, 1), (2, 1)), (256, (3, 1), None))
UNIT_HIDDEN = 128  # at width 1, in each direction and of the layer after
SPEECH_LAYERS = ((64, 1), (128, 2), (256, 1), (256, 2), (512, 1))  # channels at width 1, stride


class AudioToUnit(nn.Module):
    """One unit from sound: (N, columns, 12) float MFCC windows -> code (N, 64), logit (N,) float.

    Args:
        columns: of a window; width: multiplies the channels, not the code; dropout: share of the numbers that are set to 0.
    """

    def __init__(self, columns=COLUMNS, width=1.0, dropout=0.5):
        super().__init__()
        layers, before, rows = [], 1, COEFFICIENTS
        for channels, kernel, pool in UNIT_LAYERS:
            after = scaled(channels, width)
            layers += [nn.Conv2d(before, after, kernel), nn.BatchNorm2d(after), nn.LeakyReLU(LEAK)]
            layers += [nn.MaxPool2d(pool)] if pool is not None else []
            before, rows = after, (rows - kernel[0] + 1) // (pool or (1, 1))[0]
        self.maps = nn.Sequential(*layers)
        hidden = scaled(UNIT_HIDDEN, width)
        self.recurrent = BothWays(before * rows, hidden, 2)
        self.middle, self.code = nn.Linear(2 * hidden, hidden), nn.Linear(hidden, UNIT_CODE)
        self.logit = nn.Linear(UNIT_CODE, 1)
        self.dropout, self.columns = nn.Dropout(dropout), columns

    def forward(self, mfcc):
        maps = self.maps(mfcc[:, None].transpose(2, 3))  # (N, C, rows, steps)
        heard = self.recurrent(maps.flatten(1, 2).transpose(1, 2)).mean(1)
        middle = self.dropout(F.leaky_relu(self.middle(self.dropout(heard)), LEAK))
        code = F.leaky_relu(self.code(middle), LEAK)
        return code, self.logit(code)[:, 0]


class AudioToUnits(nn.Module):
    """A net for each unit of `common.action_units.UNITS`, in this order; arguments as of AudioToUnit."""

    def __init__(self, columns=COLUMNS, width=1.0, dropout=0.5):
        super().__init__()
        self.nets = nn.ModuleList(AudioToUnit(columns, width, dropout) for _ in UNITS)

    def forward(self, mfcc):
        """(N, columns, 12) float -> codes (N, 320) float, 64 of each unit; logits (N, 5) float."""
        codes, logits = zip(*(net(mfcc) for net in self.nets), strict=True)
        return torch.cat(codes, 1), torch.stack(logits, 1)


class SpeechEncoder(nn.Module):
    """(N, columns, 12) float MFCC windows -> codes of the speech (N, 512) float, width 1."""

    def __init__(self, columns=COLUMNS, width=1.0):
        super().__init__()
        layers, before, sides = [], 1, (columns, COEFFICIENTS)
        for channels, stride in SPEECH_LAYERS:
            after = scaled(channels, width)
            layers += [nn.Conv2d(before, after, 3, stride, 1), nn.BatchNorm2d(after), nn.ReLU()]
            before, sides = after, tuple(-(-side // stride) for side in sides)
        code = scaled(SPEECH_CODE, width)
        self.maps = nn.Sequential(*layers)
        self.first, self.second = nn.Linear(before * sides[0] * sides[1], code), nn.Linear(code, code)

    def forward(self, mfcc):
        return self.second(F.relu(self.first(self.maps(mfcc[:, None]).flatten(1))))

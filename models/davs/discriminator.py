"""DAVS: the patch discriminator, with a second head that asks whether mouth and sound belong together.

Layout and parameter names of the public code (arXiv 1807.07860) at face size 256 and width 1; layers that it makes and never
uses are left out. Written anew.
"""

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled

LEAK = 0.2
CELL = 8  # pixels from one place of the map to the next
MOUTH_ROW, MOUTH_COLUMN, MOUTH_SIDE = 0.75, 0.5, 9 / 256  # of the face's side: the middle; places of the map a pixel


def mouth_window(face_size):
    """(rows, columns) slices of the mouth in the map of side S / 8 - 1: 19:28 and 11:20 of 31 at 256, as published.

    Place i of the map looks at a patch whose middle is pixel 8 (i + 1). Other sizes look at the same part of the face; the
    number of places is the nearest odd one, and at least 3 (ours).
    """
    half = max(1, round((MOUTH_SIDE * face_size - 1) / 2))
    row, column = round(MOUTH_ROW * face_size / CELL) - 1, round(MOUTH_COLUMN * face_size / CELL) - 1
    return slice(row - half, row + half + 1), slice(column - half, column + half + 1)


class PatchDiscriminator(nn.Module):
    """Are these K consecutive faces real, patch by patch, and do they say what is heard?

    With K = 1 it is the published netD, with K = 6 netD_mul. Convolutions start normal with deviation 0.02, batch norms normal
    about 1 with deviation 0.02, as published.

    Args:
        face_size: S; frames: K; width: multiplies the channels.
    """

    def __init__(self, face_size=256, frames=1, width=1.0):
        super().__init__()
        c64, c128, c256, c512 = (scaled(channels, width) for channels in (64, 128, 256, 512))
        self.rows, self.columns = mouth_window(face_size)
        side = self.rows.stop - self.rows.start
        self.conv1 = nn.Conv2d(3 * frames, c64, 4, 2, 1)
        self.conv2_1, self.norm_1 = nn.Conv2d(c64, c128, 4, 2, 1, bias=False), nn.BatchNorm2d(c128)
        self.conv2_2, self.norm_2 = nn.Conv2d(c128, c256, 4, 2, 1, bias=False), nn.BatchNorm2d(c256)
        self.conv3, self.norm3 = nn.Conv2d(c256, c512, 4, 1, 1, bias=False), nn.BatchNorm2d(c512)
        self.conv4 = nn.Conv2d(c512, 1, 4, 1, 1)
        self.mfcc_conv1, self.mfcc_bn1 = nn.Conv2d(frames, c64, 3, (3, 2), (1, 2), bias=False), nn.BatchNorm2d(c64)
        self.mfcc_conv2, self.mfcc_bn2 = nn.Conv2d(c64, c128, 3, 2, 1, bias=False), nn.BatchNorm2d(c128)
        self.mfcc_conv3, self.mfcc_bn3 = nn.Conv2d(c128, c256, 3, bias=False), nn.BatchNorm2d(c256)
        self.mfcc_conv4, self.mfcc_bn4 = nn.Conv2d(c256, c256, 2, bias=False), nn.BatchNorm2d(c256)
        self.conv6, self.bn6 = nn.Conv2d(c512, c512, 3, bias=False), nn.BatchNorm2d(c512)
        self.conv9 = nn.Conv2d(c512, c512, side - 2)
        self.fc, self.fc2 = nn.Linear(c256 + c512, c512), nn.Linear(c512, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.02)
            elif isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.weight, 1.0, 0.02)
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def patches_and_match(self, pictures, mfcc):
        """Judge faces.

        Args:
            pictures: (N, 3 K, S, S) float in [0, 1] RGB, frame after frame in the channels.
            mfcc: (N, K, 20, 12) float, time by coefficient, of the same frames.

        Returns:
            (N, 1, S / 8 - 2, S / 8 - 2) logits of real patches; (N, 1) logits of a real mouth that fits the sound.
        """
        x = F.leaky_relu(self.conv1(pictures), LEAK)
        x = F.leaky_relu(self.norm_1(self.conv2_1(x)), LEAK)
        x = F.leaky_relu(self.norm_2(self.conv2_2(x)), LEAK)
        x = F.leaky_relu(self.norm3(self.conv3(x)), LEAK)
        mouth = F.leaky_relu(self.bn6(self.conv6(x[:, :, self.rows, self.columns])), LEAK)
        mouth = F.leaky_relu(self.conv9(mouth), LEAK)
        both = torch.cat((mouth, self._sound(mfcc)), 1).flatten(1)
        return self.conv4(x), self.fc2(self.fc(both))

    def _sound(self, mfcc):
        """(N, K, 20, 12) -> (N, 256, 1, 1); no activation between its layers, as published."""
        x = mfcc
        for number in range(1, 5):
            x = getattr(self, f"mfcc_bn{number}")(getattr(self, f"mfcc_conv{number}")(x))
        return x

    forward = patches_and_match

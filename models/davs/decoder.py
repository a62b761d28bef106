"""DAVS: the decoder, from a person and the speech of a moment to a face.

Layout and parameter names of the public code (arXiv 1807.07860) at face size 256 and width 1. Written anew.
"""

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled
from models.davs.identity import CODE_CHANNELS, SKIP_CHANNELS
from models.davs.speech import CODE

BLOCKS = ((512, 2), (512, 3), (256, 4), (256, 4), (128, 3), (64, 2))  # channels at width 1, convolutions
SKIP_BEFORE = 4  # number of the block that also reads the identity encoder's map


class Convolutions(nn.Module):
    """3x3 convolutions, a batch norm and a ReLU after each: (N, in, H, W) -> (N, out, H, W) float, not negative.

    Weights start by He's scheme over the outputs (fan-out), biases at 0, as published.
    """

    def __init__(self, before, after, name, count):
        super().__init__()
        self.names = [f"conv{name}_{number}" for number in range(count)]
        for number, name in enumerate(self.names):
            conv = nn.Conv2d(after if number else before, after, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out")
            nn.init.zeros_(conv.bias)
            self.add_module(name, conv)
            self.add_module(f"{name}_bn", nn.BatchNorm2d(after))

    def forward(self, x):
        for name in self.names:
            x = F.relu(getattr(self, f"{name}_bn")(getattr(self, name)(x)), inplace=True)
        return x


class Decoder(nn.Module):
    """Identity and speech codes -> faces.

    It begins at S / 64 pixels and doubles after each of its six blocks; where S / 64 is not whole (S = 96), it begins at S / 32
    and does not double after the first block (ours). So the fourth block always works at S / 8 and joins the identity's map
    there. Doubling is bilinear with the corners aligned, which is what the torch of the published code did.

    Args:
        face_size: S, a multiple of 32; width: multiplies the channels.
    """

    def __init__(self, face_size=256, width=1.0):
        super().__init__()
        self.doublings = 6 if face_size % 64 == 0 else 5
        start, channels = face_size >> self.doublings, scaled(512, width)
        self.deconv1_1_new = nn.ConvTranspose2d(scaled(CODE_CHANNELS, width) + scaled(CODE, width), channels, start)
        self.deconv1_1_bn = nn.BatchNorm2d(channels)
        for number, (wanted, count) in enumerate(BLOCKS, 1):
            before = channels + (scaled(SKIP_CHANNELS, width) if number == SKIP_BEFORE else 0)
            channels = scaled(wanted, width)
            self.add_module(f"convblock{number}", Convolutions(before, channels, number, count))
        c32 = scaled(32, width)
        self.conv7_1 = nn.ConvTranspose2d(channels, c32, 3, 1, 1)
        self.conv7_1_bn = nn.BatchNorm2d(c32)
        self.conv7_2 = nn.ConvTranspose2d(c32, 3, 3, 1, 1)

    def forward(self, identity, codes):
        """Identity of N faces, codes (N, 256) float, width 1 -> (N, 3, S, S) float32 in [0, 1] RGB."""
        both = torch.cat((identity.code, codes.to(identity.code.dtype)), 1)
        x = F.relu(self.deconv1_1_bn(self.deconv1_1_new(both[..., None, None])))
        for number in range(1, 7):
            if number == SKIP_BEFORE:
                x = torch.cat((identity.skip, x), 1)
            x = getattr(self, f"convblock{number}")(x)
            if number > 6 - self.doublings:
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        x = self.conv7_2(F.relu(self.conv7_1_bn(self.conv7_1(x)), inplace=True))
        return (x.float().tanh() + 1) / 2

"""Convolution blocks of the Wav2Lip family, and how their weights start.

Parameter names follow the published networks (`conv_block.0` convolution, `conv_block.1` batch norm), so that released state
dicts load as they are.
"""

import torch
from torch import nn

from common.errors import InputError

FACE_SIZES = (96, 128, 192, 256, 384)
MIN_WIDTH, MAX_WIDTH = 0.25, 1.0
LEAK = 0.01
PUBLISHED_DATA = {  # what the published code of Wav2Lip does, see models.network.Network.published_data
    "crop": "box",
    "pads": [0, 10, 0, 0],
    "audio_window": "wav2lip_train",
    "channel_order": "bgr",
    "reference": "same",
}


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU; with `residual` the input is added before the ReLU.

    (B, in, H, W) float32 -> (B, out, H', W') float32, not negative.
    """

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, padding=1, residual=False):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding), nn.BatchNorm2d(out_channels)
        )
        self.act = nn.ReLU()
        self.residual = residual

    def forward(self, x):
        y = self.conv_block(x)
        return self.act(y + x if self.residual else y)


class PlainConvBlock(nn.Module):
    """Convolution and leaky ReLU (0.01) without a norm: the block of Wav2Lip's quality discriminator."""

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, padding=1):
        super().__init__()
        self.conv_block = nn.Sequential(nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding))
        self.act = nn.LeakyReLU(LEAK)

    def forward(self, x):
        return self.act(self.conv_block(x))


class UpConvBlock(nn.Module):
    """Transposed convolution, batch norm, ReLU. (B, in, H, W) -> (B, out, H', W') float32, not negative."""

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=2, padding=1, output_padding=1):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ConvTranspose2d(in_channels, out_channels, kernel_size, stride, padding, output_padding),
            nn.BatchNorm2d(out_channels),
        )
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.conv_block(x))


def residual_blocks(channels, count):
    """List of `count` residual 3x3 blocks that keep the shape."""
    return [ConvBlock(channels, channels, residual=True) for _ in range(count)]


def scaled(channels, width):
    """Channels of the published network times `width`, a multiple of 8 and at least 8."""
    return max(8, 8 * round(channels * width / 8))


def levels_of(face_size):
    """Split a face size into its stride-2 levels and the side of the bottom map: 96 -> (5, 3), 256 -> (6, 4)."""
    levels = 0
    while face_size % 2 == 0 and face_size > 4:
        face_size //= 2
        levels += 1
    return levels, face_size


def check_size(face_size, width):
    """Raise InputError unless `face_size` is one of FACE_SIZES and `width` lies in [0.25, 1]."""
    if not isinstance(face_size, int) or face_size not in FACE_SIZES:
        raise InputError(f"model.face_size: {face_size!r} is not possible; choose one of {', '.join(map(str, FACE_SIZES))}")
    if isinstance(width, bool) or not isinstance(width, int | float) or not MIN_WIDTH <= width <= MAX_WIDTH:
        raise InputError(f"model.width: {width!r} is not possible; give a number from {MIN_WIDTH} to {MAX_WIDTH}")


def check_flag(value, key):
    """Raise InputError unless the value of a key of a network is true or false."""
    if not isinstance(value, bool):
        raise InputError(f"model.{key}: {value!r} is not possible; give true or false")


def check_whole(value, key, low, high):
    """Raise InputError unless the value is a whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"model.{key}: {value!r} is not possible; give a whole number from {low} to {high}")


def check_choice(value, key, choices):
    """Raise InputError unless the value of a key of a network is one of the choices, all of one type."""
    if type(value) is not type(choices[0]) or value not in choices:
        raise InputError(f"model.{key}: {value!r} is not possible; choose one of {', '.join(map(str, choices))}")


def check_width(value, key, low, high):
    """Raise InputError unless the value is a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"model.{key}: {value!r} is not possible; give a number from {low} to {high}")


def check_share(value, key):
    """Raise InputError unless the value is a number from 0 to below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise InputError(f"model.{key}: {value!r} is not possible; give a number from 0 to below 1")


def audio_encoder(width, last_residuals):
    """Mel window to one code: (B, 1, 80, 16) float32 in [-4, 4] -> (B, scaled(512), 1, 1) float32 >= 0.

    The height falls 80, 27, 9, 3, 1 and the width 16, 16, 6, 3, 1. `last_residuals` counts the residual blocks at 3x3: 1 in the
    generator, 2 in the expert (as published).
    """
    channels = [scaled(c, width) for c in (32, 64, 128, 256, 512)]
    blocks = [ConvBlock(1, channels[0]), *residual_blocks(channels[0], 2)]
    for level, (stride, residuals) in enumerate([((3, 1), 2), (3, 2), ((3, 2), last_residuals)]):
        blocks.append(ConvBlock(channels[level], channels[level + 1], stride=stride))
        blocks.extend(residual_blocks(channels[level + 1], residuals))
    blocks.append(ConvBlock(channels[3], channels[4], padding=0))
    blocks.append(ConvBlock(channels[4], channels[4], kernel_size=1, padding=0))
    return nn.Sequential(*blocks)


def frames_to_batch(x):
    """(B, C, T, H, W) -> (T * B, C, H, W), frame after frame, as the published networks order it."""
    return x.transpose(0, 2).transpose(1, 2).flatten(0, 1)


def batch_to_frames(x, batch):
    """(T * B, C, H, W) -> (B, C, T, H, W): the inverse of `frames_to_batch`."""
    return x.unflatten(0, (-1, batch)).permute(1, 2, 0, 3, 4)


@torch.no_grad()
def initialise_plain(module):
    """Start weights of the blocks without a norm: He's normal scheme for leaky ReLU, zero biases.

    He et al., "Delving Deep into Rectifiers", arXiv 1502.01852, eq. 15. With torch's own start the signal fades over the layers
    of a discriminator. Layers with a batch norm keep torch's start, whose scale the norm takes out; He's larger weights there
    made the generator learn more slowly (measured: 40 steps of Adam at 1e-3 on a toy batch, L1 0.051 in place of 0.034).
    """
    for block in module.modules():
        if isinstance(block, PlainConvBlock):
            conv = block.conv_block[0]
            nn.init.kaiming_normal_(conv.weight, a=LEAK, nonlinearity="leaky_relu")
            nn.init.zeros_(conv.bias)

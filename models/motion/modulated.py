"""Layers of a StyleGAN2 generator (arXiv 1912.04958): convolutions whose input channels a style scales.

Parameter names are those of the public code of PC-AVS (arXiv 2104.11116). The published layers give each picture of a batch its
own weights, by grouped convolutions. Here the input is scaled by the style and the output by the demodulation, with one
convolution for the whole batch: the same mathematics. The published weights of a convolution have a first axis of length 1,
which ours lack.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from models.precision import outside_autocast

LEAK, GAIN = 0.2, math.sqrt(2)
BLUR = (1.0, 3.0, 3.0, 1.0)
LEAST = 10**-8  # of a sum of squares, as published; met by float32 alone


def blur_kernel():
    """(4, 4) float32, which sums to 4: one for the four pixels that enlarging makes of one."""
    row = torch.tensor(BLUR)
    return 4 * torch.outer(row, row) / row.sum() ** 2


class Kernel(nn.Module):
    """Holds the blur under its published name."""

    def __init__(self):
        super().__init__()
        self.register_buffer("kernel", blur_kernel())

    def of(self, x):
        """(C, 1, 4, 4), for a convolution of each channel of x by itself."""
        return self.kernel.to(x.dtype).expand(x.shape[1], 1, *self.kernel.shape)


class Blur(Kernel):
    """What a transposed convolution has enlarged, blurred: (N, C, 2H + 1, 2W + 1) -> (N, C, 2H, 2W)."""

    def forward(self, x):
        return F.conv2d(x, self.of(x), padding=1, groups=x.shape[1])


class Upsample(Kernel):
    """Pictures enlarged by the blur, with zeros outside: (N, C, H, W) -> (N, C, 2H, 2W)."""

    def forward(self, x):
        return F.conv_transpose2d(x, self.of(x), stride=2, padding=1, groups=x.shape[1])


class EqualLinear(nn.Module):
    """A linear layer in float32 whose weights have a spread of 1 and are scaled when they are used.

    Args:
        before, after: numbers of channels; bias: the first value of all biases.
    """

    def __init__(self, before, after, bias):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(after, before)), nn.Parameter(torch.full((after,), float(bias)))

    def forward(self, x):
        """Call outside autocast: (N, before) float32 -> (N, after) float32."""
        return F.linear(x, self.weight.float() / math.sqrt(self.weight.shape[1]), self.bias.float())


class ModulatedConv(nn.Module):
    """A convolution whose input channels a style scales.

    The styles and the demodulation are float32. In half precision each picture's styles are divided by the largest of them
    (ours): the demodulation takes that out again, and the scaled input cannot overflow.

    Args:
        before, after: channels; kernel: size, odd; style: numbers in a style.
        demodulate: the outputs are scaled so that unit inputs would give unit outputs.
        upsample: the maps are enlarged by 2, and blurred.
    """

    def __init__(self, before, after, kernel, style, demodulate=True, upsample=False):
        super().__init__()
        self.kernel, self.demodulate, self.upsample = kernel, demodulate, upsample
        self.blur = Blur() if upsample else None
        self.weight = nn.Parameter(torch.randn(after, before, kernel, kernel))
        self.modulation = EqualLinear(style, before, bias=1)

    def scales(self, style, half):
        """Scales of the input channels (N, before) and of the output channels (N, after) or None, float32."""
        with outside_autocast(style.device):
            into = self.modulation(style.float())
            if not self.demodulate:
                return into, None
            if half:
                into = into / into.abs().amax(1, keepdim=True).clamp_min(LEAST)
            power = self.weight.float().square().sum((2, 3)) / self._fan_in()
            return into, torch.rsqrt(into.square() @ power.T + LEAST)

    def _fan_in(self):
        return self.weight.shape[1] * self.kernel**2

    def forward(self, x, style):
        """(N, before, H, W) float, (N, style) float -> (N, after, H, W) float, or twice as large."""
        half = x.dtype in (torch.float16, torch.bfloat16) or torch.is_autocast_enabled(x.device.type)
        into, out = self.scales(style, half)
        weight = self.weight / math.sqrt(self._fan_in())
        x = x * into.to(x.dtype)[..., None, None]
        if self.upsample:
            x = self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        else:
            x = F.conv2d(x, weight, padding=self.kernel // 2)
        return x if out is None else x * out.to(x.dtype)[..., None, None]


class Noise(nn.Module):
    """Adds a picture of noise to all channels, times a number that is learned and starts at 0."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x, noise):
        return x + self.weight.to(x.dtype) * noise.to(x.dtype)


class BiasedLeak(nn.Module):
    """A bias and a leaky ReLU (0.2) that keeps the spread."""

    def __init__(self, channels):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x):
        return F.leaky_relu(x + self.bias.to(x.dtype), LEAK) * GAIN


class StyledConv(nn.Module):
    """A modulated 3x3 convolution, noise, bias and leaky ReLU."""

    def __init__(self, before, after, style, upsample=False):
        super().__init__()
        self.conv, self.noise = ModulatedConv(before, after, 3, style, upsample=upsample), Noise()
        self.activate = BiasedLeak(after)

    def forward(self, x, style, noise):
        return self.activate(self.noise(self.conv(x, style), noise))


class ToRgb(nn.Module):
    """Adds what a level knows of the colours to the enlarged colours of the level below; sums are float32."""

    def __init__(self, channels, style, upsample=True):
        super().__init__()
        self.upsample = Upsample() if upsample else None
        self.conv = ModulatedConv(channels, 3, 1, style, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x, style, below=None):
        colours = self.conv(x, style)
        with outside_autocast(x.device):
            colours = colours.float() + self.bias.float()
            return colours if below is None else colours + self.upsample(below)

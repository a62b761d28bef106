"""PC-AVS: the two-scale patch discriminator, with spectral and instance norms.

Layout and parameter names of the public code (arXiv 2104.11116) at width 1. Written anew.
"""

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled
from models.precision import outside_autocast

CHANNELS = (64, 128, 256, 512)
SCALES = 2
LEAK = 0.2
LEAST = 10**-12  # of a length, as in torch; met by float32 alone


class SpectralConv(nn.Module):
    """A 4x4 convolution without bias whose kernel, as a matrix, is divided by its largest singular value (arXiv 1802.05957).

    That is found by one step of the power method in each pass of training, from the vectors of the step before; names as in
    torch.nn.utils.spectral_norm. In float32.
    """

    def __init__(self, before, after, stride):
        super().__init__()
        self.stride = stride
        weight = nn.Conv2d(before, after, 4, bias=False).weight.detach()
        self.weight_orig = nn.Parameter(weight)
        for name, size in (("weight_u", after), ("weight_v", weight[0].numel())):
            self.register_buffer(name, F.normalize(torch.randn(size), dim=0, eps=LEAST))

    def _largest(self):
        """The largest singular value, () float32."""
        matrix = self.weight_orig.float().flatten(1)
        if self.training:
            with torch.no_grad():
                self.weight_v.copy_(F.normalize(matrix.T @ self.weight_u.float(), dim=0, eps=LEAST))
                self.weight_u.copy_(F.normalize(matrix @ self.weight_v.float(), dim=0, eps=LEAST))
        return self.weight_u.float().clone() @ (matrix @ self.weight_v.float().clone())

    def forward(self, x):
        with outside_autocast(x.device):
            weight = self.weight_orig.float() / self._largest()
        return F.conv2d(x, weight.to(x.dtype), stride=self.stride, padding=2)


class Patches(nn.Module):
    """One scale: (N, 3, H, W) float in [-1, 1] -> list of what its five layers give, the last one logits of patches."""

    def __init__(self, width):
        super().__init__()
        channels = [scaled(wanted, width) for wanted in CHANNELS]
        self.model0 = nn.Sequential(nn.Conv2d(3, channels[0], 4, 2, 2), nn.LeakyReLU(LEAK))
        for number in range(1, len(CHANNELS)):
            stride = 1 if number == len(CHANNELS) - 1 else 2
            before, after = channels[number - 1 : number + 1]
            inner = nn.Sequential(SpectralConv(before, after, stride), nn.InstanceNorm2d(after))
            self.add_module(f"model{number}", nn.Sequential(inner, nn.LeakyReLU(LEAK)))
        self.model4 = nn.Sequential(nn.Conv2d(channels[-1], 1, 4, 1, 2))

    def forward(self, pictures):
        found = [pictures]
        for layer in self.children():
            found.append(layer(found[-1]))
        return found[1:]


class TwoScaleDiscriminator(nn.Module):
    """Are faces real, patch by patch, at full size and at half of it?

    Weights start as torch's layers do (ours); the published code begins them 50 times smaller than Xavier's scheme.

    Args:
        width: multiplies the channels.
    """

    def __init__(self, width=1.0):
        super().__init__()
        for number in range(SCALES):
            self.add_module(f"discriminator_{number}", Patches(width))

    def forward(self, pictures):
        """Judge faces.

        Args:
            pictures: (N, 3, S, S) float in [0, 1] RGB.

        Returns:
            list of a list for each of the two scales: the picture itself in [-1, 1], which the published matching of features
            compares too, then the outputs of the five layers; the last are the logits (N, 1, h, w), above 0 for real patches.
        """
        found, x = [], pictures * 2 - 1
        for number in range(SCALES):
            found.append([x, *getattr(self, f"discriminator_{number}")(x)])
            x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return found

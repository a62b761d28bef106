"""The Inception v3 that the Frechet Inception distance is defined by."""

import torch
import torch.nn.functional as F
from torch import nn

from models.network import Network

SIZE, FEATURES, CLASSES = 299, 2048, 1008
BATCH_NORM_EPS = 0.001
_POOLS = {
    "reduce": lambda x: F.max_pool2d(x, 3, stride=2),
    "average": lambda x: F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False),
    "max": lambda x: F.max_pool2d(x, 3, stride=1, padding=1),
}


class FidInception(Network):
    """Inception v3 (Szegedy et al. 2015, arXiv 1512.00567) as in TensorFlow's graph of 2015-12-05, up to its last pooling.

    Names and shapes are those of pytorch-fid's file `pt_inception-2015-12-05-6726825d.pth`, which are torchvision's with 1008
    classes and no auxiliary head. What differs from torchvision's network, as in pytorch-fid: average pools inside the blocks
    leave the padding out of the mean, and the last block has a max pool in its place. The classifier `fc` is in the file and
    takes no part. Meant for eval mode.
    """

    role = "the Inception network of FID"
    sign = ("Conv2d_1a_3x3.conv.weight", "Mixed_7c.branch_pool.conv.weight")

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = _ConvBlock(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _ConvBlock(32, 32, 3)
        self.Conv2d_2b_3x3 = _ConvBlock(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = _ConvBlock(64, 80, 1)
        self.Conv2d_4a_3x3 = _ConvBlock(80, 192, 3)
        channels, self._mixed = 192, []
        for name, branches in _mixed_blocks():
            block = _MixedBlock(channels, branches)
            self.add_module(f"Mixed_{name}", block)
            self._mixed.append(f"Mixed_{name}")
            channels = block.out_channels
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, images):
        """Features of the last average pooling.

        Args:
            images: (B, 3, H, W) float32 in [0, 1], RGB; any size, resized to 299 x 299 bilinearly without antialiasing.

        Returns:
            (B, 2048) float32, not negative.
        """
        x = F.interpolate(images, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        x = self.Conv2d_1a_3x3(2 * x - 1)
        x = F.max_pool2d(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(x)), 3, stride=2)
        x = F.max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)), 3, stride=2)
        for name in self._mixed:
            x = self.get_submodule(name)(x)
        return x.mean((2, 3))


class _ConvBlock(nn.Module):
    """Convolution without bias, batch norm, ReLU. (B, in, H, W) -> (B, out, H', W') float32, not negative."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=BATCH_NORM_EPS)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)), inplace=True)


class _MixedBlock(nn.Module):
    """Branches that read the same map, their outputs one after the other in the channels.

    Args:
        in_channels: of the map.
        branches: list of (name, pool, layers); pool: a key of _POOLS or None, comes first; layers: see `_layers`.
    """

    def __init__(self, in_channels, branches):
        super().__init__()
        self.out_channels, self._branches = 0, []
        for name, pool, layers in branches:
            stages, channels = [], in_channels
            for stage in _layers(name, layers):
                for layer, (width, *kernel) in stage.items():
                    self.add_module(layer, _conv(channels, width, *kernel))
                stages.append(list(stage))
                channels = sum(width for width, *_ in stage.values())
            self._branches.append((pool, stages))
            self.out_channels += channels

    def forward(self, x):
        return torch.cat([self._run(x, *branch) for branch in self._branches], 1)

    def _run(self, x, pool, stages):
        x = _POOLS[pool](x) if pool else x
        for stage in stages:
            parts = [self.get_submodule(layer)(x) for layer in stage]
            x = torch.cat(parts, 1) if len(parts) > 1 else parts[0]
        return x


def _conv(in_channels, out_channels, height, width, stride=1):
    """Keeps the size of the map; with stride 2 there is no padding."""
    padding = (height // 2, width // 2) if stride == 1 else 0
    return _ConvBlock(in_channels, out_channels, (height, width), stride, padding)


def _layers(name, layers):
    """Stages of a branch, each {layer name: (out channels, height, width[, stride])}.

    A layer alone has the branch's name, several are numbered from 1. Two in a list stand side by side, a and b.
    """
    if len(layers) == 1:
        return [{name: layers[0]}]
    stages = []
    for number, layer in enumerate(layers, 1):
        sides = zip("ab", layer, strict=True) if isinstance(layer, list) else [("", layer)]
        stages.append({f"{name}_{number}{side}": one for side, one in sides})
    return stages


def _mixed_blocks():
    """(name, branches) of the eleven blocks; figures 5, 6 and 7 of the paper and the two reductions between them."""
    yield from (("5b", _block_5(32)), ("5c", _block_5(64)), ("5d", _block_5(64)))
    yield "6a", [
        ("branch3x3", None, [(384, 3, 3, 2)]),
        ("branch3x3dbl", None, [(64, 1, 1), (96, 3, 3), (96, 3, 3, 2)]),
        ("pool", "reduce", []),
    ]
    yield from (("6b", _block_6(128)), ("6c", _block_6(160)), ("6d", _block_6(160)), ("6e", _block_6(192)))
    yield "7a", [
        ("branch3x3", None, [(192, 1, 1), (320, 3, 3, 2)]),
        ("branch7x7x3", None, [(192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3, 2)]),
        ("pool", "reduce", []),
    ]
    yield from (("7b", _block_7("average")), ("7c", _block_7("max")))


def _block_5(pooled):
    return [
        ("branch1x1", None, [(64, 1, 1)]),
        ("branch5x5", None, [(48, 1, 1), (64, 5, 5)]),
        ("branch3x3dbl", None, [(64, 1, 1), (96, 3, 3), (96, 3, 3)]),
        ("branch_pool", "average", [(pooled, 1, 1)]),
    ]


def _block_6(inner):
    return [
        ("branch1x1", None, [(192, 1, 1)]),
        ("branch7x7", None, [(inner, 1, 1), (inner, 1, 7), (192, 7, 1)]),
        ("branch7x7dbl", None, [(inner, 1, 1), (inner, 7, 1), (inner, 1, 7), (inner, 7, 1), (192, 1, 7)]),
        ("branch_pool", "average", [(192, 1, 1)]),
    ]


def _block_7(pool):
    sides = [(384, 1, 3), (384, 3, 1)]
    return [
        ("branch1x1", None, [(320, 1, 1)]),
        ("branch3x3", None, [(384, 1, 1), sides]),
        ("branch3x3dbl", None, [(448, 1, 1), (384, 3, 3), sides]),
        ("branch_pool", pool, [(192, 1, 1)]),
    ]

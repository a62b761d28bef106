"""SyncNet as the published weights `syncnet_v2.model` have it: the judge behind LSE-D and LSE-C (docs/methods.md, section 10).

Source: Chung and Zisserman 2016 ("Out of time: automated lip sync in the wild"), layout and parameter names of
github.com/joonson/syncnet_python. Written anew.
"""

import torch
from torch import nn

from models.fuse import fuse_sequences
from models.network import Network

WINDOW = 5  # video frames
MFCC_WINDOW = 20  # MFCC columns, four for each video frame
EMBEDDING = 1024
SIDE = 224


def _conv(before, after, kernel, *, stride=1, padding=0):
    """Convolution in two or three dimensions, by the length of `kernel`, with batch norm and ReLU."""
    volume = len(kernel) == 3
    conv, norm = (nn.Conv3d, nn.BatchNorm3d) if volume else (nn.Conv2d, nn.BatchNorm2d)
    return conv(before, after, kernel, stride, padding), norm(after), nn.ReLU(inplace=True)


def _head():
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, EMBEDDING))


class SyncNetV2(Network):
    """Two towers of 1024 numbers each; near where sound and lips belong together."""

    role = "the published SyncNet"
    sign = ("netcnnlip.0.weight", "netcnnaud.0.weight")

    def __init__(self):
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_conv(1, 64, (3, 3), padding=1), nn.MaxPool2d(1, 1),
            *_conv(64, 192, (3, 3), padding=1), nn.MaxPool2d(3, (1, 2)),
            *_conv(192, 384, (3, 3), padding=1),
            *_conv(384, 256, (3, 3), padding=1),
            *_conv(256, 256, (3, 3), padding=1), nn.MaxPool2d(3, 2),
            *_conv(256, 512, (5, 4)),
        )  # fmt: skip
        self.netfcaud, self.netfclip = _head(), _head()
        flat = (0, 1, 1)
        self.netcnnlip = nn.Sequential(
            *_conv(3, 96, (WINDOW, 7, 7), stride=(1, 2, 2)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_conv(96, 256, (1, 5, 5), stride=(1, 2, 2), padding=flat), nn.MaxPool3d((1, 3, 3), (1, 2, 2), flat),
            *_conv(256, 256, (1, 3, 3), padding=flat),
            *_conv(256, 256, (1, 3, 3), padding=flat),
            *_conv(256, 256, (1, 3, 3), padding=flat), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_conv(256, 512, (1, 6, 6)),
        )  # fmt: skip

    def embed_sound(self, mfcc):
        """(N, 1, 13, 20) float32 MFCC windows -> (N, 1024) float32."""
        return self.netfcaud(self.netcnnaud(mfcc).flatten(1))

    def embed_lips(self, frames):
        """The embedding of each window of five frames of one clip.

        Only the first convolution spans time, so the whole clip goes through at once and every frame is read once; the result
        is that of the windows one by one.

        Args:
            frames: (3, T, 224, 224) float32 BGR in [0, 255], T >= 5.

        Returns:
            (T - 4, 1024) float32.
        """
        seen = self.netcnnlip(frames[None])  # (1, 512, T - 4, 1, 1)
        return self.netfclip(seen[0, :, :, 0, 0].T)

    def forward(self, mfcc, faces):
        """Embed both sides of N windows.

        Args:
            mfcc: (N, 1, 13, 20) float32.
            faces: (N, 3, 5, 224, 224) float32 BGR in [0, 255].

        Returns:
            sound (N, 1024), lips (N, 1024) float32.
        """
        return self.embed_sound(mfcc), torch.cat([self.embed_lips(window) for window in faces])


class FastSyncNet(nn.Module):
    """SyncNetV2 for inference: batch norms folded in, and the lips in two dimensions, for a volume's pooling is slow on CPUs.

    The numbers are those of `network` in eval mode to 1e-4 of their size or better.

    Args:
        network: SyncNetV2; left alone.
    """

    def __init__(self, network):
        super().__init__()
        fused = fuse_sequences(network)
        self.netcnnaud, self.netfcaud, self.netfclip = fused.netcnnaud, fused.netfcaud, fused.netfclip
        flat = nn.Sequential(*map(_flat, fused.netcnnlip))
        self.netcnnlip = flat.requires_grad_(False).to(memory_format=torch.channels_last)

    def embed_sound(self, mfcc):
        """As SyncNetV2.embed_sound."""
        return self.netfcaud(self.netcnnaud(mfcc).flatten(1))

    def embed_lips(self, frames):
        """As SyncNetV2.embed_lips."""
        count = frames.shape[1] - WINDOW + 1
        frames = frames.permute(1, 2, 3, 0)
        windows = torch.cat([frames[at : at + count] for at in range(WINDOW)], -1)  # (T - 4, H, W, 15), frame by frame
        return self.netfclip(self.netcnnlip(windows.permute(0, 3, 1, 2)).flatten(1))


def _flat(layer):
    """A layer of the lip tower for windows whose frames lie one after the other in the channels."""
    if isinstance(layer, nn.MaxPool3d):
        sizes = (layer.kernel_size, layer.stride, layer.padding)
        return nn.MaxPool2d(*(size[1:] if isinstance(size, tuple) else size for size in sizes))
    if not isinstance(layer, nn.Conv3d):
        return layer
    weight = layer.weight.transpose(1, 2).flatten(1, 2)
    flat = nn.Conv2d(weight.shape[1], weight.shape[0], layer.kernel_size[1:], layer.stride[1:], layer.padding[1:])
    flat.weight.data, flat.bias.data = weight.contiguous(), layer.bias
    return flat

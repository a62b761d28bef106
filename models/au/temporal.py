"""Action units: the modules that fuse identity, speech and units over the frames of a clip.

gru: the system of 2021 (arXiv 2110.09951). tcn, tcsan: arXiv 2204.12756; its blocks are dilated convolutions with taps on both
sides, in tcsan with self-attention of four heads inside. None of them is tied to a number of frames. The channels (512 and
1024) and two convolutions in a block are those of the code of the later system of the same authors.
"""

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled
from models.recurrent import Gru

TEMPORAL = ("gru", "tcn", "tcsan")
ATTENTION = ("features", "frames")
CHANNELS = (512, 1024)  # of the blocks at width 1; the last one is that of the result, of a GRU too
KERNEL, HEADS = 3, 4
GROUP, TOKEN = 8, 32  # features that are one token, and the numbers of a token
REACH = 25  # frames on either side that a frame attends to
DROPOUT = 0.2


class NormedConv(nn.Module):
    """Convolution over frames whose weights are a length and a direction (weight norm, arXiv 1602.07868).

    (N, in, T) float -> (N, out, T) float. Outside the clip there are zeros.

    Args:
        before, after: channels; dilation: frames from one tap to the next.
    """

    def __init__(self, before, after, dilation):
        super().__init__()
        conv = nn.Conv1d(before, after, KERNEL)
        self.direction, self.bias, self.dilation = nn.Parameter(conv.weight.detach().clone()), conv.bias, dilation
        self.length = nn.Parameter(self.direction.detach().norm(dim=(1, 2), keepdim=True))

    def forward(self, x):
        direction = self.direction.float()
        weight = self.length.float() * direction / direction.norm(dim=(1, 2), keepdim=True)
        return F.conv1d(x, weight.to(self.direction.dtype), self.bias, padding=self.dilation, dilation=self.dilation)


class Attention(nn.Module):
    """Self-attention of four heads: (N, L, C) float, L tokens -> (N, L, C) float.

    Query, key and value are linear maps of the same tokens.
    """

    def __init__(self, channels):
        super().__init__()
        self.asked, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, tokens, mask=None):
        """`mask`: (L, L) bool, which tokens (columns) a token (row) attends to; None: all."""
        query, key, value = self.asked(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out(found.transpose(1, 2).flatten(2))


class FeatureAttention(nn.Module):
    """Attention between the features of one frame, as the text of arXiv 2204.12756 says: it weighs them, not the frames.

    Eight features are one token. The published code of the later system takes the numbers of a feature over 50 frames for a
    token, so that clips must have 50 frames; tokens within a frame are ours. (N, C, T) float -> (N, C, T) float.

    Args:
        channels: C, a multiple of 8.
    """

    def __init__(self, channels):
        super().__init__()
        self.enter, self.leave, self.attention = nn.Linear(GROUP, TOKEN), nn.Linear(TOKEN, GROUP), Attention(TOKEN)
        self.place = nn.Parameter(0.02 * torch.randn(channels // GROUP, TOKEN))

    def forward(self, x):
        frames = x.transpose(1, 2)  # (N, T, C)
        tokens = self.enter(frames.flatten(0, 1).unflatten(1, (-1, GROUP))) + self.place
        found = self.leave(self.attention(tokens)).flatten(1)
        return found.unflatten(0, frames.shape[:2]).transpose(1, 2)


class FrameAttention(nn.Module):
    """Attention between frames that lie up to REACH frames apart; ours. (N, C, T) float, any T -> (N, C, T) float."""

    def __init__(self, channels):
        super().__init__()
        self.attention = Attention(channels)

    def forward(self, x):
        place = torch.arange(x.shape[2], device=x.device)
        near = (place[:, None] - place).abs() <= REACH
        return self.attention(x.transpose(1, 2), near).transpose(1, 2)


class Block(nn.Module):
    """Residual block of a temporal convolutional network: (N, in, T) float -> (N, out, T) float.

    Args:
        before, after: channels; dilation: frames from tap to tap; attention: one of ATTENTION, or None; dropout: share of the
            numbers that are set to 0 after each step.
    """

    def __init__(self, before, after, dilation, attention=None, dropout=DROPOUT):
        super().__init__()
        self.first, self.second = NormedConv(before, after, dilation), NormedConv(after, after, dilation)
        kinds = {"features": FeatureAttention, "frames": FrameAttention}
        self.attention = kinds[attention](after) if attention is not None else None
        self.past = nn.Conv1d(before, after, 1) if before != after else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        y = self.dropout(F.relu(self.first(x)))
        y = self.dropout(F.relu(self.second(y)))
        if self.attention is not None:
            y = y + self.dropout(self.attention(y))
        return F.relu(y + (x if self.past is None else self.past(x)))


class Temporal(nn.Module):
    """Features of the frames of clips -> a code of each frame: (N, T, F) float -> (N, T, C) float, for any T.

    Args:
        features: F; kind: one of TEMPORAL; attention: one of ATTENTION, of tcsan; width: multiplies the channels.

    Attributes:
        channels: C, 1024 at width 1.
        margin: frames on either side that a code depends on; None: all frames before.
    """

    def __init__(self, features, kind="tcsan", attention="features", width=1.0):
        super().__init__()
        sizes = [features, *(scaled(one, width) for one in CHANNELS)]
        self.channels, self.margin = sizes[-1], None
        self.gru = Gru(features, self.channels) if kind == "gru" else None
        inside = attention if kind == "tcsan" else None
        self.blocks = nn.ModuleList()
        if kind != "gru":
            dilations = [2**number for number in range(len(CHANNELS))]
            for before, after, dilation in zip(sizes[:-1], sizes[1:], dilations, strict=True):
                self.blocks.append(Block(before, after, dilation, inside))
            self.margin = (KERNEL - 1) * sum(dilations) + (REACH * len(dilations) if inside == "frames" else 0)

    def forward(self, features):
        if self.gru is not None:
            return self.gru(features)
        x = features.transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2)

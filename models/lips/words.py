"""A lip reader of words: which word of a vocabulary do these mouths say? It judges how readable drawn lips are."""

import torch
import torch.nn.functional as F
from torch import nn

from common.errors import InputError
from models.blocks import ConvBlock, check_size, residual_blocks
from models.network import Network
from models.recurrent import Gru

SIDE = 96  # pixels; other crops are resized to it
TOP, BOTTOM, LEFT, RIGHT = 44, 92, 24, 72  # the mouth in such a crop
NEAR = 5  # frames that the first layer sees at once
_EPSILON = 1e-3


class WordReader(Network):
    """Words from grey mouth crops: a convolution over space and time, residual blocks, and a bidirectional GRU over the frames.

    The layout is that of word readers on LRW (Stafylakis and Tzimiropoulos, Interspeech 2017), much smaller. As there, the
    frames of the word are marked, so that its length is known and its neighbours are told apart.

    Args:
        face_size: S, side of the crops.
        width: factor on the channels, 0.25-1.0.
        words: number of words that are told apart.
        dropout: share of the code that is dropped in training, 0 to 0.9.

    Raises:
        InputError: a value out of range.
    """

    role = "a lip reader of words"
    needs = ("face", "word", "spoken_word")
    gives = ("video_words",)

    def __init__(self, face_size=96, width=0.5, words=51, dropout=0.4):
        super().__init__()
        check_size(face_size, width)
        if not 2 <= words <= 10**6:
            raise InputError(f"model.words {words}: must be between 2 and 1000000")
        if not 0 <= dropout <= 0.9:
            raise InputError(f"model.dropout {dropout}: must be between 0 and 0.9")
        self.face_size, self.words = face_size, words
        base = int(48 * width)
        self.stem = nn.Sequential(nn.Conv2d(NEAR, base, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(base), nn.ReLU())
        self.trunk = nn.Sequential(
            ConvBlock(base, 2 * base, stride=2), *residual_blocks(2 * base, 1),
            ConvBlock(2 * base, 4 * base, stride=2), *residual_blocks(4 * base, 1),
            ConvBlock(4 * base, 4 * base, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.ahead, self.back = Gru(4 * base + 1, 2 * base), Gru(4 * base + 1, 2 * base, backwards=True)
        self.dropout, self.classifier = nn.Dropout(dropout), nn.Linear(8 * base, words)

    def parts(self):
        """See models.network.Network."""
        return {"trunk": ("stem", "trunk", "ahead", "back"), "word_classifier": ("classifier",)}

    def classes(self):
        """See models.network.Network."""
        return {"words": (self.words, ("word_classifier",))}

    def forward(self, batch):
        """Training: `face` (B, T, 3, S, S), `word` (B, T), `spoken_word` (B,) -> {"video_words": (B, words) logits}."""
        said = (batch["word"] == batch["spoken_word"][:, None]) & (batch["spoken_word"][:, None] >= 0)
        return {"video_words": self.read(batch["face"], said)}

    def read(self, faces, said):
        """Tell the word.

        Args:
            faces: (B, T, 3, S, S) float32 in [0, 1], RGB, 25 frames a second, the word in the middle.
            said: (B, T) bool: frames of the word.

        Returns:
            (B, words) logits.
        """
        seen = self.stem(self._mouths(faces).flatten(0, 1))
        codes = self.trunk(seen).unflatten(0, faces.shape[:2])
        mark = said[..., None].to(codes.dtype)
        codes = torch.cat([self.dropout(codes), mark], -1)
        codes = torch.cat([self.ahead(codes), self.back(codes)], -1)
        inside = (codes * mark).sum(1) / mark.sum(1).clamp_min(1)
        return self.classifier(self.dropout(torch.cat([inside, codes.mean(1)], -1)))

    def _mouths(self, faces):
        """(B, T, NEAR, 48, 48): each frame with its neighbours, grey, of mean 0 and deviation 1 in each window."""
        flat, size = faces.flatten(0, 1), faces.shape[-1]
        if size != SIDE:
            flat = F.interpolate(flat, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=size > SIDE)
        grey = flat[..., TOP:BOTTOM, LEFT:RIGHT].float().mean(1).unflatten(0, faces.shape[:2])
        deviation, mean = torch.std_mean(grey, (1, 2, 3), keepdim=True)
        grey = ((grey - mean) / (deviation + _EPSILON)).to(self.classifier.weight.dtype)
        ends = [grey[:, :1]] * (NEAR // 2), [grey[:, -1:]] * (NEAR // 2)
        return torch.cat([*ends[0], grey, *ends[1]], 1).unfold(1, NEAR, 1).movedim(-1, 2)

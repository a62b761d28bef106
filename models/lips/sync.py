"""A judge of lip sync that knows strangers: mouth landmarks and speech features in one space (ours).

An expert of SyncNet's kind learns faces from pixels and needs many people for that. Lips as landmarks and sound as speech
features are nearly free of the person, so that a dozen people teach it (docs/methods.md, section 11).
"""

import torch
import torch.nn.functional as F
from torch import nn

from common.errors import InputError
from models.blocks import check_share, check_whole
from models.lips.landmarks import POINTS
from models.network import Network
from models.precision import outside_autocast, unit_length

HEARD = {"embedding": 192, "mel": 1280}  # numbers of a frame's feature that are heard: of the speech embedding its middle layer
DILATIONS = (1, 2, 3)
CONTEXT = 1 + sum(DILATIONS)  # frames before and after its own that an embedding of lips sees, the change of shape included
LONGEST = 1024


class LipSync(Network):
    """Do lips and sound belong together? Both are embedded frame by frame; the cosine of the embeddings says it.

    Args:
        features: kind of speech feature (speech.features) that it hears: "embedding" or "mel".
        width: channels inside; dimension: D, numbers in an embedding.
        dropout: share of the inputs, and of the channels before each convolution, that training leaves out.

    Raises:
        InputError: an unknown feature, or a number out of range.
    """

    role = "a lip-sync judge by landmarks"
    needs = ("speech", "sync_lips", "sync_rest")
    gives = ("lip_embedding", "sound_embedding", "sync_scale")

    def __init__(self, features="embedding", width=96, dimension=64, dropout=0.3):
        super().__init__()
        if not isinstance(features, str) or features not in HEARD:
            raise InputError(f"model.features: {features!r} is not known; choose {' or '.join(HEARD)}")
        for key, value in (("width", width), ("dimension", dimension)):
            check_whole(value, key, 8, LONGEST)
        check_share(dropout, "dropout")
        self.features, self.dimension = features, dimension
        self.lip_encoder = Encoder(4 * POINTS, width, dimension, dropout)
        self.sound_encoder = Encoder(HEARD[features], width, dimension, dropout)
        self.scale = nn.Parameter(torch.full((2,), 2.3))  # logarithms: of frames in a window, of windows in a batch
        # (a, b): an offset is sure where the confidence is at least a + b / sqrt(frames); benchmarks.sync.lip_sync learns them
        self.register_buffer("sure", torch.tensor([1.0, 0.0]))

    def parts(self):
        """See models.network.Network."""
        return {"lip_encoder": ("lip_encoder",), "sound_encoder": ("sound_encoder",)}

    def field_options(self):
        """See models.network.Network."""
        return {"speech": {"features": self.features}}

    def forward(self, batch):
        """Training.

        Args:
            batch: `sync_lips` (B, T, 20, 2), `sync_rest` (B, 20, 2), `speech` (B, T, D).

        Returns:
            {"lip_embedding": (B, T, 64), "sound_embedding": (B, T, 64) float32, unit length, "sync_scale": (2,)}: what the
            cosines are multiplied by, among frames and among windows.
        """
        lips, sound = self.embed(batch["sync_lips"], batch["speech"], batch["sync_rest"])
        return {"lip_embedding": lips, "sound_embedding": sound, "sync_scale": self.scale.float().exp()}

    def embed(self, points, features, rest=None):
        """`lips` of points (B, T, 20, 2) and `sound` of features (B, T, F) -> two times (B, T, D)."""
        return self.lips(points, rest), self.sound(features)

    def lips(self, points, rest=None):
        """Embed lips.

        Args:
            points: (B, T, 20, 2) float, points 48-67 in the canonical frame (faces.landmarks.CANONICAL_STABLE): eye distances.
                Where they lie as a whole does not matter.
            rest: (B, 20, 2), the median over the clip of the points less their mean; None: over these T frames.

        Returns:
            (B, T, D) float32, unit length.
        """
        with outside_autocast(points.device):
            numbers = lip_numbers(points.float(), rest)
        return self.lip_encoder(numbers)

    def sound(self, features):
        """Embed sound.

        Args:
            features: (B, T, F) float, of the kind that the network hears, one for each frame of 25 a second; of the speech
                embedding the 192 numbers of its middle layer, or all 288.

        Returns:
            (B, T, D) float32, unit length.
        """
        return self.sound_encoder(features[..., : HEARD[self.features]])


    def least_confidence(self, frames):
        """Confidence from which on the offset of so many compared frames is sure (docs/methods.md, eq. (51)); 1: never."""
        constant, root = self.sure.tolist()
        return constant + root / max(1, frames) ** 0.5


def shift_cosines(lips, sound, most=15):
    """How well lips and sound fit at every shift (docs/methods.md, eq. (48)).

    The shift of the greatest value is the number of frames by which the sound trails the picture; the confidence in it is this
    value less the median of all.

    Args:
        lips, sound: (N, D) float of unit length, embeddings of the same N frames; N > most.
        most: frames by which the sound is shifted to either side.

    Returns:
        (2 most + 1,) float: at most + d the mean cosine of the lips of frame t and the sound of frame t + d.
    """
    count = len(lips)
    found = [(lips[max(0, -shift) : count - max(0, shift)] * sound[max(0, shift) : count - max(0, -shift)]).sum(-1).mean()
             for shift in range(-most, most + 1)]  # fmt: skip
    return torch.stack(found)


class Encoder(nn.Module):
    """(B, T, N) of any size -> (B, T, D) float32 of unit length; T frames go in and come out."""

    def __init__(self, numbers, width, dimension, dropout):
        super().__init__()
        self.standard = Standardise(numbers)
        self.dropout = nn.Dropout(dropout)
        self.enter = nn.Conv1d(numbers, width, 1)
        self.blocks = nn.ModuleList(nn.Conv1d(width, width, 3, padding=step, dilation=step) for step in DILATIONS)
        self.leave = nn.Conv1d(width, dimension, 1)

    def forward(self, numbers):
        """See the class."""
        maps = self.standard(numbers).transpose(1, 2).to(self.enter.weight.dtype)
        maps = self.enter(self.dropout(maps))
        for block in self.blocks:
            maps = maps + F.gelu(block(self.dropout(maps)))
        vectors = self.leave(F.gelu(maps)).transpose(1, 2)
        return unit_length(vectors.flatten(0, 1)).unflatten(0, vectors.shape[:2])


class Standardise(nn.Module):
    """(..., N) -> float32 less its running mean, over its running deviation; both keep 99 % a training step."""

    KEEP = 0.99

    def __init__(self, numbers):
        super().__init__()
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("deviation", torch.ones(numbers))
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, numbers):
        """See the class."""
        with outside_autocast(numbers.device):
            numbers = numbers.float()
            if self.training:
                self._learn(numbers.detach().flatten(0, -2))
            return (numbers - self.mean.float()) / self.deviation.float().clamp_min(1e-3)

    @torch.no_grad()
    def _learn(self, rows):
        deviation, mean = torch.std_mean(rows, 0, correction=0)
        self.steps.add_(1)
        share = (1 / self.steps).clamp_min(1 - self.KEEP)  # a plain mean at first
        self.mean.lerp_(mean, share)
        self.deviation.lerp_(deviation, share)


def lip_numbers(points, rest=None):
    """What the judge sees of lips: their shape against that of rest, and how it changes (docs/methods.md, eq. (47)).

    Args:
        points: (B, T, 20, 2) float32, T > 0; rest: (B, 20, 2) or None, see `LipSync.lips`.

    Returns:
        (B, T, 80) float32.
    """
    shape = points - points.mean(-2, keepdim=True)
    shape = shape - (shape.median(1, keepdim=True).values if rest is None else rest[:, None].float())
    beyond = torch.cat([shape[:, :1], shape, shape[:, -1:]], 1)
    change = (beyond[:, 2:] - beyond[:, :-2]) / 2
    return torch.cat([shape.flatten(2), change.flatten(2)], -1)

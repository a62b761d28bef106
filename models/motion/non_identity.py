"""PC-AVS: the non-identity encoder, one trunk with a head for the mouth and a head for the head's pose.

Layout and parameter names of the public code (arXiv 2104.11116) at face size 224 and width 1. Two classifiers of people which
that code makes, and on which no other part depends (`classifier`, `mouth_fc`), are left out. Written anew.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled
from models.fan import LANDMARKS, Heatmaps
from models.motion.head import AFFINE, READ_AS_1, head_fit, of_head
from models.motion.use import as_in_use
from models.precision import outside_autocast

FEATURE = 512  # at width 1
SETTLED = 0.02  # weight of a batch in the running statistics of `normed_codes`


class Trunk(Heatmaps):
    """Faces -> landmark heatmaps -> features: (N, 3, S, S) float in [-1, 1] -> (N, 512) float, width 1.

    All features pass through one map of S / 8 and its ReLU. The published trunk begins from weights of FAN; ours begins anew,
    with a bias by which most of that map is above 0.

    Args:
        face_size: S; width: multiplies the channels; reads: the maps are read, that is, the features exist.
    """

    def __init__(self, face_size, width, reads=True):
        super().__init__(width, corners=False)
        self.bn5 = self.conv6 = self.fc = None
        if reads:
            self.bn5, self.conv6 = nn.BatchNorm2d(LANDMARKS), nn.Conv2d(LANDMARKS, 1, 3, 2, 1)
            nn.init.constant_(self.conv6.bias, 0.5)
            self.fc = nn.Linear((face_size // 8) ** 2, scaled(FEATURE, width))

    def forward(self, pictures):
        return self.read(self.heatmaps(pictures))

    def read(self, heatmaps):
        """(N, 68, S / 4, S / 4) float heatmaps -> (N, 512) float, width 1."""
        maps = F.relu(self.bn5(heatmaps))
        return self.fc(F.relu(self.conv6(maps).flatten(1)))


class PoseReading(nn.Module):
    """Heatmaps -> pose codes, which tell nothing of the mouth: (N, 68, S / 4, S / 4) float -> (N, P) float.

    Ours. One linear layer reads the places of the landmarks that go with the head: none of the mouth, none of the chin. It
    begins with the affine map that lays the mean head on these landmarks with the least squares of their distances: 4 numbers
    of x, 4 of y, in units of 0.05 half sides. Codes beyond these 8 begin as 0.

    Args:
        pose: P.
    """

    def __init__(self, pose):
        super().__init__()
        fit = head_fit() / READ_AS_1  # (4, landmarks)
        self.fc = nn.Linear(2 * fit.shape[1], pose)
        along_x, along_y = np.zeros((2, *fit.shape, 2))
        along_x[..., 0] = along_y[..., 1] = fit
        begin = np.concatenate([along_x, along_y]).reshape(AFFINE, -1)[:pose]
        nn.init.zeros_(self.fc.bias)
        nn.init.zeros_(self.fc.weight)
        with torch.no_grad():
            self.fc.weight[:AFFINE].copy_(torch.tensor(begin, dtype=torch.float32))

    def forward(self, heatmaps):
        found = places(of_head(heatmaps))
        return self.fc(found.flatten(1).to(self.fc.weight.dtype))


class NonIdentityEncoder(nn.Module):
    """Faces -> features, and what is read in them.

    Args:
        face_size, width: as for Trunk; the width also multiplies the features and the mouth code.
        pose: numbers of a pose code.
        people, read_frames: the reader of people in pose codes of so many frames; 0: there is none.
        hears: the trunk is read, and there is a head for the mouth.
        draws: there are codes of mouth and pose as well.
        normed_codes: what the codes are read of has no mean and unit spread (ours). What moves in a clip is a tenth of what is
            the same in all features, so that otherwise the generator hardly sees it in the first thousands of steps.
        own_pose: the pose is read by PoseReading, in the places of landmarks; features are then those of the mouth, and behind
            them the pose code as it is.
    """

    def __init__(self, face_size=224, width=1.0, pose=12, people=0, read_frames=4, hears=True, draws=True, normed_codes=False,
                 own_pose=False):  # fmt: skip
        super().__init__()
        size = self.mouth_features = scaled(FEATURE, width)
        self.to_mouth = self.mouth_embed = self.to_headpose = self.headpose_embed = self.headpose_fc = None
        self.mouth_norm = self.sound_norm = self.pose_norm = None
        self.model = Trunk(face_size, width, hears)
        if hears:
            self.to_mouth = _head(size)
        self.pose_reading = PoseReading(pose) if draws and own_pose else None
        if draws:
            self.mouth_embed = nn.Sequential(nn.ReLU(), _linear(size, size - pose))
        if draws and not own_pose:
            self.to_headpose = _head(size)
            self.headpose_embed = nn.Sequential(nn.ReLU(), _linear(size, pose))
        if draws and normed_codes:
            self.mouth_norm, self.sound_norm = _norm(size), _norm(size)
            self.pose_norm = None if own_pose else _norm(size)
        if draws and people and read_frames:
            self.headpose_fc = nn.Sequential(nn.ReLU(), nn.Linear(pose * read_frames, people))

    def heatmaps(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> (N, 68, S / 4, S / 4) float, a map for each landmark."""
        return self.model.heatmaps(faces * 2 - 1)

    def forward(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> (N, 512) float features, width 1."""
        return self.features(self.heatmaps(faces))

    def features(self, heatmaps):
        """(N, 68, S / 4, S / 4) float -> (N, 512) float features, width 1; with `own_pose` (N, 512 + P)."""
        mouth = self.model.read(heatmaps)
        return mouth if self.pose_reading is None else torch.cat([mouth, self.pose_reading(heatmaps).to(mouth.dtype)], 1)

    def mouth_of(self, features):
        """(..., F) float features -> (..., M) float mouth features."""
        return self.to_mouth(features[..., : self.mouth_features])

    def pose_of(self, features, window=False):
        """(N, F) float features -> (N, P) float pose codes; `window` as for `mouth_code_of`."""
        if self.pose_reading is not None:
            return features[:, self.mouth_features :]
        return self.headpose_embed(self.to_headpose(_normed(self.pose_norm, features, window)))

    def mouth_code_of(self, mouth, window=False):
        """(N, M) float mouth features -> (N, M - P) float mouth codes.

        Args:
            window: they are of the windows of video that train. Mean and spread are those of such windows, so that sound is not
                made as lively as video is.
        """
        return self.mouth_embed(_normed(self.mouth_norm, mouth, window))

    def placed(self, sound, window=False):
        """(N, M) float mouth features of sound; with `normed_codes` the mean of those of video is in the place of their own."""
        if self.sound_norm is None:
            return sound
        _settle(self.sound_norm, sound, window)
        return sound + (self.mouth_norm.running_mean - self.sound_norm.running_mean).to(sound.dtype)

    def at_rest(self, faces):
        """What the mouth and the head do in single pictures.

        Args:
            faces: (N, 3, S, S) float in [0, 1] RGB.

        Returns:
            codes of mouth and pose (N, M) float32, without a gradient; landmarks (N, 68, 2) float32, means of the heatmaps'
            squares, from -1 to 1, right and down.
        """
        with torch.no_grad(), as_in_use(self):
            heatmaps = self.heatmaps(faces)
            features = self.features(heatmaps)
            codes = torch.cat([self.mouth_code_of(self.mouth_of(features)), self.pose_of(features)], 1).float()
            return codes, places(heatmaps)

    def amplified(self, mouth, gain):
        """(N, M) float mouth features, `gain` times as far from their mean, which counts as 0 without `normed_codes`."""
        if self.mouth_norm is None:
            return mouth * gain
        mean = self.mouth_norm.running_mean.to(mouth.dtype)
        return mean + gain * (mouth - mean)

    def people_of(self, codes, learning):
        """Logits of people, from the pose codes of the read frames.

        Args:
            codes: (B, pose * read_frames) float.
            learning: the reader learns and the codes take no gradient; otherwise it is the other way round.
        """
        layer = self.headpose_fc[1]
        if learning:
            return self.headpose_fc(codes.detach())
        return F.linear(torch.relu(codes), layer.weight.detach(), layer.bias.detach())


def places(heatmaps):
    """Means of the heatmaps' squares: (N, L, s, s) float -> (N, L, 2) float32, from -1 to 1, right and down."""
    with outside_autocast(heatmaps.device):
        weights = heatmaps.float().clamp_min(0).square() + 1e-6
        along = (2 * torch.arange(weights.shape[-1], device=weights.device) + 1) / weights.shape[-1] - 1
        weights = weights / weights.sum((2, 3), keepdim=True)
        return torch.stack([(weights.sum(axis) * along).sum(-1) for axis in (2, 3)], -1)


def _normed(norm, values, window):
    """(N, F) without mean and with unit spread, by the running statistics, which windows that train add to.

    Statistics of the batch would measure a window and the portrait beside it by two scales.
    """
    if norm is None:
        return values
    _settle(norm, values, window)
    return F.batch_norm(values[..., None, None], norm.running_mean, norm.running_var, eps=norm.eps).flatten(1)


@torch.no_grad()
def _settle(norm, values, window):
    """Let windows that train add to the running statistics; the first one alone makes them. No GPU is waited for."""
    if window and norm.training:
        weight = torch.where(norm.num_batches_tracked == 0, 1.0, SETTLED)
        before = [one.clone() for one in (norm.running_mean, norm.running_var)]
        norm(values.detach()[..., None, None])  # by its momentum of 1: the statistics of this batch, over all processes
        for old, running in zip(before, (norm.running_mean, norm.running_var), strict=True):
            running.copy_(old.lerp(running, weight))


def _norm(size):
    """Running mean and spread of a feature; the momentum is that of a single batch, see `_settle`."""
    return nn.BatchNorm2d(size, affine=False, momentum=1.0)


def _head(size):
    return nn.Sequential(_linear(size, size), nn.ReLU(), _linear(size, size))


def _linear(before, after):
    """A layer whose weights start by He's scheme (ours), so that codes are as widely spread as what they are read of."""
    layer = nn.Linear(before, after)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer

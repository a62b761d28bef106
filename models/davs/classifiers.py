"""DAVS: what is read from codes, and the adversaries that read what they should not hold.

Where the public code (arXiv 1807.07860) has a network, its layout and parameter names are kept at face size 256 and width 1.
All give logits: no softmax, no sigmoid.
"""

import torch
import torch.nn.functional as F
from torch import nn

from models.blocks import scaled
from models.davs.identity import CODE_CHANNELS, MAP_CHANNELS
from models.davs.speech import CODE

HIDDEN = 512
DROPOUT = 0.5


class WordClassifier(nn.Module):
    """The word that is spoken, from the codes of sound or of video (the published ModelFusion).

    Weights start as torch's layers do (ours). The published code starts the weights of the first layer normal with deviation
    1e-4 and its biases at 0 where training does not resume; first steps are slow then.

    Args:
        words: classes; frames: N, codes that are heard together; width: of the codes.
    """

    def __init__(self, words=500, frames=12, width=1.0):
        super().__init__()
        self.fc_1, self.fc_2 = nn.Linear(frames * scaled(CODE, width), HIDDEN), nn.Linear(HIDDEN, words)

    def forward(self, codes):
        """(B, N, 256) float, width 1 -> (B, words) logits."""
        return self.fc_2(F.relu(self.fc_1(codes.flatten(1))))


class PersonClassifier(nn.Module):
    """The person, from an identity code (the published Face_ID_fc): (..., 256) float -> (..., people) logits."""

    def __init__(self, people, width=1.0):
        super().__init__()
        self.fc, self.dropout = nn.Linear(scaled(CODE_CHANNELS, width), people), nn.Dropout(DROPOUT)

    def forward(self, codes):
        return self.fc(self.dropout(codes))


class IdentityWords(nn.Module):
    """Adversary: the word, from the identity encoder's maps of M frames (the published ID_dis32).

    The convolution starts normal with deviation 0.02 and its bias at 0, as published. The linear layers start as torch's do
    (ours). The published code starts the weights of the last one normal with deviation 1e-4 and its biases at 0 where training
    does not resume.

    Args:
        face_size: S; width: of the maps; frames: M; words: classes.
    """

    def __init__(self, face_size=256, width=1.0, frames=20, words=500):
        super().__init__()
        self.conv6 = nn.Conv2d(scaled(MAP_CHANNELS, width), 1, 3, 2, 1)
        nn.init.normal_(self.conv6.weight, std=0.02)
        nn.init.zeros_(self.conv6.bias)
        self.fc, self.dropout = nn.Linear((face_size // 8) ** 2, 128), nn.Dropout(DROPOUT)
        self.fc_2 = nn.Linear(128 * frames, words)

    def forward(self, maps):
        """(B, M, 64, S / 4, S / 4) float, width 1 -> (B, words) logits."""
        features = F.relu(self.conv6(maps.flatten(0, 1)).flatten(1))
        frames = self.fc(features).unflatten(0, maps.shape[:2])
        return self.fc_2(self.dropout(frames.flatten(1)))


class CodesWords(nn.Module):
    """Adversary: the word, from the identity codes of M frames; ours. (B, M, 256) float, width 1 -> (B, words) logits."""

    def __init__(self, width=1.0, frames=20, words=500):
        super().__init__()
        self.fc_1, self.fc_2 = nn.Linear(frames * scaled(CODE_CHANNELS, width), HIDDEN), nn.Linear(HIDDEN, words)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, codes):
        return self.fc_2(self.dropout(F.relu(self.fc_1(codes.flatten(1)))))


class SpeechPeople(nn.Module):
    """Adversary: the person, from speech codes: (2 R, 256 frames) float, width 1 -> (2 R, people) logits.

    The paper names it, the public code has none. Two hidden layers are ours, and a reader for each half of the rows: codes of
    sound lie elsewhere than those of video, and one reader of both sees less of the people in either.

    Args:
        people: classes; width: of the codes; frames: codes side by side that are read together; linear: no hidden layers.
    """

    def __init__(self, people, width=1.0, frames=1, linear=False):
        super().__init__()
        read = frames * scaled(CODE, width)
        layers = [read] if linear else [read, 256, 256]
        self.audio, self.video = (_layers([*layers, people]) for _ in range(2))

    def forward(self, codes):
        """Rows of sound come first, as many as of video."""
        sound, video = codes.chunk(2)
        return torch.cat((self.audio(sound), self.video(video)))


def _layers(sizes):
    """Linear layers from size to size, with ReLUs between."""
    made = []
    for before, after in zip(sizes, sizes[1:], strict=False):
        made += [nn.ReLU(), nn.Linear(before, after)]
    return nn.Sequential(*made[1:])


class Modality(nn.Module):
    """Adversary: is this speech code one of sound (the published discriminator_audio)? (..., 256) float -> (..., 1) logits."""

    def __init__(self, width=1.0):
        super().__init__()
        channels = scaled(CODE, width)
        self.fc1, self.fc2 = nn.Linear(channels, channels), nn.Linear(channels, 1)

    def forward(self, codes):
        return self.fc2(F.relu(self.fc1(codes)))

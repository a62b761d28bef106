"""Discriminators: Wav2Lip's quality discriminator and the conditional one of 2024 (docs/methods.md, section 3)."""

import torch
from torch import nn

from models.blocks import (
    LEAK,
    PUBLISHED_DATA,
    PlainConvBlock,
    audio_encoder,
    check_size,
    frames_to_batch,
    initialise_plain,
    levels_of,
    scaled,
)
from models.network import Network
from models.wav2lip import CODE_CHANNELS, face_encoder


def mouth_encoder(levels, bottom, width):
    """Blocks without norms for the lower half of a face: (N, 3, S / 2, S) -> (N, C, 1, 1), C = 512 at width 1."""

    def pair(before, after, kernel, stride):
        return nn.Sequential(
            PlainConvBlock(before, after, kernel, stride, kernel // 2), PlainConvBlock(after, after, kernel, 1, kernel // 2)
        )

    channels = [scaled(min(32 * 2**level, CODE_CHANNELS), width) for level in range(levels + 1)]
    blocks = [nn.Sequential(PlainConvBlock(3, channels[0], 7, 1, 3)), pair(channels[0], channels[1], 5, (1, 2))]
    for level in range(2, levels + 1):
        blocks.append(pair(channels[level - 1], channels[level], 5 if level < 4 else 3, 2))
    last = channels[-1]
    blocks.append(nn.Sequential(PlainConvBlock(last, last, bottom, 1, 0), PlainConvBlock(last, last, 1, 1, 0)))
    return nn.ModuleList(blocks)


def lower_half(faces):
    """(N, 3, S, S) -> (N, 3, S / 2, S)."""
    return faces[:, :, faces.shape[2] // 2 :]


def flat_faces(faces):
    """(B, 3, S, S) or (B, 3, T, S, S) -> (N, 3, S, S), N = B or T * B, frame after frame."""
    return frames_to_batch(faces) if faces.dim() == 5 else faces


def run_blocks(blocks, x):
    """Send `x` through a ModuleList in order."""
    for block in blocks:
        x = block(x)
    return x


class QualityDiscriminator(Network):
    """Is this lower half of a face real? At `face_size` 96, `width` 1.0 the published network of Wav2Lip, name by name."""

    role = "a quality discriminator"
    sign = ("binary_pred.0.weight", "face_encoder_blocks.0.0.conv_block.0.weight")
    published = {"face_size": 96, "width": 1.0}
    published_data = PUBLISHED_DATA
    colours = {"face_encoder_blocks.0.0.conv_block.0.weight": 1}

    def __init__(self, face_size=96, width=1.0):
        super().__init__()
        check_size(face_size, width)
        self.face_size, self.width = face_size, width
        levels, bottom = levels_of(face_size)
        self.face_encoder_blocks = mouth_encoder(levels, bottom, width)
        self.binary_pred = nn.Sequential(nn.Conv2d(scaled(CODE_CHANNELS, width), 1, kernel_size=1), nn.Sigmoid())
        initialise_plain(self)

    def logits(self, faces):
        """(B, 3[, T], S, S) float32 in [0, 1], whole faces -> (N, 1) logits, N = B or T * B, frame after frame.

        For losses on logits, which half precision needs.
        """
        code = run_blocks(self.face_encoder_blocks, lower_half(flat_faces(faces)))
        return self.binary_pred[0](code).flatten(1)

    def forward(self, faces):
        """(B, 3[, T], S, S) float32 in [0, 1], whole faces -> (N, 1) probability of being real."""
        return self.logits(faces).sigmoid()


class ConditionalDiscriminator(Network):
    """Is this lower half of a face real, given the audio and the person? (docs/methods.md, eq. (14))

    Three encoders: audio and person laid out as in the Wav2Lip generator, the mouth as in its quality discriminator; their
    codes are joined and a small head judges them. The paper's public code gives the layout; what the person frames are is not
    published, and the reference face is taken here (inferred). Parameter names are ours.
    """

    role = "a conditional discriminator"

    def __init__(self, face_size=96, width=1.0):
        super().__init__()
        check_size(face_size, width)
        self.face_size, self.width = face_size, width
        levels, bottom = levels_of(face_size)
        self.audio_encoder = audio_encoder(width, last_residuals=1)
        self.person_encoder_blocks, _ = face_encoder(3, levels, bottom, width)
        self.face_encoder_blocks = mouth_encoder(levels, bottom, width)
        code = scaled(CODE_CHANNELS, width)
        self.binary_pred = nn.Sequential(
            nn.Conv2d(3 * code, code, kernel_size=1),
            nn.BatchNorm2d(code),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(code, 1, kernel_size=1),
        )
        initialise_plain(self)

    def logits(self, mel, person, faces):
        """Judge faces.

        Args:
            mel: (B, 1, 80, 16), or (B, T, 1, 80, 16) with T faces, float32 in [-4, 4].
            person: (B, 3[, T], S, S) float32 in [0, 1]: whole faces of the same person from elsewhere in the clip.
            faces: (B, 3[, T], S, S) float32 in [0, 1]: whole faces to judge; only the lower half is looked at.

        Returns:
            (N, 1) logits, N = B or T * B, frame after frame.
        """
        if mel.dim() == 5:
            mel = mel.transpose(0, 1).flatten(0, 1)
        audio = self.audio_encoder(mel)
        identity = run_blocks(self.person_encoder_blocks, flat_faces(person))
        mouth = run_blocks(self.face_encoder_blocks, lower_half(flat_faces(faces)))
        return self.binary_pred(torch.cat((audio, identity, mouth), dim=1)).flatten(1)

    def forward(self, mel, person, faces):
        """As `logits`, but probabilities of being real: (N, 1) float32 in [0, 1]."""
        return self.logits(mel, person, faces).sigmoid()

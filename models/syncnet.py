"""The lip-sync expert of Wav2Lip: a colour SyncNet (docs/methods.md, section 4; arXiv 2008.10010, section 3.2)."""

import torch.nn.functional as F
from torch import nn

from common.errors import InputError
from models.blocks import PUBLISHED_DATA, ConvBlock, audio_encoder, check_size, levels_of, residual_blocks, scaled
from models.network import Network
from models.precision import outside_autocast, unit_length


class SyncNetColor(Network):
    """Do a mel window and the lower half of `frames` consecutive faces belong together?

    With `face_size` 96, `width` 1.0 and `frames` 5 it is the published expert, name by name. Larger faces add 512-channel
    levels at the bottom (ours).

    Raises:
        InputError: `face_size`, `width` or `frames` out of range.
    """

    role = "a lip-sync expert"
    sign = ("face_encoder.0.conv_block.0.weight", "audio_encoder.0.conv_block.0.weight")
    published = {"face_size": 96, "width": 1.0}
    published_data = PUBLISHED_DATA
    needs = ("face", "heard_mel")
    gives = ("audio_embedding", "face_embedding")
    colours = {"face_encoder.0.conv_block.0.weight": 1}

    def __init__(self, face_size=96, width=1.0, frames=5):
        super().__init__()
        check_size(face_size, width)
        if isinstance(frames, bool) or not isinstance(frames, int) or not 1 <= frames <= 25:
            raise InputError(f"model.frames: {frames!r} is not possible; give a whole number from 1 to 25")
        self.face_size, self.width, self.frames = face_size, width, frames
        levels, bottom = levels_of(face_size)
        self.face_encoder = self._face_encoder(levels, bottom)
        self.audio_encoder = audio_encoder(width, last_residuals=2)

    def _face_encoder(self, levels, bottom):
        c32, c64, c128, c256, c512 = (scaled(c, self.width) for c in (32, 64, 128, 256, 512))
        blocks = [ConvBlock(3 * self.frames, c32, kernel_size=7, padding=3)]
        blocks += [ConvBlock(c32, c64, kernel_size=5, stride=(1, 2)), *residual_blocks(c64, 2)]
        blocks += [ConvBlock(c64, c128, stride=2), *residual_blocks(c128, 3)]
        blocks += [ConvBlock(c128, c256, stride=2), *residual_blocks(c256, 2)]
        before = c256
        for _ in range(levels - 4):
            blocks += [ConvBlock(before, c512, stride=2), *residual_blocks(c512, 2)]
            before = c512
        blocks += [ConvBlock(c512, c512, stride=2), ConvBlock(c512, c512, kernel_size=bottom, padding=0)]
        return nn.Sequential(*blocks, ConvBlock(c512, c512, kernel_size=1, padding=0))

    def parts(self):
        """See models.network.Network."""
        return {"audio_encoder": ("audio_encoder",), "face_encoder": ("face_encoder",)}

    @property
    def sync_frames(self):
        """Frames that the expert judges at once."""
        return self.frames

    def forward(self, batch):
        """Training: K sounds for each window.

        Args:
            batch: `heard_mel` (B, K, 1, 80, 16), `face` (B, T, 3, S, S) with T = `frames`.

        Returns:
            {"audio_embedding": (B, K, D), "face_embedding": (B, D)} float32, unit length.
        """
        sounds = batch["heard_mel"]
        audio, face = self.embed(sounds.flatten(0, 1), lower_halves(batch["face"].transpose(1, 2)))
        return {"audio_embedding": audio.unflatten(0, sounds.shape[:2]), "face_embedding": face}

    def embed(self, mel, faces):
        """Embed both sides.

        Args:
            mel: (B, 1, 80, 16) float32 in [-4, 4], the window that starts with the first face.
            faces: (B, 3 * frames, S / 2, S) float32 in [0, 1]: lower halves, see `lower_halves`.

        Returns:
            audio (B, D), face (B, D) float32, unit length, not negative; D = 512 at width 1.
        """
        return self.embed_sound(mel), self.embed_faces(faces)

    @property
    def dimension(self):
        """D, numbers in an embedding."""
        return self.face_encoder[-1].conv_block[0].out_channels

    def embed_sound(self, mel):
        """(B, 1, 80, 16) -> (B, D), see `embed`."""
        return unit_length(self.audio_encoder(mel).flatten(1))

    def embed_faces(self, faces):
        """(B, 3 * frames, S / 2, S) -> (B, D), see `embed`."""
        return unit_length(self.face_encoder(faces).flatten(1))


def lower_halves(faces):
    """(B, 3, T, S, S) -> (B, 3 * T, S / 2, S): the mouth half of each frame, frames one after the other in the channels."""
    return faces[:, :, :, faces.shape[3] // 2 :].transpose(1, 2).flatten(1, 2)


def sync_probability(audio, face):
    """Cosine of two (..., D) embeddings of SyncNetColor -> (...) float32 in [0, 1] (arXiv 2008.10010, eq. 1).

    Both are ReLU-ed, so the cosine is a probability; it is clamped because rounding can lift it over 1. In float32 whatever the
    embeddings are, and outside autocast.
    """
    with outside_autocast(audio.device):
        return F.cosine_similarity(audio.float(), face.float(), dim=-1).clamp(0, 1)

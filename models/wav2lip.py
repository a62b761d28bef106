"""The Wav2Lip generator (Prajwal et al. 2020, arXiv 2008.10010; docs/methods.md, eq. (12)) at any supported size and width."""

import torch
from torch import nn

from common.errors import InputError
from faces.texture import CLUSTERS, most_modules
from models.audio_gate import AudioGate
from models.blocks import (
    PUBLISHED_DATA,
    ConvBlock,
    UpConvBlock,
    audio_encoder,
    batch_to_frames,
    check_size,
    frames_to_batch,
    levels_of,
    residual_blocks,
    scaled,
)
from models.network import Network
from models.spatial_input import SpatialInput

CODE_CHANNELS = 512


def face_encoder(in_channels, levels, bottom, width):
    """Blocks that bring a face down to one code; every block's output is a skip connection.

    Channels double from 16 to at most 512 while the side halves `levels` times to `bottom`; the last block makes 1x1 of it.
    At 96 px and width 1.0 this is the published encoder; larger faces add 512-channel levels at the bottom (ours).

    Returns:
        (ModuleList of levels + 2 blocks, list of their output channels)
    """
    channels = [scaled(min(16 * 2**level, CODE_CHANNELS), width) for level in range(levels + 1)]
    blocks = [nn.Sequential(ConvBlock(in_channels, channels[0], kernel_size=7, padding=3))]
    for level in range(1, levels + 1):
        residuals = 1 if level == levels else 3 if level == 2 else 2
        down = ConvBlock(channels[level - 1], channels[level], stride=2)
        blocks.append(nn.Sequential(down, *residual_blocks(channels[level], residuals)))
    code = scaled(CODE_CHANNELS, width)
    to_code = ConvBlock(channels[-1], code, kernel_size=bottom, padding=0)
    blocks.append(nn.Sequential(to_code, ConvBlock(code, code, kernel_size=1, padding=0)))
    return nn.ModuleList(blocks), [*channels, code]


def face_decoder(skip_channels, levels, bottom, width):
    """Blocks that grow the audio code back to a face; before each next block the encoder's map of the same side is appended.

    Returns:
        (ModuleList of levels + 2 blocks, channels of the full-size map with its skip)
    """
    code = scaled(CODE_CHANNELS, width)
    blocks = [nn.Sequential(ConvBlock(code, code, kernel_size=1, padding=0))]
    channels = code + skip_channels[-1]
    for level in range(levels, -1, -1):
        out = scaled((64, 128, 256, 384)[level] if level < 4 else CODE_CHANNELS, width)
        if level == levels:
            up = UpConvBlock(channels, out, kernel_size=bottom, stride=1, padding=0, output_padding=0)
        else:
            up = UpConvBlock(channels, out)
        blocks.append(nn.Sequential(up, *residual_blocks(out, 1 if level == levels else 2)))
        channels = out + skip_channels[level]
    return nn.ModuleList(blocks), channels


class Wav2Lip(Network):
    """Audio and a face with its mouth masked, plus a reference of the same person, to the face with the mouth that is heard.

    With `face_size` 96 and `width` 1.0 it is the published network, name by name. Other sizes are ours: 96 * 2^k ends in a 3x3
    map, 128 * 2^k in a 4x4 map.

    Args:
        face_size: S, side of the faces; width: multiplies the channels.
        audio_gate: scale the audio code by the adaptive lip weight of the phoneme that is spoken (models.audio_gate;
            docs/methods.md, eq. (33)). Such a network must be told the phonemes.
        spatial_input: show the generator mean colour and centre of the reference's texture modules (models.spatial_input;
            docs/methods.md, eq. (40)). Such a network must be given the modules.

    Raises:
        InputError: `face_size`, `width`, `audio_gate` or `spatial_input` out of range.
    """

    role = "a generator"
    sign = ("output_block.1.weight", "face_decoder_blocks.0.0.conv_block.0.weight")
    published = {"face_size": 96, "width": 1.0}
    published_data = PUBLISHED_DATA
    gives = ("face",)
    colours = {"face_encoder_blocks.0.0.conv_block.0.weight": 1, "spatial_input.colour.weight": 1,
               "output_block.1.weight": 0, "output_block.1.bias": 0}  # fmt: skip
    optional = ("audio_gate", "spatial_input")

    def __init__(self, face_size=96, width=1.0, audio_gate=False, spatial_input=False):
        super().__init__()
        check_size(face_size, width)
        for name, value in (("audio_gate", audio_gate), ("spatial_input", spatial_input)):
            if not isinstance(value, bool):
                raise InputError(f"model.{name}: {value!r} is not possible; give true or false")
        self.face_size, self.width = face_size, width
        levels, bottom = levels_of(face_size)
        self.face_encoder_blocks, skips = face_encoder(6, levels, bottom, width)
        self.audio_encoder = audio_encoder(width, last_residuals=1)
        self.face_decoder_blocks, channels = face_decoder(skips, levels, bottom, width)
        hidden = scaled(32, width)
        self.audio_gate = AudioGate() if audio_gate else None
        self.spatial_input = SpatialInput(skips[0]) if spatial_input else None
        self.output_block = nn.Sequential(ConvBlock(channels, hidden), nn.Conv2d(hidden, 3, kernel_size=1), nn.Sigmoid())

    def encode_audio(self, mel, phonemes=None):
        """Audio codes.

        Args:
            mel: (N, 1, 80, 16) float32 in [-4, 4].
            phonemes: (N,) int64 classes of `speech.arpabet.PHONES`; a network with an audio gate needs them.

        Returns:
            (N, C, 1, 1) float32, C = 512 at width 1.

        Raises:
            ValueError: a gate, and no phonemes.
        """
        codes = self.audio_encoder(mel)
        if self.audio_gate is None:
            return codes
        if phonemes is None:
            raise ValueError("this network has an audio gate: it must be given the phonemes")
        return self.audio_gate(codes, phonemes)

    def encode_face(self, faces, modules=None):
        """Face maps.

        Args:
            faces: (N, 6, S, S) float32 in [0, 1]; see `generate`.
            modules: (N, S, S) int64 labels of the texture modules of the reference; a network with a spatial input needs them.

        Returns:
            list of maps, largest first; (N, C, 1, 1) is the last.

        Raises:
            ValueError: a spatial input, and no modules.
        """
        maps, x = [], faces
        for block in self.face_encoder_blocks:
            x = block(x)
            if not maps and self.spatial_input is not None:
                if modules is None:
                    raise ValueError("this network has a spatial input: it must be given the modules of the reference")
                x = x + self.spatial_input(faces[:, 3:], modules)
            maps.append(x)
        return maps

    def decode(self, audio, maps):
        """Audio codes and face maps to faces.

        Args:
            audio: (N, C, 1, 1) from `encode_audio`.
            maps: from `encode_face`, of N faces, or of one face (a still picture), which then serves all N codes.

        Returns:
            (N, 3, S, S) float32 in [0, 1], channels in the order of the input faces.
        """
        x = audio
        for block, skip in zip(self.face_decoder_blocks, reversed(maps), strict=True):
            x = block(x)
            x = torch.cat((x, skip.expand(x.shape[0], -1, -1, -1)), dim=1)
        return self.output_block(x)

    @property
    def needs(self):
        """Fields that this network is fed with; a gate needs the phonemes, a spatial input the modules of the reference."""
        more = (("audio_gate", "phoneme"), ("spatial_input", "reference_module"))
        return ("masked_face", "reference_face", "mel", *(name for part, name in more if getattr(self, part) is not None))

    def parts(self):
        """See models.network.Network."""
        found = {"audio_encoder": ("audio_encoder",), "face_encoder": ("face_encoder_blocks",),
                 "face_decoder": ("face_decoder_blocks", "output_block")}  # fmt: skip
        return found | {name: (name,) for name in self.optional if getattr(self, name) is not None}

    def configure(self, data):
        """See models.network.Network: the texture modules of the reference decide how many there can be at most."""
        texture = data.get("texture")
        clusters = texture.get("clusters", CLUSTERS) if isinstance(texture, dict) else CLUSTERS
        if self.spatial_input is not None and isinstance(clusters, int):
            self.spatial_input.most = most_modules(clusters)

    def forward(self, batch):
        """Training: fields to the generated face.

        Args:
            batch: `masked_face`, `reference_face` (B, T, 3, S, S), `mel` (B, T, 1, 80, 16), and, where the network has the
                part, `phoneme` (B, T), `reference_module` (B, T, S, S).

        Returns:
            {"face": (B, T, 3, S, S) float in [0, 1]}.
        """
        faces = torch.cat([batch["masked_face"], batch["reference_face"]], 2).transpose(1, 2)  # (B, 6, T, S, S)
        made = self.generate(batch["mel"], faces, batch.get("phoneme"), batch.get("reference_module"))
        return {"face": made.transpose(1, 2)}

    def generate(self, mel, faces, phonemes=None, modules=None):
        """Generate faces.

        Args:
            mel: (B, 1, 80, 16) or (B, T, 1, 80, 16) float32 in [-4, 4].
            faces: (B, 6, S, S) or (B, 6, T, S, S) float32 in [0, 1]; channels 0-2 the face with its lower half zeroed, 3-5 the
                reference, both in the same colour order.
            phonemes: (B,) or (B, T) int64, for a network with an audio gate; see `encode_audio`.
            modules: (B, S, S) or (B, T, S, S) int64, for a network with a spatial input; see `encode_face`.

        Returns:
            (B, 3, S, S) or (B, 3, T, S, S) float32 in [0, 1], in that colour order.
        """
        if faces.dim() == 4:
            return self.decode(self.encode_audio(mel, phonemes), self.encode_face(faces, modules))
        mel, flat = mel.transpose(0, 1).flatten(0, 1), frames_to_batch(faces)
        phonemes, modules = (None if x is None else x.transpose(0, 1).flatten(0, 1) for x in (phonemes, modules))
        return batch_to_frames(self.decode(self.encode_audio(mel, phonemes), self.encode_face(flat, modules)), faces.shape[0])

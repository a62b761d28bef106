"""Action units: the UNet of the diffusion renderer, with cross-attention to the codes of frames.

Its nine input channels and its channels are those of the published code; the layers are those of diffusers, whose key and value
projections are weights.
"""

import torch
from torch import nn

from models.au.autoencoder import DEPTH, LATENT
from models.au.library import needing_diffusers
from models.blocks import scaled

CHANNELS = (256, 512, 768, 1024)  # at width 1, published
HEADS, GROUPS = 4, 8  # of the attention; of group norms
REACH = 2  # frames on either side whose codes are tokens of a frame's condition


class Unet(nn.Module):
    """Noised latents, what is seen and a condition -> what the network says of the noise.

    Args:
        condition: numbers of a token; width: multiplies the channels; depth: residual blocks a level.

    Raises:
        InputError: diffusers is not installed.
    """

    def __init__(self, condition, width=1.0, depth=DEPTH):
        super().__init__()
        with needing_diffusers():
            from diffusers import UNet2DConditionModel
        channels = tuple(scaled(one, width) for one in CHANNELS)
        self.net = UNet2DConditionModel(
            in_channels=3 * LATENT,
            out_channels=LATENT,
            down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 3),
            up_block_types=(*("CrossAttnUpBlock2D",) * 3, "UpBlock2D"),
            block_out_channels=channels,
            layers_per_block=depth,
            cross_attention_dim=condition,
            attention_head_dim=HEADS,
            norm_num_groups=GROUPS,
        )
        self.place = nn.Parameter(0.02 * torch.randn(2 * REACH + 1, condition))

    def forward(self, latents, steps, masked, person, tokens):
        """Say what was added.

        Args:
            latents: (N, 3, h, w) noised; masked, person: latents of the masked frame and of the identity picture, of the same
                shape; steps: (N,) int64, or an int; tokens: (N, 5, C) float.

        Returns:
            (N, 3, h, w) float.
        """
        kind = self.place.dtype
        given = torch.cat([one.to(kind) for one in (latents, masked, person)], 1)
        return self.net(given, steps, encoder_hidden_states=tokens.to(kind) + self.place).sample

"""Action units: the autoencoder in whose latents the diffusion renderer works (VQ with factor 4, arXiv 2112.10752).

Factor 4, three latent channels and 8192 codes are those of the published code. The layers are those of diffusers' VQModel.
"""

import torch
from torch import nn

from models.au.library import needing_diffusers
from models.au.network import FACE_SIZES
from models.blocks import check_choice, check_whole, check_width, scaled
from models.network import Network

FACTOR, LATENT = 4, 3
CODES = 8192  # published
LEAST_CODES, MOST_CODES = 16, 65536
CHANNELS = (128, 256, 512)  # at width 1, those of the published f4 autoencoders
MIN_WIDTH, MAX_WIDTH = 0.0625, 1.0
DEPTH, MOST_DEPTH = 2, 3  # residual blocks a level
GROUPS = 8  # of group norms; 32 in the published networks, whose channels are never few


class Autoencoder(nn.Module):
    """Faces <-> latents, with a codebook before the decoder.

    A batch norm without weights stands between the encoder and the codebook (ours): each latent channel has mean 0 and variance
    1 over the training faces, as diffusion wants it. The codebook starts normal, so that all codes lie among the latents.

    Args:
        width: multiplies the channels; codes: K, number of codes; depth: residual blocks a level.

    Raises:
        InputError: diffusers is not installed.
    """

    def __init__(self, width=1.0, codes=CODES, depth=DEPTH):
        super().__init__()
        with needing_diffusers():
            from diffusers import VQModel
        channels = tuple(scaled(one, width) for one in CHANNELS)
        self.codec = VQModel(
            down_block_types=("DownEncoderBlock2D",) * len(channels),
            up_block_types=("UpDecoderBlock2D",) * len(channels),
            block_out_channels=channels,
            layers_per_block=depth,
            latent_channels=LATENT,
            num_vq_embeddings=codes,
            norm_num_groups=GROUPS,
        )
        nn.init.normal_(self.codec.quantize.embedding.weight)
        self.norm, self.codes = nn.BatchNorm2d(LATENT, affine=False), codes

    def encode(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> latents (N, 3, S / 4, S / 4) float, before the codebook."""
        faces = faces.to(self.codec.quant_conv.weight.dtype)
        return self.norm(self.codec.quant_conv(self.codec.encoder(2 * faces - 1)))

    def nearest(self, latents):
        """Number of the code that lies nearest to each latent: (N, 3, h, w) float -> (N, h, w) int64."""
        book = self.codec.quantize.embedding.weight.float()
        flat = latents.detach().float().permute(0, 2, 3, 1).flatten(0, 2)
        # |z - e|^2 without |z|^2, which is the same for all codes
        return (book.square().sum(1) - 2 * flat @ book.T).argmin(1).view(len(latents), *latents.shape[2:])

    def chosen(self, numbers):
        """(N, h, w) int64 numbers of codes -> codes (N, 3, h, w) float."""
        return self.codec.quantize.embedding(numbers).permute(0, 3, 1, 2)

    def decode(self, codes):
        """(N, 3, h, w) float codes -> faces (N, 3, 4 h, 4 w) float32 in [0, 1] RGB."""
        return self.codec.decoder(self.codec.post_quant_conv(codes)).float().sigmoid()

    def draw(self, latents):
        """(N, 3, h, w) float latents -> faces (N, 3, 4 h, 4 w) float32 in [0, 1] RGB, of the nearest codes."""
        return self.decode(self.chosen(self.nearest(latents)))


class FaceAutoencoder(Network):
    """The autoencoder as a network that is trained by itself.

    Args:
        face_size: S, 96, 112 (published) or 128; width: 0.0625 to 1; codes: K, 16 to 65536, 8192 is published; depth: residual
            blocks a level, 1 to 3.

    Raises:
        InputError: a value that is not possible, or diffusers is not installed.
    """

    role = "an autoencoder of faces"
    needs = ("face",)
    gives = ("face", "latents", "latent_codes", "code_shares")

    def __init__(self, face_size=112, width=1.0, codes=CODES, depth=DEPTH):
        super().__init__()
        check_choice(face_size, "face_size", FACE_SIZES)
        check_width(width, "width", MIN_WIDTH, MAX_WIDTH)
        check_whole(codes, "codes", LEAST_CODES, MOST_CODES)
        check_whole(depth, "depth", 1, MOST_DEPTH)
        self.face_size, self.width = face_size, width
        self.autoencoder = Autoencoder(width, codes, depth)

    def parts(self):
        """See models.network.Network."""
        return {"autoencoder": ("autoencoder",)}

    def forward(self, batch):
        """Training, on windows of T frames.

        Args:
            batch: `face` (B, T, 3, S, S).

        Returns:
            dict: face (B, T, 3, S, S) float32 in [0, 1], drawn; latents and latent_codes (B, T, 3, S / 4, S / 4) float, before
            and after the codebook, through which gradients reach the encoder and the codes; code_shares (K,) float, share of
            the batch's latents that chose each code.
        """
        shape = batch["face"].shape[:2]
        latents = self.autoencoder.encode(batch["face"].flatten(0, 1))
        numbers = self.autoencoder.nearest(latents)
        codes = self.autoencoder.chosen(numbers)
        passed = latents + (codes - latents).detach()  # the decoder sees codes, its gradient goes to the latents
        shares = torch.zeros(self.autoencoder.codes, device=latents.device)
        shares = shares.scatter_add(0, numbers.flatten(), torch.ones(numbers.numel(), device=latents.device)) / numbers.numel()
        found = {"face": self.autoencoder.decode(passed), "latents": latents, "latent_codes": codes}
        return {**{name: one.unflatten(0, shape) for name, one in found.items()}, "code_shares": shares}

"""Action units: the discriminator of whole faces of the form with a GAN (arXiv 2110.09951); its layers are ours."""

import torch.nn.functional as F
from torch import nn

from models.blocks import scaled
from models.discriminators import flat_faces

CHANNELS = (64, 128, 256, 512)  # at width 1
LEAK = 0.2


class FaceDiscriminator(nn.Module):
    """Is this face real?

    Weights start normal with deviation 0.02, those of batch norms about 1, as in DCGAN (arXiv 1511.06434).

    Args:
        face_size: S, a multiple of 16; width: multiplies the channels.
    """

    def __init__(self, face_size=112, width=1.0):
        super().__init__()
        channels = [3, *(scaled(one, width) for one in CHANNELS)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 4, 2, 1) for before, after in zip(channels, channels[1:], strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(after) for after in channels[2:])
        self.real = nn.Linear(channels[-1] * (face_size // 16) ** 2, 1)
        for layer in (*self.convolutions, self.real):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        for norm in self.norms:
            nn.init.normal_(norm.weight, 1.0, 0.02)

    def logits(self, faces):
        """(B, 3[, T], S, S) float in [0, 1] RGB -> (N, 1) logits, N = B or T * B, frame after frame."""
        x = F.leaky_relu(self.convolutions[0](2 * flat_faces(faces) - 1), LEAK)
        for convolution, norm in zip(self.convolutions[1:], self.norms, strict=True):
            x = F.leaky_relu(norm(convolution(x)), LEAK)
        return self.real(x.flatten(1))

    forward = logits

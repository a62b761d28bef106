"""Small networks of the diffusion renderer of action units, and a problem of latents that is learned in seconds."""

import torch

from models import build_model
from models.au.noising import draw_noise, sample
from tests.au_kit import batch_of
from training.checkpoint import save_checkpoint

AUTOENCODER = {"name": "face_autoencoder", "face_size": 96, "width": 0.0625, "codes": 32, "depth": 1}
SMALL = {"name": "action_units_diffusion", "face_size": 96, "width": 0.125, "columns": 12, "unet_width": 0.0625,
         "autoencoder_width": 0.0625, "codes": 32, "depth": 1, "frames": 2, "steps": 3}  # fmt: skip


def renderer(seed=0, **options):
    """A small renderer in training mode, with an autoencoder that has seen faces."""
    torch.manual_seed(seed)
    model = build_model({**SMALL, **options})
    norm = model.autoencoder.norm
    with torch.no_grad():
        model.autoencoder.train()
        norm.momentum, usual = 1.0, norm.momentum
        model.autoencoder.encode(batch_of(frames=2)["face"].flatten(0, 1))
        norm.momentum = usual
    return model.train()


def batch(items=2, frames=3, seed=0):
    """Random fields; the lower half of the masked faces is 0."""
    found = batch_of(items=items, frames=frames, columns=SMALL["columns"], seed=seed)
    masked = found["face"].clone()
    masked[..., 48:, :] = 0
    return {**found, "masked_face": masked}


def save_renderer(path, seed=0, data=None):
    """Write a checkpoint of `renderer`; returns its path."""
    model = renderer(seed).eval()
    save_checkpoint(path, model, {"model": SMALL, "data": {"crop": "au112", **(data or {})}, "training": {}})
    return path


class Problem:
    """Latents (3, 8, 8) whose lower half is 1 or -1, as a unit of the frame says; the code of the frame tells the unit.

    Args:
        channels: of a code.
    """

    def __init__(self, channels):
        self.channels, self.generator = channels, torch.Generator().manual_seed(1)

    def windows(self, count, frames=12):
        """units (N, T) bool, codes (N, T, C), latents (N, T, 3, 8, 8) float."""
        units = torch.rand(count, frames, generator=self.generator) > 0.5
        signs = 2 * units.float() - 1
        codes = 0.1 * torch.randn(count, frames, self.channels, generator=self.generator)
        codes[..., 0] += 2 * signs
        latents = torch.full((count, frames, 3, 8, 8), 0.5)
        latents[..., 4:, :] = signs[..., None, None, None]
        return units, codes, latents

    @staticmethod
    def hidden(latents):
        """Latents without their lower half."""
        masked = latents.clone()
        masked[..., 4:, :] = 0
        return masked

    def train(self, model, steps, rate):
        """Steps of the UNet on batches of 16 frames."""
        optimiser = torch.optim.Adam(model.unet.parameters(), rate, fused=True)
        for _ in range(steps):
            _, codes, latents = self.windows(4)
            frames = torch.rand(codes.shape[:2], generator=self.generator).argsort(1)[:, :4]
            faces = latents[torch.arange(4)[:, None], frames].flatten(0, 1)
            found, wanted = model.denoise(faces, self.hidden(faces), torch.zeros_like(faces), codes, frames)
            optimiser.zero_grad()
            (found - wanted).square().mean().backward()
            optimiser.step()

    @torch.no_grad()
    def score(self, model):
        """Share of the frames whose drawn lower half tells the unit that their code tells."""
        units, codes, latents = self.windows(4)
        masked, tokens = self.hidden(latents.flatten(0, 1)), model.conditions(codes).flatten(0, 1)
        start = draw_noise((1, 3, 8, 8), False).expand(masked.shape)
        found = sample(lambda z, step: model.unet(z, step, masked, torch.zeros_like(z), tokens), start, 5, model.predicts)
        return float(((found[:, :, 4:].mean((1, 2, 3)) > 0) == units.flatten()).float().mean())

"""Diffusion of latents: how they are noised in training, and how a sampler gets from noise to latents (arXiv 2006.11239).

1000 steps and betas of 0.0015 to 0.0195, evenly spaced in their square roots, are those of the published code.
"""

import torch

from models.au.library import needing_diffusers

STEPS = 1000
FIRST_BETA, LAST_BETA = 0.0015, 0.0195
PREDICTS = ("noise", "velocity")
SEED = 12345  # of steps and noise outside training


def kept(steps):
    """Share of the latents' variance that is left at each step: (N,) int64 -> (N, 1, 1, 1) float32 in (0, 1)."""
    betas = torch.linspace(FIRST_BETA**0.5, LAST_BETA**0.5, STEPS, device=steps.device).square()
    return (1 - betas).cumprod(0)[steps][:, None, None, None]


def noised(latents, noise, steps):
    """Latents (N, 3, h, w) float and noise of the same shape, at steps (N,) int64 -> (N, 3, h, w) float."""
    share = kept(steps)
    return share.sqrt() * latents + (1 - share).sqrt() * noise


def wanted_of(predicts, latents, noise, steps):
    """What the network should say: the noise, or the velocity (arXiv 2202.00512), all (N, 3, h, w) float."""
    if predicts == "noise":
        return noise
    share = kept(steps)
    return share.sqrt() * noise - (1 - share).sqrt() * latents


def draw_steps(count, training, device="cpu"):
    """Steps of `count` frames: (count,) int64 on a device.

    In training each is drawn by itself. Outside training they lie evenly in mixed order, always the same, so that values of
    validations compare.
    """
    if training:
        return torch.randint(0, STEPS, (count,), device=device)
    order = torch.randperm(count, generator=fixed_generator())
    return ((order + 0.5) * STEPS / count).long().to(device)


def draw_noise(shape, training, device="cpu", seed=SEED):
    """Normal noise, float32 on a device; outside training the same for one shape and seed on all devices."""
    if training:
        return torch.randn(shape, device=device)
    return torch.randn(shape, generator=fixed_generator(seed)).to(device)


def fixed_generator(seed=SEED):
    """Generator of the CPU that always begins alike."""
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def sample(predict, start, steps, predicts):
    """DDIM without noise on the way (eta 0, arXiv 2010.02502), with the sampler of diffusers.

    The steps lie evenly and the first of them is the last of training, where latents are all noise (ours; the published
    sampler begins 1000 / steps below it).

    Args:
        predict: function of latents (N, 3, h, w) float32 and a step (int) -> what the network says, (N, 3, h, w) float.
        start: (N, 3, h, w) float32 noise; steps: 1 to 1000; predicts: one of PREDICTS.

    Returns:
        (N, 3, h, w) float32 latents.
    """
    with needing_diffusers():
        from diffusers import DDIMScheduler
    scheduler = DDIMScheduler(
        num_train_timesteps=STEPS,
        beta_start=FIRST_BETA,
        beta_end=LAST_BETA,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type={"noise": "epsilon", "velocity": "v_prediction"}[predicts],
        timestep_spacing="trailing",
    )
    scheduler.set_timesteps(steps)
    latents, found = start, None
    for step in scheduler.timesteps.tolist():
        found = scheduler.step(predict(latents, step).float(), step, latents, eta=0.0)
        latents = found.prev_sample
    return found.pred_original_sample  # after the last step a little noise may be left

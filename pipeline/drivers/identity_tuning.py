"""A few steps of training on the picture of a person before the first frame is drawn, as the published code of DAVS does.

Facts of the published code (arXiv 1807.07860, its test models): the identity encoder and the decoder take five steps. The face
is drawn from the picture and a code: in step k that of the k-th frame of the sound, or, where a video is followed, that of the
picture's own lips in every step. The loss is 4 times the mean absolute difference from the picture, with the mouth box weighed
by 0.001; each step has a new Adam (rate 2e-4, beta1 0.9). Ours: batch norms keep their running statistics, and the published
code's first picture alone is drawn with norms in training mode.
"""

import copy
from contextlib import contextmanager

import torch

from losses.regions import REGIONS, cut
from models.precision import exact_products

RATE, BETAS = 2e-4, (0.9, 0.999)
WEIGHT, MOUTH_WEIGHT = 4.0, 1e-3
TRAINED = ("identity_encoder", "decoder")


def tuned_parts(network, picture, codes, steps):
    """Copies of identity encoder and decoder of a DAVS network, trained on one picture in float32, deterministically.

    Args:
        network: models.davs.Davs of the stage "generate", float32, in eval mode; left as it is.
        picture: (1, 3, S, S) float32 in [0, 1], on its device.
        codes: (K, D) float32, K >= 1: of the first frames of the sound, or of the picture's own lips; after the last one they
            begin again.
        steps: int >= 1.

    Returns:
        {"identity_encoder": nn.Module, "decoder": nn.Module}, in eval mode.
    """
    parts = {name: copy.deepcopy(getattr(network, name)).requires_grad_(True) for name in TRAINED}
    tuned = with_parts(network, parts)
    trained = [parameter for part in parts.values() for parameter in part.parameters()]
    weights = _weights(picture)
    cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with _one_thread(picture.device), cudnn, exact_products(), torch.enable_grad():
        for step in range(steps):
            optimiser = torch.optim.Adam(trained, lr=RATE, betas=BETAS)
            drawn = tuned.draw(tuned.identify(picture), codes[step % len(codes)][None])
            loss = WEIGHT * (weights * (drawn - picture).abs()).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return {name: part.requires_grad_(False) for name, part in parts.items()}


def with_parts(network, parts):
    """The same network with other children in the places of some: {name: nn.Module}; all else is shared, nothing is copied."""
    other = copy.copy(network)
    other._modules = {**network._modules, **parts}
    return other


@contextmanager
def _one_thread(device):
    """On a CPU gradients of several threads differ in the last digit from call to call, and Adam's first step enlarges that."""
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _weights(picture):
    """(S, S) of a (1, 3, S, S) picture: 1, and MOUTH_WEIGHT inside the published mouth box."""
    weights = torch.ones(picture.shape[-2:], device=picture.device)
    cut(weights, REGIONS["davs_mouth"]).fill_(MOUTH_WEIGHT)
    return weights

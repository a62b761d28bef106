"""What the tests of lipwarp share: a lip motion network as small as can be, with weights that move lips visibly."""

import torch

from models import build_model
from training.checkpoint import save_checkpoint

SMALL = {"name": "lip_motion", "features": "mel", "hears": ["all"], "width": 8}


def save_motion(path, **options):
    """A seeded checkpoint that hears the mel, so that no package beside the project's own is needed."""
    torch.manual_seed(0)
    network = {**SMALL, **options}
    model = build_model(network)
    with torch.no_grad():
        for net in model.nets:
            net.leave.weight.mul_(4)
        if model.audio_gate is not None:
            model.audio_gate.table.update(torch.tensor([0, 1]), torch.tensor([0.2, 0.8]), torch.tensor([True, True]))
            model.audio_gate.beta.fill_(1.0)
    save_checkpoint(path, model, {"model": network, "data": {}, "training": {}})
    return path

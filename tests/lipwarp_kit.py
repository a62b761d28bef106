"""What the tests of lipwarp share: a lip motion network as small as can be, with weights that move lips visibly."""

import torch

from models import build_model
from training.checkpoint import save_checkpoint

SMALL = {"name": "lip_motion", "features": "mel", "hears": ["all"], "width": 8}


def save_motion(path):
    """A seeded checkpoint that hears the mel, so that no package beside the project's own is needed."""
    torch.manual_seed(0)
    model = build_model(SMALL)
    with torch.no_grad():
        for net in model.nets:
            net.leave.weight.mul_(4)
    save_checkpoint(path, model, {"model": SMALL, "data": {}, "training": {}})
    return path

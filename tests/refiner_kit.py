"""Small lip refiners with weights that do something."""

import torch

from models import build_model
from training.checkpoint import save_checkpoint

MODEL = {"name": "lip_refiner", "face_size": 192, "width": 0.25, "paints": True}


def small_refiner(heads=0.0):
    """A network of random weights; `heads`: standard deviation of those of its last layers, 0 in a fresh one."""
    torch.manual_seed(0)
    model = build_model(MODEL).eval()
    with torch.no_grad():
        for head in model.heads():
            head.weight.normal_(0, heads)
    return model


def save_refiner(path, heads=0.0):
    """Write `small_refiner` as a checkpoint."""
    save_checkpoint(path, small_refiner(heads), {"model": MODEL, "data": {"crop": "aligned"}})

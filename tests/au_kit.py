"""Small networks of action units, and batches for them."""

import torch

from common.action_units import UNITS
from models import build_model

SMALL = {"name": "action_units", "face_size": 96, "width": 0.125}


def units(**options):
    """A small network in training mode."""
    torch.manual_seed(0)
    return build_model({**SMALL, **options})


def batch_of(face_size=96, items=2, frames=3, columns=28, seed=0):
    """A batch of random fields; the last frame of the last window has unknown units where there are two frames or more."""
    generator = torch.Generator().manual_seed(seed)
    known = torch.ones(items, frames, dtype=torch.bool)
    known[-1, -1] = frames == 1
    return {"face": torch.rand(items, frames, 3, face_size, face_size, generator=generator),
            "mfcc": 10 * torch.randn(items, frames, columns, 12, generator=generator),
            "identity_face": torch.rand(items, 3, face_size, face_size, generator=generator),
            "action_units": (torch.rand(items, frames, len(UNITS), generator=generator) > 0.6).float(),
            "action_units_known": known}  # fmt: skip

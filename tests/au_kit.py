"""Small networks of action units, batches for them, and action units beside the clips of a corpus."""

import json

import numpy as np
import torch

from common.action_units import UNITS
from datasets.action_units import KIND
from datasets.clip_files import write_side
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


def add_units(folder, seed=0):
    """Write random action units beside all clips of a corpus and enter them in its manifest; returns the folder."""
    path, rng = folder / "manifest.jsonl", np.random.default_rng(seed)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        known = rng.random(row["frames"]) > 0.1
        intensity = np.where(known[:, None], 5 * rng.random((row["frames"], len(UNITS))), 0).astype(np.float32)
        arrays = {"present": (intensity > 3).astype(np.uint8), "intensity": intensity, "known": known}
        write_side(folder, KIND, row["id"], arrays, {})
        row["side"] = {**row.get("side", {}), KIND: {"from": "geometry"}}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder

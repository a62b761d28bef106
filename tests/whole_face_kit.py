"""A portrait method as small as can be, registered for a test: one picture and a driving video in, whole aligned crops out.

Its code of a driving frame is the mean colour of that frame's crop; it draws the identity picture with its colours scaled by
speech code times pose code. So a test can tell which driving frame has reached which frame of the result.
"""

import numpy as np
import torch
from torch import nn

import models
import pipeline.drivers as drivers
from faces.crops import CropSpec
from models.network import Network
from pipeline.drivers.driver import Driver
from pipeline.drivers.precision import PRECISIONS
from training.checkpoint import save_checkpoint

SIDE = 64


class WholeFace(Network):
    """Identity (B, 3, S, S) in [0, 1] and code (B, 3) -> face (B, 3, S, S) in [0, 1]."""

    role = "a portrait generator"

    def __init__(self, face_size=SIDE):
        super().__init__()
        self.face_size = face_size
        self.gain = nn.Parameter(torch.tensor(2.0))

    def encode(self, crops):
        """(B, 3, S, S) -> (B, 3)."""
        return crops.mean((2, 3))

    def forward(self, identity, code):
        return (identity * code[..., None, None] * self.gain).clamp(0, 1)


class WholeFaceDriver(Driver):
    """The driver of WholeFace; `log` holds what the pipeline has asked of it."""

    pastes = "face"
    needs = frozenset({"drive"})
    can = frozenset({"sound", "drive", "pose"})

    def __init__(self, checkpoint, *, device, precision, compat=None):
        crop = CropSpec("aligned", checkpoint.model.face_size)
        super().__init__(checkpoint, crop=crop, device=device, precision=precision, compat=compat)
        self._model, self._dtype = checkpoint.model.to(PRECISIONS[precision]), PRECISIONS[precision]
        self.log = []
        MADE.append(self)

    def listen(self, driving, fps, frames):
        self.log.append(("listen", frames, torch.backends.cudnn.allow_tf32))
        codes = self._codes(driving.speech)[driving.speech.shown(fps, frames)]
        if driving.pose is not None:
            codes = codes * self._codes(driving.pose)[driving.pose.shown(fps, frames, "pingpong")]
        return codes

    @torch.inference_mode()
    def look(self, scene, codes):
        frames = scene.pictures(scene.references)
        self.log.append(("look", frames.shape, torch.backends.cudnn.allow_tf32))
        return self._planes(frames)

    @torch.inference_mode()
    def draw(self, state, codes, frames, numbers):
        self.log.append(("draw", len(codes), frames.shape, torch.backends.cudnn.allow_tf32))
        faces = self._model(state, codes).float().mul(255).round().to(torch.uint8)
        return faces.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    @torch.inference_mode()
    def _codes(self, video):
        return torch.cat([self._model.encode(self._planes(crop[None])) for crop in video.crops(self.crop)])

    def _planes(self, crops):
        planes = torch.from_numpy(np.ascontiguousarray(crops)).to(self.device).permute(0, 3, 1, 2)
        return planes.to(self._dtype) / 255


class PictureDriver(WholeFaceDriver):
    """The same, for pictures that belong in no frame."""

    pastes = None


MADE = []  # drivers in the order in which they were loaded


def register(monkeypatch, driver=WholeFaceDriver):
    """Put network and driver into their tables, for one test."""
    monkeypatch.setitem(models.MODELS, "whole_face", WholeFace)
    monkeypatch.setitem(drivers.DRIVERS, "whole_face", driver)
    MADE.clear()


def save_whole_face(path):
    """A checkpoint of it, while it is registered."""
    config = {"name": "whole_face", "face_size": SIDE}
    save_checkpoint(path, models.build_model(config), {"model": config, "data": {}, "training": {}})
    return path

"""A portrait method as small as can be, from field to driver. docs/architecture.md repeats its middle part."""

import torch
from torch import nn

from datasets.fields.registry import FIELDS, register
from faces.crops import CropSpec
from models.network import Network
from pipeline.drivers.driver import Driver
from pipeline.drivers.precision import PRECISIONS
from speech.windows import mel_windows


# example
class Portrait(Network):  # models/portrait.py, and its name in models.MODELS
    role, needs, gives = "a portrait network", ("identity_face", "loudness"), ("face",)

    def __init__(self, face_size=96):
        super().__init__()
        self.face_size, self.rows = face_size, nn.Linear(1, 3 * face_size)

    def draw(self, portrait, loudness):  # (N, 3, S, S), (N, 1) -> (N, 3, S, S)
        return (portrait + self.rows(loudness).view(-1, 3, self.face_size, 1)).clamp(0, 1)

    def forward(self, batch):
        loudness = batch["loudness"]  # (B, T, 1)
        portrait = batch["identity_face"].repeat_interleave(loudness.shape[1], 0)
        return {"face": self.draw(portrait, loudness.flatten(0, 1)).unflatten(0, loudness.shape[:2])}


@register("loudness", "(T, 1)", "float32", "[-4, 4]", "mean of the mel window of each frame")  # datasets/fields/portrait.py
def loudness(window):
    return mel_windows(window.clip["mel"], window.frames, window.row.fps).mean((1, 2))[:, None]


class PortraitDriver(Driver):  # pipeline/drivers/portrait.py, and its name in pipeline.drivers.DRIVERS
    pastes = "face"

    def __init__(self, checkpoint, **how):
        super().__init__(checkpoint, crop=CropSpec("aligned", checkpoint.model.face_size), **how)
        self.model, self.dtype = checkpoint.model.to(PRECISIONS[self.precision]), PRECISIONS[self.precision]

    def listen(self, driving, fps, frames):
        loudness = mel_windows(driving.sound.mel, range(frames), fps).mean((1, 2))[:, None]
        return torch.from_numpy(loudness).to(self.device, self.dtype)

    def look(self, scene, codes):
        pictures = torch.from_numpy(scene.pictures(scene.references))
        return pictures.to(self.device, self.dtype).permute(0, 3, 1, 2) / 255

    @torch.inference_mode()
    def draw(self, state, codes, frames, numbers):
        return (self.model.draw(state, codes) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
# end


LOUDNESS = FIELDS.pop("loudness")  # the tests put it back for as long as they need it
CONFIG = {"model": {"name": "portrait"}, "losses": {"lips": {"loss": "l1", "region": "mouth", "weight": 1.0}}}

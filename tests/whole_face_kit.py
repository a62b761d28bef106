"""A portrait method as small as can be, registered for a test: one picture and a driving video in, whole aligned crops out.

Its code of a driving frame is the mean colour of that frame's crop; it draws the identity picture with its colours scaled by
speech code times pose code. So a test can tell which driving frame has reached which frame of the result.
"""

import numpy as np
import torch
from PIL import Image
from torch import nn

import models
import pipeline.drivers as drivers
from faces.crops import CropSpec
from models.network import Network
from pipeline.drivers.driver import Driver
from pipeline.drivers.precision import PRECISIONS
from tests.inference_kit import OWN, PUBLIC, blank, infer, moving_portrait, portrait, save_tiny, tone, write_video, write_wav
from training.checkpoint import save_checkpoint

SIDE = 64


def lit(count, low=0.4, high=1.0):
    """The portrait, from dim to bright."""
    return [np.rint(portrait() * share).astype(np.uint8) for share in np.linspace(low, high, count)]


def write_videos(folder):
    """Write faces, driving videos and checkpoints into a folder, which is returned.

    face.png, face.mp4 (15 frames, 30 a second), drive.mp4 (20 frames with 0.8 s of sound), silent.mp4 (10 frames), pose.mp4
    (5 frames), wall.mp4 (no face, with sound), a.wav (0.4 s); mouth and public.safetensors.
    """
    Image.fromarray(portrait()).save(folder / "face.png")
    write_video(folder / "face.mp4", moving_portrait(15), fps=30)
    write_video(folder / "drive.mp4", lit(20), audio=tone(0.8))
    write_video(folder / "silent.mp4", lit(10))
    write_video(folder / "pose.mp4", lit(5, 1.0, 0.5))
    write_video(folder / "wall.mp4", [blank()] * 3, audio=tone(0.1))
    write_wav(folder / "a.wav", tone(0.4))
    save_tiny(folder / "mouth.safetensors", OWN)
    save_tiny(folder / "public.safetensors", PUBLIC)
    return folder


def job_on(folder, outfile):
    """Function that runs inference.py on files of a folder, and returns the exit code.

    Files are given by the names of their flags; the face is face.png unless another is given.
    """

    def run_it(*flags, checkpoint="whole", **named):
        named = {"face": "face.png", **named}
        paths = [part for name, value in named.items() if value for part in (f"--{name}", folder / value)]
        return infer(*paths, "--checkpoint_path", folder / f"{checkpoint}.safetensors", "--outfile", outfile,
                     "--cache_dir", folder / "cache", *flags)  # fmt: skip

    return run_it


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

"""What the tests of driving with motion share: a network without weights, whose codes and faces can be told by hand.

It stands in for models.motion in the table of networks. Its code of the pose is the mean red and the mean blue of a crop, its
mouth feature the mean green, or the mean of a window of sound. It draws the picture of the identity, moved by the difference
between the pose that is asked for and the picture's own, with the mouth feature added to the green of the lower half.
"""

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn

import models
from models.network import Network
from tests.inference_kit import OWN, blank, moving_portrait, portrait, save_tiny, tone, write_video, write_wav
from tests.test_pipeline_shots import other_portrait
from tests.whole_face_kit import lit
from training.checkpoint import save_checkpoint

SIDE = 64
MOVED = 1.0  # half crops by which a difference of 1 moves the picture


class Seen(NamedTuple):
    """Identity of the stand-in: the picture (N, 3, S, S) and its pose (N, 2)."""

    code: torch.Tensor
    maps: torch.Tensor


class StandIn(Network):
    """See above; `tint` is a factor on what is drawn."""

    role = "a motion network"

    def __init__(self, stage="generate", face_size=SIDE, tint=1.0):
        super().__init__()
        self.stage, self.face_size = stage, face_size
        self.tint = nn.Parameter(torch.tensor(tint))

    def identify(self, faces):
        return Seen(self.pose(self.watch(faces)), faces)

    def watch(self, faces):
        return faces.mean((2, 3))

    def mouth(self, features):
        return features[:, 1:2]

    def amplified(self, mouth, gain):
        return mouth * gain

    def pose(self, features):
        return features[:, [0, 2]]

    def hear(self, log_mel):
        return log_mel.mean((1, 2, 3))[:, None]

    def paint(self, identity, mouth, pose):
        away = pose - identity.code
        turn = torch.eye(2, dtype=away.dtype, device=away.device).expand(len(away), 2, 2)
        grid = nn.functional.affine_grid(torch.cat([turn, -MOVED * away[..., None]], 2), (len(away), 3, *(self.face_size,) * 2),
                                         align_corners=False)  # fmt: skip
        picture = identity.maps.expand(len(away), -1, -1, -1)
        faces = nn.functional.grid_sample(picture, grid, padding_mode="border", align_corners=False) * self.tint
        faces[:, 1, self.face_size // 2 :] += 0.1 * mouth[:, :, None]
        return faces.clamp(0, 1)


def register(monkeypatch):
    """Put the stand-in in the place of models.motion, for one test or module."""
    monkeypatch.setitem(models.MODELS, "pcavs", StandIn)


def save_motion(path, data=None, **options):
    """A checkpoint of it, while it is registered."""
    config = {"name": "pcavs", **options}
    data = {"crop": "pcavs"} if data is None else data
    save_checkpoint(path, models.build_model(config), {"model": config, "data": data, "training": {}})
    return path


def write_motion_job(folder):
    """Write into a folder, which is returned:

    face.png, two.png (two faces), face.mp4 (6 frames), pose.mp4 (7 frames, 30 a second, darker and darker), drive.mp4 (8 frames
    with 0.32 s of sound), cut.mp4 (shots of 3 and of 6 frames), early.mp4 (3 frames with 0.8 s of sound), wall.mp4 (no face),
    a.wav (0.4 s), and the checkpoints motion, tinted, speech (a stage that draws nothing), boxed (of other crops) and mouth.
    """
    Image.fromarray(portrait()).save(folder / "face.png")
    Image.fromarray(np.concatenate([portrait(), other_portrait()], 1)).save(folder / "two.png")
    write_video(folder / "face.mp4", moving_portrait(6))
    write_video(folder / "pose.mp4", lit(7, 1.0, 0.6), fps=30)
    write_video(folder / "drive.mp4", lit(8, 0.6, 1.0), audio=tone(0.32))
    write_video(folder / "cut.mp4", lit(3, 0.9, 1.0) + [other_portrait()] * 6)
    write_video(folder / "early.mp4", lit(3), audio=tone(0.8))
    write_video(folder / "wall.mp4", [blank()] * 3)
    write_wav(folder / "a.wav", tone(0.4))
    for name, options in (("motion", {}), ("tinted", {"tint": 0.8}), ("speech", {"stage": "speech"})):
        save_motion(folder / f"{name}.safetensors", **options)
    save_motion(folder / "boxed.safetensors", {"crop": "box"})
    save_tiny(folder / "mouth.safetensors", OWN)
    return folder

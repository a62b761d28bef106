"""For the tests of benchmarks/motion: clips whose sound, mouth and head are known, and a network that knows them.

The tone of the sound is as high as the mouth is open, and the lower face as bright. Two patches at the top of a crop are as
bright as the head is turned and raised. The upper face has the colour of the person.
"""

import json

import numpy as np
import torch
from torch import nn

from benchmarks.held_out.drive import Footage
from datasets.clip_files import clip_path, write_clip
from datasets.prepared import FORMAT, ClipRow
from datasets.preparing.settings import PrepareSettings
from faces.landmarks import STABLE
from metrics.formulas.head_pose import MEAN_HEAD
from models.network import Network
from speech.mel import mel_filter_bank
from tests.action_units_kit import speaking
from training.checkpoint import save_checkpoint

SIDE, FRAMES = 64, 32
PATCHES = slice(0, 8), slice(0, 24), slice(40, 64)  # rows; columns of yaw, of pitch
PERSON = slice(12, 25)  # rows whose colour tells who it is
BINS = 20, 40  # of the log mel: of the lowest tone, and from there to the highest
SPLITS = ("train", "test", "test", "unseen", "unseen", "unseen")


def make_moving_corpus(folder, *, splits=SPLITS, people=3, sound=True, size=SIDE):
    """Write clips; returns the folder. Heads go round in a circle of yaw and pitch, so that every clip has all poses."""
    folder.mkdir(parents=True)
    settings = {**PrepareSettings(size=size).as_json(), "crop": "pcavs"}
    if not sound:
        settings["sound"] = "none"
    (folder / "corpus.json").write_text(json.dumps({"format": FORMAT, "settings": settings}))
    lines = []
    for number, split in enumerate(splits):
        rng, person = np.random.default_rng(number), number % people + 1
        row = ClipRow(f"p{person}/c{number}", f"p{person}", split, frames=FRAMES, seconds=FRAMES / 25)
        mouth = np.convolve(rng.uniform(0, 1, FRAMES + 4), np.ones(5) / 5, "valid")
        mouth = (mouth - mouth.min()) / np.ptp(mouth)
        turn = 2 * np.pi * (np.arange(FRAMES) / 16 + rng.uniform())
        angles = np.stack([15 * np.sin(turn), 8 * np.cos(turn)], 1)
        arrays = {
            "face": crops_like(25 * person / 255, mouth, angles, rng, size),
            "landmarks": landmarks_like(angles),
            "matrix": np.tile(np.eye(2, 3), (FRAMES, 1, 1)),
            "interpolated": np.zeros(FRAMES, bool),
            "mel": np.zeros((80, 110), np.float32),
            "mfcc": np.zeros((13, 130), np.float32),
        }
        if sound:
            arrays["waveform"] = (8000 * tones(mouth)).astype(np.int16)
        write_clip(clip_path(folder, row.id), arrays, {"format": FORMAT, "id": row.id, "fps": "25"})
        lines.append(json.dumps(vars(row)))
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def crops_like(colour, mouth, angles, rng, size=SIDE):
    """(N, S, S, 3) uint8 of a colour in [0, 1], mouths (N,) in [0, 1] and (N, 2) yaw and pitch in degrees, with some noise."""
    told = torch.from_numpy(np.stack([mouth, *angles.T], 1)).float()
    drawn = paint(torch.full((1,), float(colour)), told, size).permute(0, 2, 3, 1).numpy() * 255
    return (drawn + rng.uniform(-2, 2, drawn.shape)).round().clip(0, 255).astype(np.uint8)


def paint(colour, told, size=SIDE):
    """(1,) or (N,) colours, (N, 3) openness, yaw and pitch -> (N, 3, S, S) float32 in [0, 1]."""
    faces = colour.view(-1, 1, 1, 1).expand(len(told), 3, size, size).clone()
    faces[:, :, size // 2 :] = (0.2 + 0.6 * told[:, 0])[:, None, None, None]
    for at, columns in enumerate(PATCHES[1:]):
        faces[:, :, PATCHES[0], columns] = (0.5 + told[:, 1 + at] / 60)[:, None, None, None]
    return faces.clamp(0, 1)


def read(faces):
    """(N, 3, S, S) float in [0, 1] -> (N, 3) openness, yaw and pitch."""
    mouth = (faces[:, :, faces.shape[2] // 2 :].mean((1, 2, 3)) - 0.2) / 0.6
    angles = [(faces[:, :, PATCHES[0], columns].mean((1, 2, 3)) - 0.5) * 60 for columns in PATCHES[1:]]
    return torch.stack([mouth, *angles], 1)


def landmarks_like(angles):
    """(N, 68, 2) float32 crop pixels of a face with (N, 2) yaw and pitch in degrees."""
    points = np.repeat(speaking(1, from_frame=1)[:1], len(angles), 0).astype(np.float64)
    yaw, pitch = np.radians(angles).T
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)
    turned = np.array([[np.cos(yaw), zero, -np.sin(yaw)], [zero, one, zero], [np.sin(yaw), zero, np.cos(yaw)]])
    raised = np.array([[one, zero, zero], [zero, np.cos(pitch), np.sin(pitch)], [zero, -np.sin(pitch), np.cos(pitch)]])
    rotation = np.einsum("ijn,jkn->nik", turned, raised)
    eyes = points[0, 36:48]
    head = np.einsum("nij,pj->npi", rotation, MEAN_HEAD)[..., :2]
    points[:, list(STABLE)] = eyes.mean(0) + head * np.ptp(eyes[:, 0]) / 2
    return points.astype(np.float32)


def tones(mouth):
    """(640 N,) float64 sound of (N,) mouths in [0, 1]."""
    centres = mel_filter_bank(1280, 125.0, 7600.0).argmax(1) * 16000 / 1280
    moments = np.arange(640 * len(mouth)) / 640 - 0.5 + 0.035 * 25  # the published window lies 35 ms before its frame
    height = np.interp(moments, np.arange(len(mouth)), mouth)
    return np.sin(2 * np.pi * np.cumsum(np.interp(BINS[0] + BINS[1] * height, np.arange(80), centres)) / 16000)


class KnowingMotion(Network):
    """Stands for a trained models.motion.network.PcAvs.

    Args:
        deaf: it hears nothing; stiff: it draws one mouth and one pose; copies: it draws the same person whoever is asked for.
    """

    role = "a stand-in for a motion network"

    def __init__(self, stage="generate", face_size=SIDE, deaf=False, stiff=False, copies=False):
        super().__init__()
        self.stage, self.face_size, self.deaf, self.stiff, self.copies = stage, face_size, deaf, stiff, copies
        self.gain = nn.Parameter(torch.ones(()))

    def hear(self, log_mel):
        """(N, 1, 80, 20) -> (N, 2): how high the tone in the middle of the window is, and a constant."""
        loud = torch.softmax(40 * log_mel[:, 0, :, 9:12].mean(2), 1)
        mouth = ((loud * torch.arange(80)).sum(1) - BINS[0]) / BINS[1]
        return self._feature(torch.full_like(mouth, 0.5) if self.deaf else mouth)

    def amplified(self, mouth, gain):
        """(N, 2), its first number `gain` times as far from the middle."""
        return torch.cat([mouth[:, :1] * gain, mouth[:, 1:]], 1)

    def watch(self, faces):
        """(N, 3, S, S) -> (N, 3) openness, yaw, pitch."""
        return read(faces)

    def mouth(self, features):
        """(N, 3) -> (N, 2)."""
        return self._feature(features[:, 0])

    def _feature(self, mouth):
        return torch.stack([self.gain * (mouth - 0.5), torch.full_like(mouth, 0.01)], 1)

    def pose(self, features):
        """(N, 3) -> (N, 2)."""
        return features[:, 1:]

    def identify(self, faces):
        """(N, 3, S, S) -> (N,) colour of the upper face."""
        colour = faces[:, :, PERSON].mean((1, 2, 3))
        return torch.zeros_like(colour) if self.copies else colour

    def paint(self, identity, mouth, pose):
        """(1,), (N, 2), (N, 2) -> (N, 3, S, S)."""
        told = torch.cat([mouth[:, :1] + 0.5, pose], 1)
        return paint(identity, told.new_tensor([[0.5, 0, 0]]).expand_as(told) if self.stiff else told, self.face_size)


def save_motion(path, run="motion", **options):
    """A checkpoint of KnowingMotion, while it stands in the table of networks; returns the path."""
    training = {"config": {"name": run, "train": {"seed": 3}, "data": {"corpus": "c"}}, "step": 7}
    model = {"name": "pcavs", "face_size": SIDE, **options}
    network = KnowingMotion(face_size=SIDE, **options)
    save_checkpoint(path, network, {"model": model, "data": {"crop": "pcavs"}, "training": training})
    return path


def read_heads(crops, detector):
    """Stands for the landmark detector."""
    told = read(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255).double().numpy()
    return Footage(crops, landmarks_like(told[:, 1:]).astype(np.float64), told[:, 0])

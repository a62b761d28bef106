"""For the tests of DAVS's benchmarks: a corpus of two words that sound and look different, and a network that knows them."""

import json
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from benchmarks.held_out.drive import Footage
from datasets.clip_files import clip_path, write_clip, write_side
from datasets.prepared import FORMAT, ClipRow
from datasets.preparing.settings import PrepareSettings
from datasets.words import KIND, extend_vocabulary
from models.network import Network
from training.checkpoint import save_checkpoint

SIDE, FRAMES = 64, 60
WORDS = ("a", "bin")
TONES = {"a": 500, "bin": 3000}  # Hz
BRIGHTNESS = {"a": 60, "bin": 200}
HIGH, NOISE = -12.0, -9.4  # first coefficient: of high tones below, of low ones above HIGH; of quiet noise about NOISE
SPLITS = ("train", "train", "train", "train", "val", "test", "test", "test", "unseen")


def make_spoken_corpus(folder, *, splits=SPLITS, people=3, crop="aligned", vocabulary=WORDS, pause=0, named="s{}"):
    """Write sentences of two words, a tone and a brightness of the lower face each; returns the folder.

    A word takes half of the clip, less the first `pause` frames, which are quiet noise and a mouth at rest. The upper face has
    the colour of the person, of whom there are `people`, called as `named` says.
    """
    folder.mkdir(parents=True)
    settings = {**PrepareSettings(size=SIDE).as_json(), "crop": crop}
    (folder / "corpus.json").write_text(json.dumps({"format": FORMAT, "settings": settings}))
    lines = []
    for number, split in enumerate(splits):
        rng = np.random.default_rng(number)
        person = number % people + 1 if split != "unseen" else 9
        speaker = named.format(person)
        row = ClipRow(f"{speaker}/c{number}", speaker, split, frames=FRAMES, seconds=FRAMES / 25)
        row.side = {KIND: {"from": "given"}}
        words = list(WORDS if number % 2 else WORDS[::-1])
        halves = [np.full((FRAMES // 2, SIDE, SIDE, 3), 25 * person, np.uint8) for _ in words]
        for half, word in zip(halves, words, strict=True):
            half[:, SIDE // 2 :] = BRIGHTNESS[word]
        halves[0][:pause, SIDE // 2 :] = BRIGHTNESS["a"]
        face = np.concatenate(halves).astype(int) + rng.integers(-5, 6, (FRAMES, SIDE, SIDE, 3))
        time = np.arange(FRAMES // 2 * 640) / 16000
        sound = np.concatenate([np.sin(2 * np.pi * TONES[word] * time) for word in words])
        sound[: pause * 640] = 0
        arrays = {
            "face": face.clip(0, 255).astype(np.uint8),
            "landmarks": np.zeros((FRAMES, 68, 2), np.float32),
            "matrix": np.tile(np.eye(2, 3), (FRAMES, 1, 1)),
            "interpolated": np.zeros(FRAMES, bool),
            "mel": np.zeros((80, 200), np.float32),
            "mfcc": np.zeros((13, 240), np.float32),
            "waveform": (sound * 8000 + rng.normal(0, 30, len(sound))).astype(np.int16),
        }
        write_clip(clip_path(folder, row.id), arrays, {"format": FORMAT, "id": row.id, "fps": "25"})
        half = FRAMES / 50
        times = {"word_times": np.array([[pause / 25, half], [half, 2 * half]])}
        write_side(folder, KIND, row.id, times, {}, {"words": words})
        lines.append(json.dumps(vars(row)))
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    extend_vocabulary(folder, set(vocabulary))
    return folder


class KnowingDavs(Network):
    """Stands for a trained models.davs.Davs: its codes tell the word, by the tone and by the brightness of the lower face.

    Args:
        leaks: its identity codes tell the word, too.
        deaf: its audio codes tell nothing; stiff: it draws the same mouth for all codes; restless: what it hears in quiet
            noise changes from frame to frame.
    """

    role = "a stand-in for a DAVS network"
    speech_frames, speech_stride = 12, 2

    def __init__(self, face_size=SIDE, words=2, stage="generate", leaks=False, deaf=False,
                 stiff=False, restless=False):  # fmt: skip
        super().__init__()
        self.face_size, self.words, self.stage = face_size, words, stage
        self.leaks, self.deaf, self.stiff = leaks, deaf, stiff
        self.least = NOISE if restless else HIGH
        self.gain = nn.Parameter(torch.ones(()))

    def hear(self, mfcc):
        """(N, 20, 12) -> (N, 2): whether the first coefficient says that no high tone is heard, and a constant."""
        low = (mfcc[:, 8:12, 0].mean(1) > self.least).float() * (not self.deaf)
        return torch.stack([self.gain * low, 0.1 * torch.ones_like(low)], 1)

    def watch(self, faces):
        """(N, 3, S, S) -> (N, 2): the same of what is seen."""
        dark = (faces[:, :, self.face_size // 2 :].mean((1, 2, 3)) < 0.5).float()
        return torch.stack([self.gain * dark, 0.1 * torch.ones_like(dark)], 1)

    def identify(self, faces):
        """SimpleNamespace(code (N, 2), skip, maps (N, 1, S/4, S/4)): the colour of the upper face."""
        top = faces[:, :, : self.face_size // 2].mean((1, 2, 3))
        word = self.watch(faces)[:, 0] if self.leaks else torch.zeros_like(top)
        maps = top[:, None, None, None].expand(-1, 1, self.face_size // 4, self.face_size // 4)
        return SimpleNamespace(code=torch.stack([top, word], 1), skip=maps, maps=maps)

    def draw(self, identity, codes):
        """Identity of one, (N, 2) -> (N, 3, S, S): the colour of the person, and a lower face as dark as the codes say."""
        faces = identity.skip[:, :1].repeat_interleave(4, 2).repeat_interleave(4, 3).expand(len(codes), 3, -1, -1).clone()
        faces[:, :, self.face_size // 2 :] = (0.9 - 0.7 * codes[:, 0] * (not self.stiff))[:, None, None, None]
        return faces

    def classify(self, codes):
        """(B, N, 2) -> (B, 2) logits."""
        word = codes[..., 0].mean(1) - 0.5 * self.gain
        return torch.stack([word, -word], 1)


def save_knowing(path, run="knowing", **options):
    """A checkpoint of KnowingDavs, while it stands in the table of networks; returns the path."""
    config = {"name": "davs", "face_size": SIDE, "words": 2, **options}
    training = {"config": {"name": run, "train": {"seed": 3}, "data": {"corpus": "c"}}, "step": 7}
    options = {key: value for key, value in config.items() if key != "name"}
    data = {"crop": "aligned", "words": list(WORDS)}
    save_checkpoint(path, KnowingDavs(**options), {"model": config, "data": data, "training": training})
    return path


def read_brightness(crops, detector):
    """Stands for the landmark detector: the mouth is open where the lower face is bright."""
    opening = crops[:, SIDE // 2 :].mean((1, 2, 3)) / 255
    return Footage(crops, np.zeros((len(crops), 68, 2)), opening)


class Colour:
    """Stands for the face network: the colour of the upper face as an angle."""

    @staticmethod
    def load():
        return Colour()

    def __call__(self, frame, landmarks):
        middle = len(frame) // 2
        angle = frame[middle - 60 : middle - 20, middle - 20 : middle + 20].mean() / 80
        return np.array([np.cos(angle), np.sin(angle)])

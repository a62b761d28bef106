"""For the tests of benchmarks/au: sentences whose units are heard and seen, and a network that knows them.

All five units are present where the tone is high and the lower face bright.
"""

import json
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from benchmarks.held_out.drive import Footage
from datasets.action_units import KIND
from datasets.clip_files import write_side
from datasets.prepared import PreparedCorpus, manifest_path
from models.network import Network
from tests.action_units_kit import speaking
from tests.davs_speech_kit import HIGH, SIDE, make_spoken_corpus, read_brightness
from training.checkpoint import save_checkpoint

SPLITS = ("train", "test", "test", "test", "test", "unseen")
BRIGHT = 0.5


def make_unit_corpus(folder, **options):
    """tests.davs_speech_kit.make_spoken_corpus with action units; the first three frames of a sentence are not known."""
    make_spoken_corpus(folder, **{"splits": SPLITS, "people": 3, "pause": 10, **options})
    corpus, lines = PreparedCorpus.open_folder(folder), []
    for row in corpus.rows:
        bright = np.array(corpus.open(row)["face"])[:, SIDE // 2 :].mean((1, 2, 3)) > 255 * BRIGHT
        present = np.repeat(bright[:, None], 5, 1).astype(np.uint8)
        known = np.arange(row.frames) >= 3
        present[~known] = 0
        write_side(folder, KIND, row.id, {"present": present, "intensity": 2 * present.astype(np.float32), "known": known}, {})
        row.side = {**row.side, KIND: {"from": "geometry"}}
        lines.append(json.dumps(vars(row)))
    manifest_path(folder).write_text("\n".join(lines) + "\n")
    return folder


class Heard(nn.Module):
    """Stands for models.au.AudioToUnits: the first coefficient in the middle of the window."""

    def __init__(self, deaf):
        super().__init__()
        self.gain, self.deaf = nn.Parameter(torch.ones(3)), deaf

    def forward(self, mfcc):
        """(N, columns, 12) -> (N, 1) code, (N, 5) logits."""
        middle = mfcc.shape[1] // 2
        high = (mfcc[:, middle - 2 : middle + 2, :1].mean(1) < HIGH).float()
        high = torch.ones_like(high) if self.deaf else high
        return high, self.gain[0] * (high - 0.5).expand(-1, 5)


class Seen(nn.Module):
    """Stands for models.au.UnitClassifier: the brightness of the lower half."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.arange(1.0, 4.0))

    def forward(self, faces):
        """(N, 3, S, S) -> (N, 5) logits."""
        return self.gain[0] * (faces[:, :, faces.shape[2] // 2 :].mean((1, 2, 3)) - BRIGHT)[:, None].expand(-1, 5)


class KnowingUnits(Network):
    """Stands for a trained models.au.ActionUnits.

    Args:
        deaf: it hears the units always; stiff: it draws the same mouth for all codes.
    """

    role = "a stand-in for a network of action units"
    columns = 28

    def __init__(self, stage="fusion", face_size=SIDE, deaf=False, stiff=False):
        super().__init__()
        self.stage, self.face_size, self.stiff = stage, None if stage == "audio" else face_size, stiff
        self.audio_to_units = Heard(deaf) if stage != "classifier" else None
        self.unit_classifier = Seen() if stage != "audio" else None

    def hear(self, mfcc):
        """(N, 28, 12) -> (N, 1)."""
        return self.audio_to_units(mfcc)[0]

    def identify(self, faces):
        """The colour of the upper face."""
        return SimpleNamespace(colour=faces[:, :, : self.face_size // 2].mean((1, 2, 3)))

    def fuse(self, person, features):
        """The features themselves."""
        return features

    def paint(self, person, codes):
        """One person, (N, 1) -> (N, 3, S, S): the colour, and a lower face as bright as the codes say."""
        faces = person.colour.view(1, 1, 1, 1).expand(len(codes), 3, self.face_size, self.face_size).clone()
        faces[:, :, self.face_size // 2 :] = (0.24 + 0.54 * codes[:, 0] * (not self.stiff))[:, None, None, None]
        return faces

    def read_units(self, faces):
        """(N, 3, S, S) -> (N, 5) logits."""
        return self.unit_classifier(faces)


class KnowingRenderer(KnowingUnits):
    """Stands for models.au.ActionUnitsDiffusion: with fewer than ten steps, half of each face is lost."""

    steps = 20

    def draw(self, person, features, masked, steps=None):
        """As `paint`, with the upper halves of the masked frames."""
        assert not masked[:, :, self.face_size // 2 :].any() and masked[:, :, : self.face_size // 2].any()
        faces = self.paint(person, features)
        faces[:, :, : self.face_size // 2] = masked[:, :, : self.face_size // 2]
        return faces if (steps or self.steps) >= 10 else faces / 2


def save_units(path, run="units", kind=KnowingUnits, name="action_units", facts=None, data=None, **options):
    """A checkpoint of `kind`, while it stands in the table of networks; returns the path."""
    training = {"config": {"name": run, "train": {"seed": 3}, "data": {"corpus": "c"}}, "step": 7, "facts": facts or {}}
    model = {"name": name, "face_size": SIDE, **options}
    network = kind(face_size=SIDE, **options)
    data = {"crop": "aligned", "mask_top": 0.5, **(data or {})}
    save_checkpoint(path, network, {"model": model, "data": data, "training": training})
    return path


def read_mouths(crops, detector):
    """Stands for the landmark detector: where the lower face is bright, lips are parted and the jaw is down."""
    found = read_brightness(crops, detector)
    shut, wide = speaking(1, from_frame=1)[0], speaking(1, gap=0.25, chin=0.2, from_frame=0)[0]
    return Footage(crops, np.where((found.opening > BRIGHT)[:, None, None], wide, shut).astype(np.float64), found.opening)

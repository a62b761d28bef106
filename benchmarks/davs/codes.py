"""What a network hears and sees in whole sentences: the codes of each frame, computed once."""

from dataclasses import dataclass, field

import numpy as np
import torch

from datasets.fields.speech import clip_cepstra
from speech.mfcc_windows import mfcc_windows

BATCH = 75  # frames at a time
GRID = 4  # the maps of the identity encoder are averaged over GRID x GRID parts


@dataclass(frozen=True)
class Codes:
    """Codes of one sentence, a row for each of F frames; those that were not asked for, or that the network lacks, are None.

    Attributes:
        audio, video, identity: (F, D) float32.
        maps: (F, C * GRID * GRID) float32, the maps of the identity encoder, averaged over a grid.
    """

    audio: np.ndarray | None = field(repr=False, default=None)
    video: np.ndarray | None = field(repr=False, default=None)
    identity: np.ndarray | None = field(repr=False, default=None)
    maps: np.ndarray | None = field(repr=False, default=None)


@torch.inference_mode()
def codes_of(tested, corpus, row, *, speech=True, identity=False, step=1):
    """Codes of every step-th frame of one sentence.

    Args:
        tested: benchmarks.davs.networks.Tested.
        speech: ask the two encoders of speech; identity: that of identity, where the network has one.
    """
    clip, model, found = corpus.open(row), tested.model, {}
    faces = faces_of(clip)[::step]
    parts = [slice(start, start + BATCH) for start in range(0, len(faces), BATCH)]
    if speech:
        hears = sound_of(clip, row.frames)[::step]
        found["audio"] = torch.cat([model.hear(hears[part]) for part in parts]).numpy()
        found["video"] = torch.cat([model.watch(faces[part]) for part in parts]).numpy()
    if identity and tested.facts["stage"] != "words":
        seen = [model.identify(faces[part]) for part in parts]
        found["identity"] = torch.cat([one.code for one in seen]).numpy()
        found["maps"] = torch.cat([torch.nn.functional.adaptive_avg_pool2d(one.maps, GRID).flatten(1) for one in seen]).numpy()
    return Codes(**found)


def sound_of(clip, count):
    """(count, 20, 12) float32 tensor: what the audio encoder hears in each frame of a prepared clip."""
    return torch.from_numpy(mfcc_windows(clip_cepstra(clip), range(count), 25))


def faces_of(clip):
    """(F, 3, S, S) float32 tensor in [0, 1]: the faces of a prepared clip."""
    return torch.from_numpy(np.array(clip["face"])).permute(0, 3, 1, 2).float() / 255  # channels last

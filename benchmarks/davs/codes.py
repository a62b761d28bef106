"""What a network hears and sees in whole sentences: the codes of each frame, computed once."""

from dataclasses import dataclass, field

import numpy as np
import torch

from speech.mfcc import SYNCNET, mfcc
from speech.mfcc_windows import mfcc_windows

BATCH = 75  # frames at a time
GRID = 4  # the maps of the identity encoder are averaged over GRID x GRID parts
FULL_SCALE = 32767  # of stored samples


@dataclass(frozen=True)
class Codes:
    """Codes of one sentence, a row for each of its F frames; those of encoders that the network lacks are None.

    Attributes:
        audio, video, identity: (F, D) float32.
        maps: (F, C * GRID * GRID) float32, the maps of the identity encoder, averaged over a grid.
    """

    audio: np.ndarray = field(repr=False)
    video: np.ndarray = field(repr=False)
    identity: np.ndarray | None = field(repr=False, default=None)
    maps: np.ndarray | None = field(repr=False, default=None)


@torch.inference_mode()
def codes_of(tested, corpus, row, *, identity=False):
    """Codes of one sentence.

    Args:
        tested: benchmarks.davs.networks.Tested.
        identity: ask the identity encoder, too, where the network has one.
    """
    clip = corpus.open(row)
    hears, faces = sound_of(clip, row.frames), faces_of(clip)
    model = tested.model
    parts = range(0, len(faces), BATCH)
    audio = torch.cat([model.hear(hears[start : start + BATCH]) for start in parts]).numpy()
    video = torch.cat([model.watch(faces[start : start + BATCH]) for start in parts]).numpy()
    if not identity or tested.facts["stage"] == "words":
        return Codes(audio, video)
    seen = [model.identify(faces[start : start + BATCH]) for start in parts]
    maps = [torch.nn.functional.adaptive_avg_pool2d(one.maps, GRID).flatten(1) for one in seen]
    return Codes(audio, video, torch.cat([one.code for one in seen]).numpy(), torch.cat(maps).numpy())


def sound_of(clip, count):
    """(count, 20, 12) float32 tensor: what the audio encoder hears in each frame of a prepared clip."""
    coefficients = mfcc(np.asarray(clip["waveform"]) / np.float32(FULL_SCALE), SYNCNET)
    return torch.from_numpy(mfcc_windows(coefficients, range(count), 25))


def faces_of(clip):
    """(F, 3, S, S) float32 tensor in [0, 1]: the faces of a prepared clip."""
    return torch.from_numpy(np.array(clip["face"])).permute(0, 3, 1, 2).float() / 255  # channels last

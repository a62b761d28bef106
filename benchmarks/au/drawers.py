"""One way to draw a clip with each network of action units that draws, and two controls that are no network.

A drawer has `name`, `hears` (whether it is given sound), `samples` (steps of DDIM, None where it samples nothing) and
`draw(scene)`, which gives (N, S, S, 3) uint8 crops.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from benchmarks.au.clips import windows_of
from benchmarks.crops import as_crops, as_faces
from common.errors import InputError

BATCH = 75  # frames at a time


@dataclass(frozen=True)
class Scene:
    """What is drawn.

    Attributes:
        picture: (S, S, 3) uint8 RGB, the identity picture.
        crops: (N, S, S, 3) uint8 RGB, the real frames that are drawn anew; a network may see their upper halves.
        cepstra: (12, k) float32 of the sound; fps: frames a second.
    """

    picture: np.ndarray = field(repr=False)
    crops: np.ndarray = field(repr=False)
    cepstra: np.ndarray = field(repr=False)
    fps: float = 25.0


class RealClip:
    """Control: the real frames, which no network can draw better."""

    name, hears, samples = "real clip", False, None

    def draw(self, scene):
        """See the module."""
        return scene.crops


class HeldPicture:
    """Control: the identity picture in each frame."""

    name, hears, samples = "first frame held still", False, None

    def draw(self, scene):
        """See the module."""
        return np.broadcast_to(scene.picture, scene.crops.shape).copy()


class FusionDrawer:
    """models.au.ActionUnits of the stage fusion: the whole crop, from the identity picture and the sound.

    Args:
        tested: benchmarks.tested.Tested.
    """

    hears, samples = True, None

    def __init__(self, tested):
        self.tested, self.name = tested, tested.name

    @torch.inference_mode()
    def draw(self, scene):
        """See the module."""
        model = self.tested.model
        windows = windows_of(scene.cepstra, len(scene.crops), scene.fps, model.columns)
        features = torch.cat([model.hear(part) for part in windows.split(BATCH)])
        person = model.identify(as_faces(scene.picture[None]))
        codes = model.fuse(person, features[None])[0]
        return as_crops(torch.cat([model.paint(person, part) for part in codes.split(BATCH)]))


class DiffusionDrawer:
    """models.au.ActionUnitsDiffusion: the crop, from the identity picture, the sound and the upper halves of the real frames.

    Args:
        tested: benchmarks.tested.Tested; steps: of DDIM, None: the checkpoint's own.
    """

    hears = True

    def __init__(self, tested, steps=None):
        self.tested, self.steps = tested, steps
        self.samples = steps or tested.model.steps
        self.name = tested.name if steps is None else f"{tested.name}, {steps} steps"

    @torch.inference_mode()
    def draw(self, scene):
        """See the module."""
        model = self.tested.model
        windows = windows_of(scene.cepstra, len(scene.crops), scene.fps, model.columns)
        features = torch.cat([model.hear(part) for part in windows.split(BATCH)])
        masked = as_faces(scene.crops)
        masked[..., int(self.tested.mask_top * masked.shape[-2]) :, :] = 0  # as datasets.fields makes masked_face
        return as_crops(model.draw(model.identify(as_faces(scene.picture[None])), features, masked, self.steps))


def drawers_of(networks, steps=None):
    """Drawers of networks, in their order.

    Args:
        networks: list of benchmarks.tested.Tested.
        steps: list of numbers of DDIM steps; each network that samples is drawn with each of them. None: its own.

    Raises:
        InputError: a network that draws no face, or steps and no network that samples.
    """
    found, sampled = [], False
    for tested in networks:
        name = tested.facts["model"]["name"]
        if name == "action_units_diffusion":
            found += [DiffusionDrawer(tested, one) for one in steps or [None]]
            sampled = True
        elif name == "action_units" and tested.facts["stage"] == "fusion":
            found.append(FusionDrawer(tested))
        else:
            what = f"is of stage {tested.facts['stage']}" if name == "action_units" else f"holds the network {name}"
            raise InputError(f"{tested.facts['file']}: {what} and draws no face from sound; give a checkpoint of "
                             "configs/au_fusion.yaml or configs/au_diffusion.yaml")  # fmt: skip
    if steps and not sampled:
        raise InputError("--steps: no --checkpoint samples; give one of configs/au_diffusion.yaml, or leave --steps out")
    return found

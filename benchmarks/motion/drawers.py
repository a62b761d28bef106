"""Ways to draw a clip: a motion network, and controls that are no network.

A drawer has `name`, `hears` (whether it is given sound) and `draw(scene)`, which gives (N, S, S, 3) uint8 crops.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from benchmarks.crops import as_crops, as_faces
from benchmarks.motion.clips import BATCH, hear, heard_windows, watch
from faces.tracking.smoothing import smooth_series


@dataclass(frozen=True)
class Scene:
    """What is drawn.

    Attributes:
        picture: (S, S, 3) uint8 RGB, the identity picture.
        crops: (N, S, S, 3) uint8 RGB, the real frames that are drawn anew; no network sees them.
        heard: ClipRow whose sound drives, of at least N frames.
        giver: (M, S, S, 3) uint8 RGB, crops of the clip that gives the pose; frames: (N,) int, which of them.
        corpus: datasets.prepared.PreparedCorpus.
    """

    picture: np.ndarray = field(repr=False)
    crops: np.ndarray = field(repr=False)
    heard: object
    giver: np.ndarray = field(repr=False)
    frames: np.ndarray = field(repr=False)
    corpus: object = field(repr=False)


class RealClip:
    """Control: the real frames."""

    name, hears = "real clip", False

    def draw(self, scene):
        """See the module."""
        return scene.crops


class HeldPicture:
    """Control: the identity picture in each frame."""

    name, hears = "first frame held still", False

    def draw(self, scene):
        """See the module."""
        return np.broadcast_to(scene.picture, scene.crops.shape).copy()


class GiverFrames:
    """Control: the frames that give the pose, with the face and the mouth of the other person."""

    name, hears = "frames of the pose giver", False

    def draw(self, scene):
        """See the module."""
        return scene.giver[scene.frames]


class MotionDrawer:
    """models.motion.network.PcAvs of the stage generate.

    Args:
        tested: benchmarks.tested.Tested.
        relative: the pose is the portrait's, changed as that of the giver changes from its frame whose code is nearest to the
            portrait's; as pipeline.drivers.motion does it. Otherwise pose codes are the giver's (published).
        gain: how strong the mouth features are drawn; smoothing: sigma of a Gaussian over the pose codes in time, frames.
        amplitude: how far the pose moves from the portrait's; only with `relative`.
    """

    hears = True

    def __init__(self, tested, *, relative=False, gain=1.0, smoothing=0.0, amplitude=1.0):
        self.tested, self.name, self.relative = tested, tested.name, relative
        self.gain, self.smoothing, self.amplitude = gain, smoothing, amplitude

    @torch.inference_mode()
    def draw(self, scene):
        """See the module."""
        model = self.tested.model
        options = model.field_options().get("log_mel", {})
        mouths = hear(model, heard_windows(scene.corpus, scene.heard, options, len(scene.crops)))
        mouths = model.amplified(mouths, self.gain)
        picture = as_faces(scene.picture[None])
        identity, poses = model.identify(picture), self.poses(scene)
        made = [model.paint(identity, mouth, pose)
                for mouth, pose in zip(mouths.split(BATCH), poses.split(BATCH), strict=True)]  # fmt: skip
        return as_crops(torch.cat(made))

    def poses(self, scene):
        """(N, P) float32 tensor: pose codes of the drawn frames."""
        model = self.tested.model
        used, places = np.unique(scene.frames, return_inverse=True)
        codes = model.pose(watch(model, scene.giver[used]))[places].float()
        if self.smoothing:
            codes = torch.from_numpy(smooth_series(codes.numpy(), self.smoothing)).float()
        if not self.relative:
            return codes
        own = model.pose(watch(model, scene.picture[None]))[0].float()
        return own + self.amplitude * (codes - codes[(codes - own).square().sum(1).argmin()])

"""The driver of action units: whole faces from one picture of a person and sound, fused over the frames of the clip."""

from dataclasses import dataclass

import numpy as np
import torch

from common.errors import InputError
from models import fuse_sequences
from models.au.faces import Identity
from pipeline.drivers.fused_codes import FusedCodes
from pipeline.drivers.whole_face import Shot, WholeFaceDriver

STAGE = "fusion"  # of training: the one that has a decoder
CONFIGS = "configs/au_fusion.yaml or configs/au_small_fusion.yaml"


@dataclass
class Portrait(Shot):
    """What a shot is drawn with.

    Attributes:
        heard: (frames, D) tensor, what is heard of each frame of the clip.
        identity: models.au.faces.Identity of the reference; codes: FusedCodes of the clip for it. None: each frame is its own.
    """

    heard: torch.Tensor
    identity: Identity | None = None
    codes: FusedCodes | None = None


class ActionUnitsDriver(WholeFaceDriver):
    """A checkpoint of action units that has learned to draw. The face has the pose of the picture that is the identity.

    With `--reference same` each frame is its own picture, as with DAVS (ours: networks learn from the first frame of a clip).

    Args:
        checkpoint, device, precision, compat: see Driver.

    Raises:
        InputError: a checkpoint of a stage that draws nothing, or of crops that this version does not know.
    """

    kinds = ("au112", "au128", "aligned", "davs")

    def __init__(self, checkpoint, *, device, precision, compat=None):
        network = checkpoint.model
        if network.stage != STAGE:
            raise InputError(f"{checkpoint.path}: holds a network of action units of the stage {network.stage!r}, which draws "
                             f"no faces; give one of the stage {STAGE!r}, as {CONFIGS} trains it")  # fmt: skip
        super().__init__(checkpoint, device=device, precision=precision, compat=compat)
        self._ready, self._windows = fuse_sequences(network).to(self._dtype), network.field_options()["mfcc"]

    def check_reference(self, reference):
        """Each frame can be its own picture where a code depends on few frames."""
        if reference == "same" and self._ready.temporal.margin is None:
            raise InputError(f"--reference same: {self.name} remembers the picture of all frames before (model.temporal: gru); "
                             "choose fixed, or the number of a frame")  # fmt: skip

    def reference_frames(self, track, reference=None):
        """See Driver; none where each frame is its own."""
        return () if reference == "same" else super().reference_frames(track, reference)

    def listen(self, driving, fps, frames):
        """(frames, D) tensor on the device: what is heard of each frame, see models.au.ActionUnits.hear."""
        self._refused = 0
        heard = self.heard(self._ready.hear, driving.sound.waveform, fps, frames, **self._windows)
        return torch.from_numpy(heard).to(self.device, self._dtype)

    @torch.inference_mode()
    def look(self, scene, codes):
        """Portrait of the shot's reference."""
        if not scene.references:
            return Portrait(scene, codes, hold=self.hold(scene))
        identity = self._ready.identify(self.planes(scene.pictures(scene.references[:1])).to(self._dtype))
        return Portrait(scene, codes, identity, FusedCodes(self._ready, identity, codes), hold=self.hold(scene))

    @torch.inference_mode()
    def draw(self, state, codes, frames, numbers):
        """(B, S, S, 3) uint8: whole faces; where they are laid over the frame, in the colours of the source's crops.

        The codes of the frames `numbers` come from the whole clip (`state.heard`), since each depends on the frames around it.
        """
        if state.identity is not None:
            return self.fitted(state, self._ready.paint(state.identity, state.codes(numbers)), frames, numbers)
        pictures = frames if len(frames) == len(numbers) else np.repeat(frames, len(numbers), 0)
        shown = self._ready.identify(self.planes(pictures).to(self._dtype))
        each = [Identity(code, maps) for code, *maps in zip(*(one.split(1) for one in (shown.code, *shown.maps)), strict=True)]
        fused = FusedCodes.of_frames(self._ready, each, state.heard, numbers)
        return self.fitted(state, self._ready.paint(shown, fused), frames, numbers)

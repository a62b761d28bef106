"""The driver of action units: whole faces from one picture of a person and sound, fused over the frames of the clip."""

from dataclasses import dataclass

import torch

from common.errors import InputError
from models import fuse_sequences
from models.au.faces import Identity
from pipeline.drivers.fused_codes import FusedCodes, FusedDriver
from pipeline.drivers.whole_face import Shot

STAGE = "fusion"  # of training: the one that has a decoder
CONFIGS = "configs/au_fusion.yaml or configs/au_small_fusion.yaml"


@dataclass
class Portrait(Shot):
    """What a shot is drawn with.

    Attributes:
        identity: models.au.faces.Identity of the reference; codes: FusedCodes of the clip for it.
    """

    identity: Identity
    codes: FusedCodes


class ActionUnitsDriver(FusedDriver):
    """A checkpoint of action units that has learned to draw. The face has the pose of the picture that is the identity.

    `--reference same`, which gives a face of DAVS the pose of each frame, is refused: the skips of the network lay the mouth of
    its picture over the drawn one, so that each frame would keep the mouth that it has.

    Args:
        checkpoint, device, precision, compat: see Driver.

    Raises:
        InputError: a checkpoint of a stage that draws nothing, or of crops that this version does not know.
    """

    def __init__(self, checkpoint, *, device, precision, compat=None):
        network = checkpoint.model
        if network.stage != STAGE:
            raise InputError(f"{checkpoint.path}: holds a network of action units of the stage {network.stage!r}, which draws "
                             f"no faces; give one of the stage {STAGE!r}, as {CONFIGS} trains it")  # fmt: skip
        super().__init__(checkpoint, device=device, precision=precision, compat=compat)

    def ready(self, network):
        """See FusedDriver; batch norms are folded into the layers before them."""
        return fuse_sequences(network)

    def check_reference(self, reference):
        """See Driver; `same` would keep the mouth of each frame."""
        if reference == "same":
            raise InputError(f"--reference same: {self.name} would keep the mouth of each frame, since it learned from one "
                             "picture of a person; choose fixed, or the number of a frame")  # fmt: skip

    @torch.inference_mode()
    def look(self, scene, codes):
        """Portrait of the shot's reference."""
        identity = self._ready.identify(self.planes(scene.pictures(scene.references[:1])).to(self._dtype))
        return Portrait(scene, identity, FusedCodes(self._ready, identity, codes), hold=self.hold(scene))

    @torch.inference_mode()
    def draw(self, state, codes, frames, numbers):
        """(B, S, S, 3) uint8: whole faces; where they are laid over the frame, in the colours of the source's crops.

        The codes of the frames `numbers` come from the whole clip (`state.codes`), since each depends on the frames around it.
        """
        return self.fitted(state, self._ready.paint(state.identity, state.codes(numbers)), frames, numbers)

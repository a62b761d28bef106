"""The driver of the diffusion renderer of action units: it draws the hidden lower half of each frame's face from the sound."""

from dataclasses import dataclass

import torch

from models.au.diffusion import Person
from pipeline.drivers.driver import Driver
from pipeline.drivers.fused_codes import FusedCodes, FusedDriver
from pipeline.drivers.mask_top import checked_mask_top
from pipeline.drivers.whole_face import Shot


@dataclass
class Sitter(Shot):
    """What a shot is drawn with.

    Attributes:
        person: models.au.diffusion.Person of the reference; codes: FusedCodes of the clip for it; steps: of DDIM, or None.
    """

    person: Person
    codes: FusedCodes
    steps: int | None


class DiffusionDriver(FusedDriver):
    """A checkpoint of the diffusion renderer. The face has the pose of the source's frames, of which the upper half is shown.

    Args:
        checkpoint, device, precision, compat: see Driver.

    Raises:
        InputError: a checkpoint of crops, or of a mask, that this version does not know.
    """

    pastes = "mouth"
    takes = frozenset({"ddim_steps"})
    outline, remarks = Driver.outline, Driver.remarks

    def __init__(self, checkpoint, *, device, precision, compat=None):
        super().__init__(checkpoint, device=device, precision=precision, compat=compat)
        network = checkpoint.model
        self._row = int(checked_mask_top(checkpoint.config["data"], checkpoint.path) * network.face_size)
        self._own_steps = network.steps

    def tags(self, options):
        """The number of DDIM steps."""
        return {"ddim_steps": str(options.ddim_steps or self._own_steps)}

    def sees(self, crop):
        """The crop without its lower part."""
        masked = crop.copy()
        masked[self._row :] = 0
        return masked

    @torch.inference_mode()
    def look(self, scene, codes):
        """Sitter of the shot's reference."""
        person = self._ready.identify(self.planes(scene.pictures(scene.references[:1])).to(self._dtype))
        return Sitter(scene, person, FusedCodes(self._ready, person, codes), scene.options.ddim_steps)

    @torch.inference_mode()
    def draw(self, state, codes, frames, numbers):
        """(B, S, S, 3) uint8: faces whose lower half is drawn; the condition of a frame comes from the whole clip."""
        masked = self.planes(frames).to(self._dtype)
        masked[:, :, self._row :] = 0
        tokens = torch.stack([state.codes.at(near) for near in self._ready.around(state.codes.places(numbers))])
        faces = self._ready.paint(state.person, masked, tokens, state.steps)
        faces = faces.mul(255).round().clamp(0, 255).to(torch.uint8)
        return faces.permute(0, 2, 3, 1).contiguous().cpu().numpy()

"""The driver of the diffusion renderer of action units: it draws the hidden lower half of each frame's face from the sound."""

from dataclasses import dataclass

import torch

from common.errors import InputError
from models.au.diffusion import Person
from pipeline.drivers.driver import Driver
from pipeline.drivers.fused_codes import FusedCodes
from pipeline.drivers.whole_face import Shot, WholeFaceDriver

LEAST_TOP, MOST_TOP = 0.1, 0.5  # of the share of a crop from which on the network sees nothing


@dataclass
class Sitter(Shot):
    """What a shot is drawn with.

    Attributes:
        person: models.au.diffusion.Person of the reference; codes: FusedCodes of the clip for it; steps: of DDIM, or None.
    """

    person: Person
    codes: FusedCodes
    steps: int | None


class DiffusionDriver(WholeFaceDriver):
    """A checkpoint of the diffusion renderer. The face has the pose of the source's frames, of which the upper half is shown.

    Args:
        checkpoint, device, precision, compat: see Driver.

    Raises:
        InputError: a checkpoint of crops, or of a mask, that this version does not know.
    """

    pastes = "mouth"
    takes = frozenset({"ddim_steps"})
    kinds = ("au112", "aligned", "davs")
    outline, remarks = Driver.outline, Driver.remarks

    def __init__(self, checkpoint, *, device, precision, compat=None):
        super().__init__(checkpoint, device=device, precision=precision, compat=compat)
        top = checkpoint.config["data"].get("mask_top", 0.5)
        if isinstance(top, bool) or not isinstance(top, int | float) or not LEAST_TOP <= top <= MOST_TOP:
            raise InputError(f"{checkpoint.path}: its config says data.mask_top = {top!r}; a share from {LEAST_TOP} to "
                             f"{MOST_TOP} is needed")  # fmt: skip
        network = checkpoint.model
        self._row, self._own_steps, self._windows = int(top * network.face_size), network.steps, network.field_options()["mfcc"]
        self._ready = network.eval().to(self._dtype)

    def tags(self, options):
        """The number of DDIM steps."""
        return {"ddim_steps": str(options.ddim_steps or self._own_steps)}

    def sees(self, crop):
        """The crop without its lower part."""
        masked = crop.copy()
        masked[self._row :] = 0
        return masked

    def listen(self, driving, fps, frames):
        """(frames, D) tensor on the device: what is heard of each frame, see models.au.fusing.Fusing.hear."""
        heard = self.heard(self._ready.hear, driving.sound.waveform, fps, frames, **self._windows)
        return torch.from_numpy(heard).to(self.device, self._dtype)

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
        tokens = torch.stack([state.codes(near) for near in self._ready.around(numbers)])
        faces = self._ready.paint(state.person, masked, tokens, state.steps)
        faces = faces.mul(255).round().clamp(0, 255).to(torch.uint8)
        return faces.permute(0, 2, 3, 1).contiguous().cpu().numpy()

"""The driver of DAVS: whole faces from one picture of a person and codes of speech, which a sound or a driving video gives."""

from dataclasses import dataclass

import numpy as np
import torch

from common.errors import InputError
from models import fuse_named
from pipeline.drivers.identity_tuning import tuned_parts, with_parts
from pipeline.drivers.whole_face import Shot, WholeFaceDriver

STAGE = "generate"  # of training: the one that has a decoder
CONFIGS = "configs/davs.yaml or configs/davs_small.yaml"
WATCHED = 16  # frames of a batch of the encoder of lips


@dataclass
class Portrait(Shot):
    """What a shot is drawn with.

    Attributes:
        network: Davs in the driver's precision, tuned on the picture where that was asked for.
        identity: models.davs Identity of the reference; None: each frame is its own.
        gain: factor on codes.
    """

    network: torch.nn.Module
    identity: object
    gain: float


class DavsDriver(WholeFaceDriver):
    """A checkpoint of DAVS that has learned to draw.

    Args:
        checkpoint, device, precision, compat: see Driver.

    Raises:
        InputError: a checkpoint of a stage that draws nothing, or of crops that this version does not know.
    """

    needs = frozenset()
    can = frozenset({"sound", "drive"})
    takes = frozenset({"identity_steps", "speech_gain", "stabilise"})
    kinds, aligned_by = ("davs", "aligned"), "eyes and mouth"

    def __init__(self, checkpoint, *, device, precision, compat=None):
        network = checkpoint.model
        if network.stage != STAGE:
            raise InputError(f"{checkpoint.path}: holds a DAVS network of the stage {network.stage!r}, which draws no faces; "
                             f"give one of the stage {STAGE!r}, as {CONFIGS} trains it")
        super().__init__(checkpoint, device=device, precision=precision, compat=compat)
        self._exact, self._ready = network.eval(), fuse_named(network).to(self._dtype)

    def check(self, options, given, *, complete=True):
        """See Driver."""
        super().check(options, given, complete=complete)
        if options.identity_steps and options.reference == "same":
            raise InputError(f"--identity_steps {options.identity_steps}: trains on one picture of the person; leave "
                             "--reference same out")

    def check_reference(self, reference):
        """All that `--reference` can say makes sense here."""

    def reference_frames(self, track, reference=None):
        """See Driver; none where each frame is its own."""
        return () if reference == "same" else super().reference_frames(track, reference)

    def tags(self, options):
        """What helps a result beyond the network: steps on the picture, factor on the codes, registration."""
        gain = 1.0 if options.speech_gain is None else options.speech_gain
        return {"identity_steps": str(options.identity_steps or 0), "speech_gain": f"{gain:g}", **super().tags(options)}

    def listen(self, driving, fps, frames):
        """(frames, D) tensor on the device: codes of the lips of a driving video, else of the sound."""
        if driving.speech is not None:
            codes = driving.speech.at_rate(self._watched(driving.speech), fps, frames)
        else:
            codes = self.heard(self._ready.hear, driving.sound.waveform, fps, frames)
        codes = torch.from_numpy(codes).to(self.device, self._dtype)
        codes.of_lips = driving.speech is not None  # read by `look`
        self._refused = 0
        return codes

    def look(self, scene, codes):
        """Portrait of the shot's reference."""
        options = scene.options
        network, identity = self._ready, None
        if scene.references:
            picture = self.planes(scene.pictures(scene.references[:1]))
            if options.identity_steps:
                parts = tuned_parts(self._exact, picture, self._tuned_on(picture, codes, options), options.identity_steps)
                network = with_parts(network, {name: fuse_named(part).to(self._dtype) for name, part in parts.items()})
            with torch.inference_mode():
                identity = network.identify(picture.to(self._dtype))
        gain = 1.0 if options.speech_gain is None else options.speech_gain
        return Portrait(scene, network, identity, gain, hold=self.hold(scene))

    def _tuned_on(self, picture, codes, options):
        """(K, D) float32 codes of the steps: of its own lips where lips are followed, else of the first frames."""
        if not getattr(codes, "of_lips", False):
            return codes[: options.identity_steps].float().clone()
        with torch.no_grad():
            return self._exact.watch(picture)

    @torch.inference_mode()
    def draw(self, state, codes, frames, numbers):
        """(B, S, S, 3) uint8: whole faces; where they are laid over the frame, in the colours of the source's crops."""
        identity = state.identity
        if identity is None:
            identity = state.network.identify(self.planes(frames).to(self._dtype))
        return self.fitted(state, state.network.draw(identity, codes * state.gain), frames, numbers)

    @torch.inference_mode()
    def _watched(self, video):
        """(len(video), D) float32 of a DrivingVideo."""
        found, waiting = [], []
        for number, crop in enumerate(video.crops(self.crop, smooth=video.smooth and not self.raw_crops), 1):
            waiting.append(crop)
            if len(waiting) == WATCHED or number == len(video):
                found.append(self._ready.watch(self.planes(np.stack(waiting)).to(self._dtype)).float().cpu().numpy())
                waiting.clear()
        return np.concatenate(found)

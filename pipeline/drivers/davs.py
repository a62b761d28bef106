"""The driver of DAVS: whole faces from one picture of a person and codes of speech, which a sound or a driving video gives."""

from dataclasses import dataclass

import numpy as np
import torch

from common.errors import InputError
from faces.colours import matched, skin_weights
from faces.crops import CropSpec
from faces.outline import whole_face_mask
from faces.stabiliser import Stabiliser
from models import fuse_named
from pipeline.drivers.driver import Driver
from pipeline.drivers.identity_tuning import tuned_parts, with_parts
from pipeline.drivers.precision import PRECISIONS
from pipeline.driving import require_picture
from pipeline.scene import Scene
from speech.mfcc import SYNCNET, mfcc
from speech.mfcc_windows import mfcc_windows
from speech.waveform import SAMPLE_RATE

STAGE = "generate"  # of training: the one that has a decoder
CONFIGS = "configs/davs.yaml or configs/davs_small.yaml"
HEARD, WATCHED = 256, 16  # frames of a batch, of the two encoders of speech
BELOW_CHIN = 0.2  # eye distances by which the paste reaches below the chin of the source: a drawn chin may lie lower


@dataclass
class Portrait:
    """What a shot is drawn with.

    Attributes:
        network: Davs in the driver's precision, tuned on the picture where that was asked for.
        identity: models.davs Identity of the reference; None: each frame is its own.
        scene: pipeline.scene.Scene of the shot.
        gain: factor on codes.
        hold: faces.stabiliser.Stabiliser of the shot, or None: faces stay where the network draws them.
        skin: number of the last source frame, and the weights of its skin.
    """

    network: torch.nn.Module
    identity: object
    scene: Scene
    gain: float
    hold: Stabiliser | None = None
    skin: tuple = (None, None)


class DavsDriver(Driver):
    """A checkpoint of DAVS that has learned to draw.

    Args:
        checkpoint, device, precision, compat: see Driver.

    Raises:
        InputError: a checkpoint of a stage that draws nothing, or of crops that this version does not know.
    """

    pastes = "face"
    needs = frozenset()
    can = frozenset({"sound", "drive"})
    takes = frozenset({"identity_steps", "speech_gain", "stabilise"})

    def __init__(self, checkpoint, *, device, precision, compat=None):
        network, kind = checkpoint.model, checkpoint.config["data"].get("crop", "davs")
        if network.stage != STAGE:
            raise InputError(f"{checkpoint.path}: holds a DAVS network of the stage {network.stage!r}, which draws no faces; "
                             f"give one of the stage {STAGE!r}, as {CONFIGS} trains it")
        if kind not in ("davs", "aligned"):
            raise InputError(f"{checkpoint.path}: its config says data.crop = {kind!r}; this version knows davs and aligned")
        crop = CropSpec(kind, network.face_size, (0, 0, 0, 0))
        super().__init__(checkpoint, crop=crop, device=device, precision=precision, compat=compat)
        self._dtype, self._refused = PRECISIONS[precision], 0
        self._exact, self._ready = network.eval(), fuse_named(network).to(self._dtype)

    def check(self, options, given, *, complete=True):
        """See Driver; the crop is laid by eyes and mouth, which a place that is given by hand does not tell."""
        super().check(options, given, complete=complete)
        if options.box:
            raise InputError(f"--box: {self.name} is shown faces aligned by eyes and mouth, which have to be found; leave "
                             "--box out")
        if options.identity_steps and options.reference == "same":
            raise InputError(f"--identity_steps {options.identity_steps}: trains on one picture of the person; leave "
                             "--reference same out")

    def check_reference(self, reference):
        """All that `--reference` can say makes sense here."""

    def reference_frames(self, track, reference=None):
        """See Driver; none where each frame is its own."""
        return () if reference == "same" else super().reference_frames(track, reference)

    def outline(self, landmarks, size, smear, wanted=None):
        """See Driver; the whole face, and `BELOW_CHIN` more."""
        return whole_face_mask(landmarks, size, inset=smear, below=BELOW_CHIN)

    def tags(self, options):
        """What helps a result beyond the network: steps on the picture, factor on the codes, registration."""
        gain = 1.0 if options.speech_gain is None else options.speech_gain
        return {"identity_steps": str(options.identity_steps or 0), "speech_gain": f"{gain:g}",
                "stabilise": str(options.stabilise).lower()}  # fmt: skip

    def remarks(self):
        """See Driver; of --stabilise."""
        if not self._refused:
            return []
        what = "1 drawn face was" if self._refused == 1 else f"{self._refused} drawn faces were"
        return [f"--stabilise: {what} not like enough to the crop of the source, and moved as the faces before"]

    def frames(self, driving, fps):
        """See Driver.

        Raises:
            InputError: the picture of a driving video ends before its sound.
        """
        video, sound = driving.speech, driving.sound
        if video is not None and sound is not None:
            seen, heard = float(len(video) / video.fps), len(sound.waveform) / SAMPLE_RATE
            require_picture(video.path, seen, heard)
        return super().frames(driving, fps)

    def listen(self, driving, fps, frames):
        """(frames, D) tensor on the device: codes of the lips of a driving video, else of the sound."""
        if driving.speech is not None:
            codes = driving.speech.at_rate(self._watched(driving.speech), fps, frames)
        else:
            codes = self._heard(driving.sound.waveform, fps, frames)
        codes = torch.from_numpy(codes).to(self.device, self._dtype)
        codes.of_lips = driving.speech is not None  # read by `look`
        self._refused = 0
        return codes

    def look(self, scene, codes):
        """Portrait of the shot's reference."""
        options = scene.options
        network, identity = self._ready, None
        if scene.references:
            picture = self._planes(scene.pictures(scene.references[:1]))
            if options.identity_steps:
                parts = tuned_parts(self._exact, picture, self._tuned_on(picture, codes, options), options.identity_steps)
                network = with_parts(network, {name: fuse_named(part).to(self._dtype) for name, part in parts.items()})
            with torch.inference_mode():
                identity = network.identify(picture.to(self._dtype))
        gain = 1.0 if options.speech_gain is None else options.speech_gain
        return Portrait(network, identity, scene, gain, Stabiliser(scene.fps) if options.stabilise else None)

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
            identity = state.network.identify(self._planes(frames).to(self._dtype))
        faces = state.network.draw(identity, codes * state.gain).float().mul(255).round().clamp(0, 255).to(torch.uint8)
        faces = faces.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        laid = self.output(state.scene.options) == "frame"
        if not laid and state.hold is None:
            return faces
        crops = np.broadcast_to(frames, faces.shape)
        return np.stack([self._fitted(state, *one, laid) for one in zip(faces, crops, numbers, strict=True)])

    def _fitted(self, state, face, crop, number, laid):
        """A face (S, S, 3) uint8 fitted to the crop of the source frame that frame `number` of the result shows."""
        scene, shown = state.scene, int(state.scene.shown[number])
        (landmarks,) = scene.landmarks([shown])
        if state.hold is not None:
            before = state.hold.refused
            face = state.hold(face, crop, landmarks)
            self._refused += state.hold.refused - before
        if not laid:
            return face
        if state.skin[0] != shown:
            state.skin = shown, skin_weights(landmarks, len(crop))
        return matched(face, crop, landmarks, state.skin[1])

    @torch.inference_mode()
    def _heard(self, waveform, fps, frames):
        """(frames, D) float32 of a waveform (n,) float32 at 16 kHz."""
        coefficients, found = mfcc(waveform, SYNCNET), []
        for start in range(0, frames, HEARD):
            windows = mfcc_windows(coefficients, range(start, min(frames, start + HEARD)), fps)
            windows = torch.from_numpy(windows).to(self.device, self._dtype)
            found.append(self._ready.hear(windows).float().cpu().numpy())
        return np.concatenate(found)

    @torch.inference_mode()
    def _watched(self, video):
        """(len(video), D) float32 of a DrivingVideo."""
        found, waiting = [], []
        for number, crop in enumerate(video.crops(self.crop, smooth=video.smooth and not self.raw_crops), 1):
            waiting.append(crop)
            if len(waiting) == WATCHED or number == len(video):
                found.append(self._ready.watch(self._planes(np.stack(waiting)).to(self._dtype)).float().cpu().numpy())
                waiting.clear()
        return np.concatenate(found)

    def _planes(self, crops):
        """(N, S, S, 3) uint8 -> (N, 3, S, S) float32 in [0, 1] on the device."""
        return torch.from_numpy(np.ascontiguousarray(crops)).to(self.device).permute(0, 3, 1, 2).float() / 255


"""What drivers share whose networks draw a whole aligned face from one picture of a person: the crop, the paste, the fit."""

from dataclasses import dataclass, field

import numpy as np
import torch

from common.errors import InputError
from faces.colours import matched, skin_weights
from faces.crops import CropSpec
from faces.outline import whole_face_mask
from faces.stabiliser import Stabiliser
from pipeline.drivers.driver import Driver
from pipeline.drivers.precision import PRECISIONS
from pipeline.driving import require_picture
from pipeline.scene import Scene
from speech.mfcc import SYNCNET, mfcc
from speech.mfcc_windows import mfcc_windows
from speech.waveform import SAMPLE_RATE

HEARD = 256  # frames of a batch of the encoder of sound
BELOW_CHIN = 0.2  # eye distances by which the paste reaches below the chin of the source: a drawn chin may lie lower


@dataclass
class Shot:
    """What the faces of one shot are fitted to.

    Attributes:
        scene: pipeline.scene.Scene of the shot.
        hold: faces.stabiliser.Stabiliser of the shot, or None: faces stay where the network draws them.
        skin: number of the last source frame, and the weights of its skin.
    """

    scene: Scene
    hold: Stabiliser | None = field(default=None, kw_only=True)
    skin: tuple = field(default=(None, None), kw_only=True)


class WholeFaceDriver(Driver):
    """A checkpoint that draws whole faces in aligned crops. A driver's state of a shot is a Shot or more.

    Args:
        checkpoint, device, precision, compat: see Driver.

    Attributes (of the class):
        kinds: kinds of crops that the network may have learned from; the first one where its checkpoint names none.
        aligned_by: which parts of the face place the crop, for messages.

    Raises:
        InputError: a checkpoint of crops that this version does not know.
    """

    pastes = "face"
    takes = frozenset({"stabilise"})
    kinds, aligned_by = ("aligned",), "eyes and nose"

    def __init__(self, checkpoint, *, device, precision, compat=None):
        kind = checkpoint.config["data"].get("crop", self.kinds[0])
        if kind not in self.kinds:
            raise InputError(f"{checkpoint.path}: its config says data.crop = {kind!r}; this version knows "
                             f"{', '.join(self.kinds)}")  # fmt: skip
        crop = CropSpec(kind, checkpoint.model.face_size, (0, 0, 0, 0))
        super().__init__(checkpoint, crop=crop, device=device, precision=precision, compat=compat)
        self._dtype, self._refused = PRECISIONS[precision], 0

    def check(self, options, given, *, complete=True):
        """See Driver; the crop is laid by landmarks, which a place that is given by hand does not tell."""
        super().check(options, given, complete=complete)
        if options.box:
            raise InputError(f"--box: {self.name} is shown faces aligned by {self.aligned_by}, which have to be found; leave "
                             "--box out")

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

    def outline(self, landmarks, size, smear, wanted=None):
        """See Driver; the whole face, and `BELOW_CHIN` more."""
        return whole_face_mask(landmarks, size, inset=smear, below=BELOW_CHIN)

    def tags(self, options):
        """What helps a result beyond the network: registration."""
        return {"stabilise": str(options.stabilise).lower()}

    def remarks(self):
        """See Driver; of --stabilise."""
        if not self._refused:
            return []
        what = "1 drawn face was" if self._refused == 1 else f"{self._refused} drawn faces were"
        return [f"--stabilise: {what} not like enough to the crop of the source, and moved as the faces before"]

    def hold(self, scene):
        """Stabiliser of a shot, or None, as `--stabilise` says."""
        return Stabiliser(scene.fps) if scene.options.stabilise else None

    def fitted(self, shot, faces, frames, numbers):
        """Drawn faces as they are pasted or written.

        Where they are laid over the frame, they get the colours of the source's crops; with `--stabilise` they are registered
        to them.

        Args:
            shot: Shot.
            faces: (B, 3, S, S) float tensor in [0, 1].
            frames: (B, S, S, 3) or (1, S, S, 3) uint8; numbers: list of B int; both as of `draw`.

        Returns:
            (B, S, S, 3) uint8 RGB.
        """
        faces = faces.float().mul(255).round().clamp(0, 255).to(torch.uint8)
        faces = faces.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        laid = self.output(shot.scene.options) == "frame"
        if not laid and shot.hold is None:
            return faces
        crops = np.broadcast_to(frames, faces.shape)
        return np.stack([self._fitted(shot, *one, laid) for one in zip(faces, crops, numbers, strict=True)])

    def _fitted(self, shot, face, crop, number, laid):
        """A face (S, S, 3) uint8 fitted to the crop of the source frame that frame `number` of the result shows."""
        scene, shown = shot.scene, int(shot.scene.shown[number])
        (landmarks,) = scene.landmarks([shown])
        if shot.hold is not None:
            before = shot.hold.refused
            face = shot.hold(face, crop, landmarks)
            self._refused += shot.hold.refused - before
        if not laid:
            return face
        if shot.skin[0] != shown:
            shot.skin = shown, skin_weights(landmarks, len(crop))
        return matched(face, crop, landmarks, shot.skin[1])

    @torch.inference_mode()
    def heard(self, hear, waveform, fps, frames, **windows):
        """What an encoder hears of each frame, computed in batches of HEARD frames.

        Args:
            hear: (N, columns, 12) tensor -> (N, D) tensor.
            waveform: (n,) float32, 16 kHz; fps: Fraction; frames: int.
            windows: columns and place, as of `speech.mfcc_windows.mfcc_windows`.

        Returns:
            (frames, D) float32 array.
        """
        coefficients, found = mfcc(waveform, SYNCNET), []
        for start in range(0, frames, HEARD):
            cut = mfcc_windows(coefficients, range(start, min(frames, start + HEARD)), fps, **windows)
            found.append(hear(torch.from_numpy(cut).to(self.device, self._dtype)).float().cpu().numpy())
        return np.concatenate(found)

    def planes(self, crops):
        """(N, S, S, 3) uint8 -> (N, 3, S, S) float32 in [0, 1] on the device."""
        return torch.from_numpy(np.ascontiguousarray(crops)).to(self.device).permute(0, 3, 1, 2).float() / 255

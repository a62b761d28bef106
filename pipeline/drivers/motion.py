"""The driver of motion: whole crops from one picture of a person, the mouth of a sound or a video, and the pose of a video."""

from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch

from common.errors import InputError
from common.notes import say_note
from pipeline.drivers.head_movement import SMOOTHING, HeadMovement, smoothed_runs
from pipeline.drivers.whole_crop import RestColours
from pipeline.drivers.whole_face import HEARD, Shot, WholeFaceDriver
from speech.log_mel import log_mel, log_mel_windows

STAGE = "generate"  # of training: the one that has learned to draw
CONFIGS = "configs/motion.yaml or configs/motion_small.yaml"
WATCHED = 16  # frames of a batch of the encoder of mouth and pose


@dataclass
class Followed:
    """What a clip follows; `followed[list of frame numbers]` gives the mouth features of these frames.

    Attributes:
        mouth: (frames, M) tensor on the device.
        head: HeadMovement of the pose video, or None. spoken: of the driving video of the speech, or None.
        still: the head keeps its pose.
        own: (count, P) float32, codes of the source's frames, made when they are first asked for.
    """

    mouth: torch.Tensor
    head: HeadMovement | None = None
    spoken: HeadMovement | None = None
    still: bool = False
    own: np.ndarray | None = None

    def __getitem__(self, numbers):
        return self.mouth[numbers]


@dataclass
class Portrait(Shot):
    """What a shot is drawn with.

    Attributes:
        identity: models.motion Identity of the reference.
        poses: (frames, P) tensor on the device, code of the head's pose in each frame of the result.
        gain: how strong the mouth features are drawn, 1 as they are.
        colours: RestColours where crops are laid over the frame, else None.
    """

    identity: object
    poses: torch.Tensor
    gain: float
    colours: RestColours | None = None


class MotionDriver(WholeFaceDriver):
    """A checkpoint of motion that has learned to draw.

    The pose follows, in this order: `--pose still`, the pose of the picture; `--pose VIDEO`, that of the video; a face video
    without `--pose`, that of its own frames; a picture with `--drive VIDEO`, that of this video; else that of the picture.

    Args:
        checkpoint, device, precision, compat: see Driver.

    Raises:
        InputError: a checkpoint of a stage that draws nothing, or of crops that this version does not know.
    """

    needs = frozenset()
    can = frozenset({"sound", "drive", "pose", "still"})
    takes = frozenset({"speech_gain", "pose_amplitude", "pose_smoothing", "absolute_pose"})
    kinds, aligned_by = ("pcavs",), "eyes and mouth"
    outlined = False  # the head moves, and with it what is beside the face

    def __init__(self, checkpoint, *, device, precision, compat=None):
        network = checkpoint.model
        if network.stage != STAGE:
            raise InputError(f"{checkpoint.path}: holds a motion network of the stage {network.stage!r}, which draws no faces; "
                             f"give one of the stage {STAGE!r}, as {CONFIGS} trains it")  # fmt: skip
        super().__init__(checkpoint, device=device, precision=precision, compat=compat)
        self._network, self._windows = network.eval().to(self._dtype), network.field_options().get("log_mel", {})

    def check(self, options, given, *, complete=True):
        """See Driver; flags of the movement are refused where the head keeps its pose."""
        super().check(options, given, complete=complete)
        flags = {"--pose_amplitude": options.pose_amplitude, "--pose_smoothing": options.pose_smoothing,
                 "--absolute_pose": options.absolute_pose or None}  # fmt: skip
        used = [flag for flag, value in flags.items() if value is not None]
        if "still" in given and used:
            raise InputError(f"{used[0]}: with --pose still the head does not move; leave one of the two out")

    def tags(self, options):
        """What helps a result beyond the network: factors on mouth and head, smoothing, whose pose."""
        gain, amplitude = (1.0 if value is None else value for value in (options.speech_gain, options.pose_amplitude))
        return {"speech_gain": f"{gain:g}", "pose_amplitude": f"{amplitude:g}", "pose_smoothing": f"{_smoothing(options):g}",
                "absolute_pose": str(options.absolute_pose).lower()}  # fmt: skip

    def listen(self, driving, fps, frames):
        """Followed: mouth features of a driving video, else of the sound; movements of the heads that are followed."""
        spoken = head = None
        if driving.speech is None:
            mouth = self._heard(driving.sound.waveform, fps, frames)
        else:
            mouth, pose = self._watched(driving.speech)
            mouth = driving.speech.at_rate(mouth, fps, frames)
            spoken = HeadMovement(driving.speech, pose, driving.speech.track.shots)
        if driving.pose is not None:
            pose = self._watched(driving.pose)[1]
            head, first = HeadMovement(driving.pose, pose, driving.pose.track.shots).longest_shot()
            _say_what_is_used(driving.pose, head, first, float(frames / fps))
        return Followed(torch.from_numpy(mouth).to(self.device, self._dtype), head, spoken, driving.still)

    @torch.inference_mode()
    def look(self, scene, codes):
        """Portrait of the shot's reference."""
        pictures = scene.pictures(scene.references[:1])
        planes = self.planes(pictures).to(self._dtype)
        identity, features = self._network.identify(planes), self._network.watch(planes)
        pose = self._network.pose(features)
        gain = 1.0 if scene.options.speech_gain is None else scene.options.speech_gain
        colours = None
        if self.output(scene.options) == "frame":
            rest = self._pictures(self._network.paint(identity, self._network.mouth(features), pose))
            (landmarks,) = scene.landmarks(scene.references[:1])
            colours = RestColours.of(rest[0], pictures[0], landmarks, still=scene.still)
        poses = self._poses(scene, codes, pose[0].float().cpu().numpy())
        return Portrait(scene, identity, torch.from_numpy(poses).to(self.device, self._dtype), gain, colours)

    @torch.inference_mode()
    def draw(self, state, codes, frames, numbers):
        """(B, S, S, 3) uint8: whole crops; where they are laid over the frame, in the colours of the source."""
        mouth = self._network.amplified(codes, state.gain)
        faces = self._pictures(self._network.paint(state.identity, mouth, state.poses[numbers]))
        return faces if state.colours is None else np.stack([state.colours(face) for face in faces])

    def _poses(self, scene, codes, own):
        """(frames, P) float32 codes of the pose in each frame of the result, for a shot whose reference has the code `own`."""
        options = scene.options
        amplitude = 1.0 if options.pose_amplitude is None else options.pose_amplitude
        head = codes.head or (codes.spoken if scene.still else None)
        if codes.still or head is None and scene.still:
            return np.repeat(own[None], scene.frames, 0)
        if head is not None:
            moved = head.smoothed(_smoothing(options)).of(own, amplitude, options.absolute_pose)
            return moved.at_frames(scene.fps, scene.frames).astype(np.float32)
        if codes.own is None:
            codes.own = smoothed_runs(self._own_poses(scene), scene.track.runs(), _smoothing(options) * float(scene.fps))
        return own + np.float32(amplitude) * (codes.own[scene.shown] - own)

    def _own_poses(self, scene):
        """(count, P) float32 codes of the source's frames, in one pass over it; NaN where there is no face."""
        with closing(scene.source.frames(0, scene.count)) as frames:
            crops = ((number, scene.crops[number].extract(frame)) for number, frame in enumerate(frames)
                     if scene.crops[number] is not None)  # fmt: skip
            numbers, codes = [], []
            for batch in _batches(crops, WATCHED):
                numbers += [number for number, _ in batch]
                codes.append(self._codes([crop for _, crop in batch])[1])
        found = np.concatenate(codes)
        poses = np.full((scene.count, found.shape[1]), np.nan, np.float32)
        poses[numbers] = found
        return poses

    def _watched(self, video):
        """((n, M) mouth features, (n, P) codes of the pose) float32 of the n frames of a DrivingVideo."""
        found = [self._codes(batch) for batch in _batches(video.crops(self.crop), WATCHED)]
        return tuple(np.concatenate(part) for part in zip(*found, strict=True))

    @torch.inference_mode()
    def _codes(self, crops):
        """((n, M), (n, P)) float32 arrays of a list of n crops (S, S, 3) uint8."""
        features = self._network.watch(self.planes(np.stack(crops)).to(self._dtype))
        return tuple(part(features).float().cpu().numpy() for part in (self._network.mouth, self._network.pose))

    @torch.inference_mode()
    def _heard(self, waveform, fps, frames):
        """(frames, M) float32 mouth features of a sound (n,) float32, 16 kHz."""
        columns, found = log_mel(waveform), []
        for start in range(0, frames, HEARD):
            cut = log_mel_windows(columns, range(start, min(frames, start + HEARD)), fps, **self._windows)
            cut = torch.from_numpy(cut).to(self.device, self._dtype)
            found.append(self._network.hear(cut).float().cpu().numpy())
        return np.concatenate(found)

    def _pictures(self, faces):
        """(B, 3, S, S) tensor in [0, 1] -> (B, S, S, 3) uint8."""
        faces = faces.float().mul(255).round().clamp(0, 255).to(torch.uint8)
        return faces.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _smoothing(options):
    """Seconds over which the movement of the head is smoothed."""
    return SMOOTHING if options.pose_smoothing is None else options.pose_smoothing


def _say_what_is_used(video, head, first, seconds):
    """Notes where a pose video has a cut, and where it is shorter than the result."""
    cuts = video.track.cuts()
    if cuts:
        last = first + len(head.codes) - 1
        say_note(f"--pose {video.path}: has {len(cuts) + 1} shots; the head follows the longest, frames {first} to {last}")
    if head.seconds + 1 / float(video.fps) < seconds:
        say_note(f"--pose {video.path}: its movement lasts {head.seconds:.1f} s and the result {seconds:.1f} s; it is played "
                 "to and fro")  # fmt: skip


def _batches(things, most):
    """Yield lists of at most `most` things."""
    batch = []
    for thing in things:
        batch.append(thing)
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch

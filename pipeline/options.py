"""What one job is told to do, checked before any work begins."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from common.errors import InputError
from common.files import require_file
from common.places import check_output
from common.suggest import refuse_unknown
from faces.detectors import DETECTORS
from faces.paste import PASTE_STYLES
from faces.tracking.track import FaceSelection
from pipeline.playback.timeline import LOOP_MODES
from speech.labelling import SpeechText

MAX_FPS = 240
OUTPUT_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
OUTPUTS = ("frame", "crop")
COVERED = ("keep", "draw")
DEFAULT_FPS = Fraction(25)
MOST_AMPLITUDE = 3.0
MOST_GAIN, MOST_STEPS, MOST_DDIM_STEPS = 3.0, 200, 1000
MOST_SMOOTHING = 2.0  # seconds
STILL = "still"  # what `--pose` says for a head that keeps its pose


@dataclass(frozen=True)
class Transform:
    """What is done to each frame before anything looks at it, in this order.

    Attributes:
        resize_factor: height and width are divided by it.
        rotate: turn by 90 degrees clockwise.
        crop: top, bottom, left, right in pixels, ends exclusive; -1 for bottom or right means the edge.
    """

    resize_factor: int = 1
    rotate: bool = False
    crop: tuple[int, int, int, int] = (0, -1, 0, -1)

    def __post_init__(self):
        if self.resize_factor < 1:
            raise InputError(f"--resize_factor {self.resize_factor}: must be a whole number from 1 up")


@dataclass(frozen=True)
class FaceOptions:
    """Everything that decides the track of a face video, and nothing else: it is part of the key under which tracks are stored.

    Attributes:
        transform: see Transform.
        static: only the first frame of a video is used.
        fps: frame rate for a picture; None means 25.
        detector: name for `faces.detectors.build_detector`.
        selection: which face to follow.
        detector_weights: folder with the detector's weight files; None takes the detector's own place.
    """

    transform: Transform = field(default_factory=Transform)
    static: bool = False
    fps: Fraction | None = None
    detector: str = "mediapipe"
    selection: FaceSelection = field(default_factory=FaceSelection)
    detector_weights: str | None = None

    def __post_init__(self):
        if self.detector not in DETECTORS:
            raise InputError(f"--detector {self.detector}: unknown; choose one of {', '.join(DETECTORS)}")
        if self.fps is not None and not 0 < self.fps <= MAX_FPS:
            raise InputError(f"--fps {self.fps}: must be more than 0 and at most {MAX_FPS} frames a second")


@dataclass(frozen=True)
class DriveOptions:
    """How a tracked face is driven.

    Attributes:
        pads: top, bottom, left, right added to a box crop; None takes those of the checkpoint.
        box: top, bottom, left, right of a fixed face box; None follows the track.
        smooth: smooth the path of the crop.
        loop: what follows the end of a video that is shorter than the audio, see `pipeline.playback.timeline.loop_index`; None
            takes what the driver says.
        reference: "same", "fixed", the number of a frame, or None for the checkpoint's own way.
        visible_mark: draw a small mark into the picture.
        batch_size: most faces in one batch of the model; None chooses by device.
        speech: what is known of the words, for a model that wants phonemes.
        optimise_face: match colour and detail of the drawn face to those of the reference frame, see `faces.optimise`.
        paste: one of `faces.paste.PASTE_STYLES`; None takes "feather".
        output: "frame" for whole frames, "crop" for the driver's square crop alone; None takes what the driver is made for.
        amplitude: factor on the movement of lips, for a driver that moves them; None is 1.
        source_gap: such a driver takes no pixel from within so many frames of the one that is drawn; None and 0 allow all.
        refiner: checkpoint of a lip refiner, for such a driver; None refines nothing.
        covered: "keep" leaves frames as they are in which something covers the mouth, "draw" draws over it; None is "keep",
            and "draw" beside `--compat` and where no frame shows a free mouth.
        identity_steps: steps for which a driver trains its network on the reference before it draws; None is 0.
        speech_gain: factor on the codes of what is followed, for a driver that has such codes; None is 1.
        stabilise: such a driver registers each drawn face to the crop of the source.
        ddim_steps: steps of the sampler, for a driver that draws by diffusion; None takes those of the checkpoint.
        pose_amplitude: factor on the movement of the head, for a driver that moves it; None is 1.
        pose_smoothing: seconds, width of the Gaussian kernel over that movement; None takes the driver's own.
        absolute_pose: such a driver takes the pose of the video as it is, and not relative to that of the picture.
    """

    pads: tuple[int, int, int, int] | None = None
    box: tuple[int, int, int, int] | None = None
    smooth: bool = True
    loop: str | None = None
    reference: str | int | None = None
    visible_mark: bool = False
    batch_size: int | None = None
    speech: SpeechText = field(default_factory=SpeechText)
    optimise_face: bool = False
    paste: str | None = None
    output: str | None = None
    amplitude: float | None = None
    source_gap: int | None = None
    refiner: Path | None = None
    covered: str | None = None
    identity_steps: int | None = None
    speech_gain: float | None = None
    stabilise: bool = False
    ddim_steps: int | None = None
    pose_amplitude: float | None = None
    pose_smoothing: float | None = None
    absolute_pose: bool = False

    def __post_init__(self):
        if self.paste is not None:
            refuse_unknown([self.paste], PASTE_STYLES, "style of --paste")
        if self.output is not None:
            refuse_unknown([self.output], OUTPUTS, "kind of --output")
        if self.covered is not None:
            refuse_unknown([self.covered], COVERED, "value of --covered")
        if self.loop not in (None, *LOOP_MODES):
            raise InputError(f"--loop {self.loop}: unknown; choose one of {', '.join(LOOP_MODES)}")
        if self.reference not in (None, "same", "fixed") and not (isinstance(self.reference, int) and self.reference >= 0):
            raise InputError(f"--reference {self.reference}: choose same, fixed, or the number of a frame, counted from 0")
        if self.batch_size is not None and self.batch_size < 1:
            raise InputError(f"--wav2lip_batch_size {self.batch_size}: must be 1 or more")
        if self.amplitude is not None and not 0 <= self.amplitude <= MOST_AMPLITUDE:
            raise InputError(f"--amplitude {self.amplitude:g}: must be from 0, a mouth at rest, to {MOST_AMPLITUDE:g}")
        if self.source_gap is not None and self.source_gap < 0:
            raise InputError(f"--source_gap {self.source_gap}: must be a whole number from 0 up")
        if self.identity_steps is not None and not 0 <= self.identity_steps <= MOST_STEPS:
            raise InputError(f"--identity_steps {self.identity_steps}: must be a whole number from 0 to {MOST_STEPS}")
        if self.speech_gain is not None and not 0 <= self.speech_gain <= MOST_GAIN:
            raise InputError(f"--speech_gain {self.speech_gain:g}: must be from 0 to {MOST_GAIN:g}")
        if self.ddim_steps is not None and not 1 <= self.ddim_steps <= MOST_DDIM_STEPS:
            raise InputError(f"--ddim_steps {self.ddim_steps}: must be a whole number from 1 to {MOST_DDIM_STEPS}")
        if self.pose_amplitude is not None and not 0 <= self.pose_amplitude <= MOST_AMPLITUDE:
            raise InputError(f"--pose_amplitude {self.pose_amplitude:g}: must be from 0, a head that keeps its pose, to "
                             f"{MOST_AMPLITUDE:g}")  # fmt: skip
        if self.pose_smoothing is not None and not 0 <= self.pose_smoothing <= MOST_SMOOTHING:
            raise InputError(f"--pose_smoothing {self.pose_smoothing:g}: must be from 0 to {MOST_SMOOTHING:g} seconds")


@dataclass(frozen=True)
class Job:
    """One result to make, as absolute paths.

    Attributes:
        face: picture or video with the face.
        audio: sound, or None where `drive` brings it.
        outfile: video to write.
        drive: video whose speech is followed, or None.
        pose: video whose head movement is followed, or None.
        still: the head keeps its pose, as `--pose still` says.
    """

    face: Path
    audio: Path | None
    outfile: Path
    drive: Path | None = None
    pose: Path | None = None
    still: bool = False

    @property
    def given(self):
        """What the result follows, in the words of `pipeline.drivers.driver.FOLLOWS`: set of str."""
        return {"sound", *followed(self.drive, self.pose or (STILL if self.still else None))}

    @staticmethod
    def of(face, audio, outfile, *, drive=None, pose=None, keep=()):
        """Check the paths that a user gave.

        Args:
            face, audio, outfile, drive, pose: paths; relative ones are seen from the current folder; either `audio` or `drive`.
                `pose` may be the word "still".
            keep: further inputs (the checkpoint, the list of jobs) that must not be overwritten.

        Raises:
            InputError: an input is missing, empty or unreadable, or the output cannot be written or would replace an input.
        """
        if audio and drive:
            raise InputError("--drive brings its own sound; leave --audio out")
        if not audio and not drive:
            raise InputError("--audio: give the speech: an audio file, or a video with sound (or a driving video with --drive)")
        still = pose == STILL
        paths = (face, audio, outfile, drive, None if still else pose)
        job = Job(*(None if not path else Path(path).absolute() for path in paths), still=still)
        inputs = {"face picture or video": job.face, "audio": job.audio, "driving video": job.drive, "pose video": job.pose}
        inputs = {what: path for what, path in inputs.items() if path is not None}
        check_output(job.outfile, (*inputs.values(), *keep), suffixes=OUTPUT_SUFFIXES)  # before a pipe is read to its end
        for what, path in inputs.items():
            require_file(path, what, pipes=True)
        return job


def followed(drive, pose):
    """What a result follows beside its sound, in the words of `pipeline.drivers.driver.FOLLOWS`.

    Args:
        drive: path, or None. pose: path, the word "still", or None.

    Returns:
        list of str.
    """
    names = ["drive"] if drive else []
    return names + ["still" if pose == STILL else "pose"] * bool(pose)


def check_face(face, outfile, *, keep=()):
    """The same for a preview, which needs no audio: absolute (face, outfile), or InputError."""
    face, outfile = Path(face).absolute(), Path(outfile).absolute()
    require_file(face, "face picture or video", pipes=True)
    check_output(outfile, (face, *keep), suffixes=(".png",))
    return face, outfile


def refuse_beside_compat(compat, options, given=()):
    """Refuse what cannot go together with the promise of another program's pixels.

    Args:
        compat: value of `--compat`, or None.
        options: DriveOptions.
        given: those of `pipeline.drivers.driver.FOLLOWS` that the user gave.
    """
    if compat is None:
        return
    flags = [flag for flag, on in (("--optimise_face", options.optimise_face), ("--paste", options.paste)) if on]
    flags += [flag for name, flag in (("drive", "--drive"), ("pose", "--pose"), ("still", "--pose")) if name in given]
    if options.output == "crop":
        flags.append("--output crop")
    if options.covered == "keep":
        flags.append("--covered keep")
    if flags:
        raise InputError(f"--compat {compat} computes what the public script computes; leave {flags[0]} out")

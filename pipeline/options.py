"""What one job is told to do, checked before any work begins."""

import os
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from common.errors import InputError
from common.files import require_file
from common.suggest import refuse_unknown
from faces.detectors import DETECTORS
from faces.paste import PASTE_STYLES
from faces.track import FaceSelection
from pipeline.timeline import LOOP_MODES
from speech.labelling import SpeechText

MAX_FPS = 240
OUTPUT_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
DEFAULT_FPS = Fraction(25)


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
        loop: what follows the end of a video that is shorter than the audio, see `pipeline.timeline.loop_index`; None takes
            "pingpong", and "loop" with `compat`.
        reference: "same", "fixed", the number of a frame, or None for the checkpoint's own way.
        compat: None, or "wav2lip" for what the public inference script computes.
        visible_mark: draw a small mark into the picture.
        batch_size: most faces in one batch of the model; None chooses by device.
        speech: what is known of the words, for a model that wants phonemes.
        optimise_face: match colour and detail of the drawn face to those of the reference frame, see `faces.optimise`.
        paste: one of `faces.paste.PASTE_STYLES`; None takes "feather", and the whole square with `compat`.
    """

    pads: tuple[int, int, int, int] | None = None
    box: tuple[int, int, int, int] | None = None
    smooth: bool = True
    loop: str | None = None
    reference: str | int | None = None
    compat: str | None = None
    visible_mark: bool = False
    batch_size: int | None = None
    speech: SpeechText = field(default_factory=SpeechText)
    optimise_face: bool = False
    paste: str | None = None

    def __post_init__(self):
        if self.paste is not None:
            refuse_unknown([self.paste], PASTE_STYLES, "style of --paste")
        if self.compat and (self.optimise_face or self.paste):
            flag = "--optimise_face" if self.optimise_face else "--paste"
            raise InputError(f"--compat wav2lip computes what the public script computes; leave {flag} out")
        if self.loop not in (None, *LOOP_MODES):
            raise InputError(f"--loop {self.loop}: unknown; choose one of {', '.join(LOOP_MODES)}")
        if self.compat not in (None, "wav2lip"):
            raise InputError(f"--compat {self.compat}: unknown; the only choice is wav2lip")
        if self.reference not in (None, "same", "fixed") and not (isinstance(self.reference, int) and self.reference >= 0):
            raise InputError(f"--reference {self.reference}: choose same, fixed, or the number of a frame, counted from 0")
        if self.compat and self.reference not in (None, "same"):
            raise InputError("--compat wav2lip takes each frame as its own reference; leave --reference out")
        if self.batch_size is not None and self.batch_size < 1:
            raise InputError(f"--wav2lip_batch_size {self.batch_size}: must be 1 or more")


@dataclass(frozen=True)
class Job:
    """One result to make: absolute paths of the face picture or video, of the audio, and of the video to write."""

    face: Path
    audio: Path
    outfile: Path

    @staticmethod
    def of(face, audio, outfile, *, keep=()):
        """Check the paths that a user gave.

        Args:
            face, audio, outfile: paths; relative ones are seen from the current folder.
            keep: further inputs (the checkpoint, the list of jobs) that must not be overwritten.

        Raises:
            InputError: an input is missing, empty or unreadable, or the output cannot be written or would replace an input.
        """
        job = Job(*(Path(os.path.abspath(path)) for path in (face, audio, outfile)))
        require_file(job.face, "face picture or video")
        require_file(job.audio, "audio")
        check_output(job.outfile, (job.face, job.audio, *keep), OUTPUT_SUFFIXES)
        return job


def check_face(face, outfile, *, keep=()):
    """The same for a preview, which needs no audio: absolute (face, outfile), or InputError."""
    face, outfile = Path(os.path.abspath(face)), Path(os.path.abspath(outfile))
    require_file(face, "face picture or video")
    check_output(outfile, (face, *keep), (".png",))
    return face, outfile


def check_output(path, inputs, suffixes):
    """Refuse an output that is one of the inputs, has another kind of name, or lies where no file can be made.

    Raises:
        InputError: says which, and what to do.
    """
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: the output must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file name for the output")
    for source in inputs:
        if _same_file(path, Path(source)):
            raise InputError(f"{path}: the output is the same file as the input {source}; choose another --outfile")
    folder = path.parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"{path}: cannot be written, for {folder} is not a folder; choose another --outfile")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written, for {folder} may not be changed; choose another --outfile")


def _same_file(path, other):
    """Also through symbolic and hard links."""
    try:
        return path.resolve() == other.resolve() or path.samefile(other)
    except (OSError, RuntimeError):
        return False

"""What a result follows: a sound, a driving video for the speech, another one for the pose."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import repeat

import numpy as np

from common.errors import InputError
from faces.crops import plan_crops
from pipeline.options import FaceOptions
from pipeline.playback.source import FaceSource
from pipeline.playback.timeline import loop_index
from pipeline.sound import Sound
from pipeline.tracking import prepare
from speech.labelling import SpeechText

OVERHANG = 0.25  # seconds by which the sound of a driving video may outlast its picture; what follows its picture holds the end
PADDING = 0.1  # seconds of a sound's packets that may be an encoder's padding


class DrivingVideo:
    """A video whose face says what another face shall do. It is decoded anew for each pass, so memory does not grow with it.

    Args:
        source: pipeline.playback.source.FaceSource.
        track: FaceTrack of its first frames.
        smooth: the path of its crops is smoothed unless `crops` is told otherwise.

    Attributes:
        path: the file; smooth: as given.
        fps: Fraction, its own frames a second.
        track: FaceTrack, one place a frame.
    """

    def __init__(self, source, track, smooth=True):
        self._source, self.track, self.smooth = source, track, smooth
        self.path, self.fps = source.path, source.fps

    @staticmethod
    def follow(path, flag, options, *, store, seconds=None, smooth=True, device="cpu", batch_size=8):
        """Find and follow the largest face of a video.

        Args:
            path: the video.
            flag: "--drive" or "--pose", for messages.
            options: FaceOptions of the job; only the detector and its weights count for a driving video.
            store: pipeline.tracking.TrackStore.
            seconds: how much of it is needed; None for all.
            smooth: smooth the path of its crops, as `--nosmooth` says.
            device, batch_size: for the detector.

        Raises:
            InputError: a picture, a file that cannot be read, or a video without a face.
        """
        source, options = open_driving(path, flag, options)
        frames = None if seconds is None else max(1, int(seconds * source.fps) + 1)
        try:
            how = {"device": device, "batch_size": batch_size, "advice": "use another video"}
            track = prepare(source, options, store=store, frames=frames, **how)
        except InputError as error:
            raise InputError(f"{flag}: {error}") from error
        return DrivingVideo(source, track, smooth)

    def __len__(self):
        """Frames that were looked at."""
        return len(self.track)

    def crops(self, spec, *, smooth=None):
        """Yield one (S, S, 3) uint8 RGB crop for each frame; one without a face repeats the last face (or the next).

        Args:
            spec: faces.crops.CropSpec.
            smooth: smooth the path of the crop; None: as it was made to.

        Raises:
            InputError: the face is never inside the frame, or the file has changed since it was tracked.
        """
        waiting, last, seen = 0, None, 0
        plan = plan_crops(self.track, spec, fps=self.fps, smooth=self.smooth if smooth is None else smooth)
        for crop, frame in zip(plan, self._source.frames(0, len(plan)), strict=False):
            seen += 1
            if crop is not None:
                last = crop.extract(frame)
            elif last is None:
                waiting += 1
                continue
            yield from repeat(last, waiting + 1)
            waiting = 0
        if seen < len(plan) or last is None:
            what = f"gave {seen} frames where {len(plan)} were expected; was it changed meanwhile?"
            raise InputError(f"{self.path}: {'the face is never inside the frame' if last is None else what}")

    def shown(self, fps, frames, loop="hold"):
        """Which of its frames is on screen at each frame of the result.

        Args:
            fps: Fraction, of the result.
            frames: int, of the result.
            loop: what follows its end, see `pipeline.playback.timeline.loop_index`.

        Returns:
            (frames,) int64 in [0, len(self)).
        """
        return np.array([loop_index(int(t * self.fps / fps), len(self), loop) for t in range(frames)], np.int64)

    def at_rate(self, values, fps, frames, loop="hold"):
        """Values of its frames brought to the frames of a result: linear between the middles of frames.

        Args:
            values: (n, D) float32, of its frames, or of a run of them, which then begins the result.
            fps: Fraction, of the result.
            frames: int, of the result.
            loop: what follows the last value: "hold", or "pingpong": they go backwards and forwards.

        Returns:
            (frames, D) float32; the values themselves where the rates are equal.
        """
        places = np.array([(2 * t + 1) * self.fps / fps / 2 - Fraction(1, 2) for t in range(frames)], np.float64)
        if loop == "pingpong":
            places = np.clip(places, 0, None) % max(2 * (len(values) - 1), 1)
            places = np.minimum(places, 2 * (len(values) - 1) - places)
        places = np.clip(places, 0, len(values) - 1)
        first = places.astype(np.int64)
        share = (places - first).astype(np.float32)[:, None]
        return values[first] * (1 - share) + values[np.minimum(first + 1, len(values) - 1)] * share


def open_driving(path, flag, options):
    """(FaceSource, FaceOptions) of a driving video, with its arguments as for `DrivingVideo.follow`; nothing is decoded yet.

    Raises:
        InputError: a picture, or a file that cannot be read.
    """
    options = FaceOptions(detector=options.detector, detector_weights=options.detector_weights)
    source = FaceSource(path, options, "driving video" if flag == "--drive" else "pose video")
    if source.is_image:
        raise InputError(f"{flag} {path}: is a picture; give a video whose face moves")
    return source, options


def require_equal_length(path):
    """Refuse a driving video whose picture ends before its sound; its packets are listed, nothing is decoded.

    Raises:
        InputError: see `require_picture`.
    """
    from media.length import track_ends

    seen, heard = track_ends(path, "driving video")
    if heard is not None:
        require_picture(path, seen, heard, PADDING)


def require_picture(path, seen, heard, padding=0.0):
    """Refuse a driving video whose sound outlasts its picture by more than OVERHANG.

    Args:
        path: of the video; seen, heard: seconds of its picture and of its sound.
        padding: seconds of `heard` that may be none.

    Raises:
        InputError: names both lengths.
    """
    if heard - padding > seen + OVERHANG:
        raise InputError(f"--drive {path}: its picture ends after {seen:.1f} s, its sound after {heard:.1f} s; cut both to one "
                         "length, or give the sound alone with --audio")  # fmt: skip


@dataclass(frozen=True)
class Driving:
    """What the result follows; `Driver.listen` takes what it needs of it.

    Attributes:
        sound: Sound, or None where a driving video is silent.
        words: what is known of the words that are said.
        speech: DrivingVideo whose mouth and expression are followed (`--drive`), or None.
        pose: DrivingVideo whose head movement is followed (`--pose`), or None.
        still: the head keeps its pose (`--pose still`).
    """

    sound: Sound | None
    words: SpeechText = field(default_factory=SpeechText)
    speech: DrivingVideo | None = None
    pose: DrivingVideo | None = None
    still: bool = False

"""A checkpoint, loaded once, that drives faces with speech."""

import logging
from pathlib import Path

from pipeline.drive import run_job
from pipeline.drivers import load_driver
from pipeline.options import DriveOptions, FaceOptions, Job, followed, refuse_beside_compat
from pipeline.tracking import TrackStore, default_cache
from talking_faces.folders import CHECKPOINTS

log = logging.getLogger(__name__)


class Talker:
    """A checkpoint, loaded once, that drives any number of faces.

    Args:
        checkpoint: path of weights: ours (.safetensors), or a published .pth of Wav2Lip; None takes
            `CHECKPOINTS / "lipwarp.safetensors"`.
        device: "auto", "cuda", "cuda:1", "mps" or "cpu".
        precision: "auto" (fp16 on CUDA, fp32 elsewhere and with `compat`), "fp32", "fp16" or "bf16".
        compat: "wav2lip" computes what the public Wav2Lip script computes; None is our own way.
        cache: folder in which face tracks are kept for the next time; None takes that of the scripts, False keeps none on disk.

    Attributes:
        checkpoint: pathlib.Path of the weights.
        driver: pipeline.drivers.Driver, which draws the faces; `driver.device` and `driver.precision` say where and how.

    Raises:
        InputError: no such checkpoint, or weights, a device or a precision that cannot be used. The message has one line.
    """

    def __init__(self, checkpoint=None, *, device="auto", precision="auto", compat=None, cache=None):
        self.checkpoint = Path(checkpoint or CHECKPOINTS / "lipwarp.safetensors")
        self.driver = load_driver(self.checkpoint, device=device, precision=precision, compat=compat)
        self._compat, self._store = compat, TrackStore(None if cache is False else cache or default_cache())

    def drive(self, face, audio, outfile, *, drive=None, pose=None, options=None, face_options=None):
        """Make one talking video.

        The result has the frame rate of the face video (25 frames a second for a picture) and the length of the sound. It
        appears under its name when it is complete, and its folder is made.

        Args:
            face: path of a video or picture with the face; any size, rate and codec that FFmpeg reads.
            audio: path of an audio file, or of a video with sound; any rate, any number of channels. None with `drive`.
            outfile: path of the video to write: .mp4, .m4v, .mov or .mkv.
            drive: path of a video whose speech and expression are followed, in place of `audio`.
            pose: path of a video whose head movement is followed, or the word "still": the head keeps its pose.
            options: DriveOptions: how the face is driven (amplitude, reference, paste, ...); None takes the defaults.
            face_options: FaceOptions: which face, at which rate, found by which detector; None takes the defaults.

        Returns:
            Report: `outfile`, `frames`, `video_seconds` and `elapsed` in seconds, and the numbers of the source frames in
            which no face was found (`faceless`) or drawn (`left_out`).

        Raises:
            InputError: a file or an option that cannot be used; nothing is then left at `outfile`. The message has one line
                and names the flag of inference.py that the argument belongs to.
        """
        job = Job.of(face, audio, outfile, drive=drive, pose=pose, keep=[self.checkpoint])
        options = options or DriveOptions()
        refuse_beside_compat(self._compat, options, followed(drive, pose))
        for note in self.driver.unused(options):
            log.warning("%s", note)
        return run_job(job, self.driver, face_options or FaceOptions(), options, store=self._store)

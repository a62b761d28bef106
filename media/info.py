"""What a video or picture is, without decoding more than one frame."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av

from common.errors import InputError
from common.files import require_file
from media.container import audio_stream, claimed_seconds, open_input, start_seconds, video_stream, zero_seconds
from media.pixels import FrameConverter, luma_weights
from media.rates import agreeing_rate, measured_rate, snap_rate
from media.stills import check_pixels, open_still, still_size

_MEASURED_PACKETS = 200
STILL_FPS = Fraction(25)


@dataclass(frozen=True)
class VideoInfo:
    """A video or picture as `VideoReader` gives it.

    Attributes:
        path: the file.
        width, height: pixels after rotation and with square pixels.
        fps: rate of the constant-rate timeline; 25 for a picture.
        frames: length of the timeline by the container's claim; None when it does not say; 1 for a picture.
        seconds: duration of the picture track by the container's claim, or None.
        rotation: degrees clockwise by which stored frames are turned for display, after mirroring if any: 0, 90, 180 or 270.
        has_audio: the file has a sound track.
        is_image: the file is a still picture.
        luma: weights of red and blue of the matrix by which its YUV becomes RGB, as the file says or by the rule of
            `media.pixels.colour_matrix`; None where it is stored as RGB, and for a picture.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frames: int | None
    seconds: float | None
    rotation: int
    has_audio: bool
    is_image: bool
    luma: tuple[float, float] | None = None


def probe(path):
    """Look at a video or picture.

    Args:
        path: any file that ffmpeg reads with a video track, or a png, jpg, webp, bmp, tiff, gif or ppm picture.

    Returns:
        VideoInfo.

    Raises:
        InputError: no such file, empty, unreadable, no video track, no frame that decodes, more than 2**26 pixels.
    """
    path = require_file(path, "video or picture")
    with open_still(path) as image:
        if image is not None:
            width, height, rotation = still_size(image, path)
            return VideoInfo(path, width, height, STILL_FPS, 1, None, rotation, has_audio=False, is_image=True)
    with open_input(path, "video or picture") as container:
        stream = video_stream(container, path)
        check_pixels(path, stream.codec_context.width, stream.codec_context.height)
        seconds = _seconds(container, stream)
        claimed = stream.frames
        fps = agreeing_rate(stream.average_rate, stream.guessed_rate)
        sound = audio_stream(container)
        start = start_seconds(stream)
        zero = zero_seconds(start, start_seconds(sound))
        first = _first_frame(container, stream, path)
        width, height, rotation = FrameConverter(stream.sample_aspect_ratio).size(first)
    if fps is None:
        fps = _measure(path)
    if seconds:
        seconds += start - zero
    frames = max(1, round(seconds * fps)) if seconds else (claimed or None)
    seconds = float(seconds) if seconds else None
    sounds = sound is not None
    return VideoInfo(path, width, height, fps, frames, seconds, rotation, sounds, is_image=False, luma=luma_weights(first))


def _seconds(container, stream):
    """Claimed duration of a stream, else of the container, in seconds (Fraction), or None."""
    claim = claimed_seconds(stream)
    if claim is None and container.duration and container.duration > 0:
        return Fraction(container.duration, av.time_base)
    return claim


def _first_frame(container, stream, path):
    """The first frame that decodes; InputError when none does."""
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        if frames:
            return frames[0]
    raise InputError(f"{path}: no picture in it can be decoded; the file is damaged, cut short, or of an unknown codec")


def _measure(path):
    """Frame rate by the time stamps of the first packets, for files whose header contradicts itself or says nonsense."""
    with open_input(path, "video") as container:
        stream = video_stream(container, path)
        times = [
            packet.pts * packet.time_base
            for packet in islice(container.demux(stream), _MEASURED_PACKETS)
            if packet.pts is not None
        ]
        claim = stream.average_rate or stream.guessed_rate
    return measured_rate(times) or (snap_rate(claim) if claim and claim > 0 else STILL_FPS)


def read_metadata(path):
    """Tags of a media file as a dict of str to str, keys in lower case (Matroska stores them in capitals)."""
    with open_input(path, "media file") as container:
        return {key.lower(): value for key, value in container.metadata.items()}

"""What a video or picture is, without decoding more than one frame."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av

from common.errors import InputError
from common.files import require_file
from media.colour.lookup import mapping_of
from media.container import (
    audio_stream,
    claimed_seconds,
    open_input,
    picture_decoder,
    start_seconds,
    track_notes,
    video_stream,
    zero_seconds,
)
from media.deinterlace import is_interlaced, stated_order
from media.notes import ALPHA, DOLBY, INTERLACED
from media.pictures.animations import measure_animation
from media.pictures.kinds import BY_FFMPEG, check_pixels, is_animation, open_picture
from media.pictures.stills import read_still
from media.pixels import BT709_LUMA, FrameConverter, is_transparent, luma_weights
from media.rates import agreeing_rate, measured_rate, snap_rate

_MEASURED_PACKETS = 200
_DOLBY_TAGS = {"dvh1", "dvhe", "dva1", "dvav", "dav1"}  # sample entries of Dolby Vision in mp4
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
        is_animation: it is a picture that moves: GIF, APNG, WebP, AVIF.
        luma: weights of red and blue of the matrix by which its YUV becomes RGB, as the file says or by the rule of
            `media.pixels.colour_matrix`; None where it is stored as RGB, and for a picture. Of HDR and wide colours that
            become BT.709, its weights.
        notes: what is changed in it before use (HDR, interlace, transparency, colour profile, choice of a track): tuple of str,
            a sentence each.
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
    is_animation: bool = False
    notes: tuple[str, ...] = ()


def probe(path, what="video or picture"):
    """Look at a video or picture; a picture is decoded, of a video the first frame.

    Args:
        path: any file that ffmpeg reads with a video track, or a picture: png, jpg, webp, bmp, tiff, gif, ppm, heic, avif,
            JPEG XL, JPEG 2000.
        what: what it was given for, for messages: "face picture or video".

    Returns:
        VideoInfo.

    Raises:
        InputError: no such file, empty, unreadable, no video track, no frame that decodes, more than 2**26 pixels.
    """
    path = require_file(path, what, pipes=True)
    with open_picture(path) as image:
        if image is not None:
            return _picture_info(image, path)
    with open_input(path, what) as container:
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
        notes = (*track_notes(container, stream), *_changes(first, stream))
        moves = container.format.name in BY_FFMPEG.values()
    if fps is None:
        fps = _measure(path)
    if seconds:
        seconds += start - zero
    frames = max(1, round(seconds * fps)) if seconds else (claimed or None)
    seconds = float(seconds) if seconds else None
    sounds = sound is not None
    about = {"luma": luma_weights(first) if mapping_of(first) is None else BT709_LUMA, "is_animation": moves, "notes": notes}
    return VideoInfo(path, width, height, fps, frames, seconds, rotation, sounds, is_image=False, **about)


def _picture_info(image, path):
    """VideoInfo of an open picture, still or animated."""
    rgb, notes, rotation = read_still(path, image)
    height, width = rgb.shape[:2]
    if not is_animation(image):
        return VideoInfo(path, width, height, STILL_FPS, 1, None, rotation, has_audio=False, is_image=True, notes=notes)
    fps, seconds = measure_animation(image, path)
    frames = seconds and max(1, round(seconds * fps))
    about = {"has_audio": False, "is_image": False, "is_animation": True, "notes": notes}
    return VideoInfo(path, width, height, fps, frames, seconds and float(seconds), rotation, **about)


def _changes(frame, stream):
    """Tuple of str: what is done to the frames of a video, by its first one."""
    mapping, dolby = mapping_of(frame), stream.codec_context.codec_tag.lower() in _DOLBY_TAGS
    found = {
        DOLBY: dolby and mapping is None,
        mapping and mapping.note: mapping is not None,
        INTERLACED: is_interlaced(frame, stated_order(stream)),
        ALPHA: is_transparent(frame),
    }
    return tuple(note for note, holds in found.items() if holds)


def _seconds(container, stream):
    """Claimed duration of a stream, else of the container, in seconds (Fraction), or None."""
    claim = claimed_seconds(stream)
    if claim is None and container.duration and container.duration > 0:
        return Fraction(container.duration, av.time_base)
    return claim


def _first_frame(container, stream, path):
    """The first frame that decodes; InputError when none does."""
    decode = picture_decoder(stream)
    for packet in container.demux(stream):
        try:
            frames = decode(packet)
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

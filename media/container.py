"""Opening a media file, choosing its streams, and the zero of time that picture and sound share."""

import re
from contextlib import contextmanager
from fractions import Fraction

import av
from av.stream import Disposition

from common.errors import InputError
from common.files import require_file

_NOT_MEDIA = {"tty", "hls", "dash", "concat", "ffmetadata", "webvtt", "srt", "ass"}
_BUFFER = 1 << 18
LONGEST_CUT_LEAD = Fraction(1, 20)


@contextmanager
def open_input(path, what):
    """Yield an open PyAV input container.

    The file is handed over as an open file object: any name works, no name is taken for a protocol, option or pattern, and
    playlists that point to other files or hosts are not followed.

    Args:
        path: the file.
        what: what it should be, for messages: "face video", "audio".

    Raises:
        InputError: no such file, empty, or nothing that ffmpeg can read.
    """
    path = require_file(path, what)
    with open(path, "rb") as file:
        try:
            container = av.open(file, options={"protocol_whitelist": "none"}, metadata_errors="replace", buffer_size=_BUFFER)
        except (av.error.FFmpegError, ValueError) as error:
            raise InputError(
                f"{path}: cannot be read as {what}: not a media file, or one that was cut short before its index was written"
            ) from error
        with container:
            if container.format.name in _NOT_MEDIA:
                raise InputError(f"{path}: is a text or playlist file, not {what}")
            yield container


def video_stream_or_none(container):
    """The first real video stream (cover art does not count), or None."""
    streams = (stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic)
    return next(streams, None)


def video_stream(container, path):
    """The first real video stream (cover art does not count); InputError when there is none."""
    stream = video_stream_or_none(container)
    if stream is None:
        raise InputError(f"{path}: has no video track; give a video or a picture")
    if stream.codec_context is None:
        raise InputError(f"{path}: its video is of a kind that cannot be decoded; convert it to H.264 in mp4")
    return stream


def audio_stream(container):
    """The sound track that ffmpeg thinks best, or None."""
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    best = container.streams.best("audio") if streams else None
    return best or (streams[0] if streams else None)


def claimed_seconds(stream):
    """Duration that a container states for one stream, in seconds (Fraction), or None.

    Matroska has its end, which is not its duration, as a tag of the stream ("00:00:01.000000000").
    """
    if stream.duration and stream.duration > 0:
        return stream.duration * stream.time_base
    tag = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if not tag:
        return None
    hours, minutes, seconds = (Fraction(part) for part in tag.groups())
    return max((hours * 60 + minutes) * 60 + seconds - start_seconds(stream), 0) or None


def start_seconds(stream):
    """Start of a stream on the container's clock, in seconds (Fraction); None for no stream, 0 where it is not stated."""
    if stream is None:
        return None
    if stream.start_time is None or stream.time_base is None:
        return Fraction(0)
    return stream.start_time * stream.time_base


def zero_seconds(picture_start, sound_start):
    """The instant of the container's clock that is time 0 for picture and sound alike.

    It is the start of the picture. Where sound starts 50 ms or more before the picture, it is the start of the sound, and the
    first picture is held from there. A shorter lead, such as an encoder's priming, is cut off the sound instead, so that
    frame k of the timeline stays frame k of the file.

    Args:
        picture_start, sound_start: seconds (Fraction); sound_start may be None.
    """
    if sound_start is not None and picture_start - sound_start >= LONGEST_CUT_LEAD:
        return sound_start
    return picture_start

"""Opening a media file, choosing its streams, and the zero of time that picture and sound share."""

import re
from contextlib import contextmanager
from fractions import Fraction

import av
from av.stream import Disposition

from common.errors import InputError
from common.files import require_file
from common.pipes import readable
from media.notes import many_tracks

_NOT_MEDIA = {"tty", "hls", "dash", "concat", "ffmetadata", "webvtt", "srt", "ass"}
_BUFFER = 1 << 18
_COVERS = Disposition.attached_pic | Disposition.timed_thumbnails
_BESIDE = Disposition.still_image | Disposition.dependent  # stills, and layers that go with another track
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these leave transparency out
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
    path = require_file(path, what, pipes=True)
    with open(readable(path), "rb") as file:
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
    """The video stream that is meant, or None.

    Cover art and thumbnails do not count. Of several, one that can be decoded comes first; then one with frames in time, no
    still and no layer of another track; then the one that the container marks as default; then the largest; then the first.
    """
    streams = _video_streams(container)
    return max(streams, key=_rank, default=None)


def _video_streams(container):
    return [stream for stream in container.streams.video if not stream.disposition & _COVERS]


def _rank(stream):
    context = stream.codec_context
    area = 0 if context is None else context.width * context.height
    moves = stream.frames != 1 and not stream.disposition & _BESIDE
    return context is not None, moves, bool(stream.disposition & Disposition.default), area, -stream.index


def track_notes(container, stream):
    """Tuple of str: which of several video streams is read."""
    streams = _video_streams(container)
    if len(streams) < 2:
        return ()
    size = stream.codec_context.width, stream.codec_context.height
    return (many_tracks(len(streams), streams.index(stream) + 1, *size),)


def picture_decoder(stream):
    """Function from a packet of a video stream to its decoded frames, threads as the stream's own context has them.

    It is the stream's own decoder, but for VP8 and VP9 that say that they have transparency.
    """
    name = _WITH_ALPHA.get(stream.codec_context.name)
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if name is None or tags.get("alpha_mode") != "1":
        return lambda packet: packet.decode()
    context = av.CodecContext.create(name, "r")
    context.thread_count = stream.codec_context.thread_count
    return lambda packet: context.decode(packet if packet.size else None)


def video_stream(container, path):
    """The video stream that `video_stream_or_none` chooses; InputError when there is none, or none that can be decoded."""
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

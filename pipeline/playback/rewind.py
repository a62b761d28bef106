"""Frames from the middle of a video without decoding all that comes before: for playing backwards.

The timeline is that of `media.VideoReader`, as long as time stamps are in order. Seeking in damaged or spliced files can go
astray; the caller therefore checks what it gets against a frame that it knows, and falls back to reading from the start.
"""

import os
from fractions import Fraction
from itertools import islice

import av

from media import VideoReader
from media.container import audio_stream, open_input, picture_decoder, start_seconds, video_stream, zero_seconds
from media.deinterlace import deinterlaced, stated_order
from media.pixels import FrameConverter
from media.timeline import on_timeline, steady_times

LEAD_SECONDS = Fraction(1, 2)  # decoding begins at a key frame at least so long before
MAX_THREADS = 8


def frames_near(path, start, stop):
    """Frames `start` to `stop` (exclusive) of a video, by seeking.

    Args:
        path: the video.
        start, stop: numbers on the timeline of `media.VideoReader`.

    Returns:
        list of (H, W, 3) uint8 RGB, or None where seeking does not lead there.
    """
    with VideoReader(path) as reader:
        info = reader.info
    try:
        with open_input(path, "video") as container:
            stream = video_stream(container, path)
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = min(os.cpu_count() or 1, MAX_THREADS)
            zero = zero_seconds(start_seconds(stream), start_seconds(audio_stream(container)))
            begin = zero + start / info.fps
            container.seek(int((begin - LEAD_SECONDS) / stream.time_base), stream=stream, backward=True)
            convert = FrameConverter(stream.sample_aspect_ratio)
            decode = picture_decoder(stream)
            decoded = (frame for packet in container.demux(stream) for frame in decode(packet))
            timed = _timed(deinterlaced(decoded, stated_order(stream)), begin)
            shown = on_timeline(steady_times(timed, 1 / info.fps), info.fps)
            frames = [convert(frame) for frame in islice(shown, stop - start)]
    except (av.error.FFmpegError, LookupError):
        return None
    whole = len(frames) == stop - start and all(frame.shape == (info.height, info.width, 3) for frame in frames)
    return frames if whole else None


def _timed(decoded, begin):
    """(time after `begin`, duration, frame) in seconds; LookupError when the first frame is later, or one has no time."""
    first = True
    for frame in decoded:
        if frame.pts is None:
            raise LookupError("a frame without a time")
        time = frame.pts * frame.time_base - begin
        if first and time > 0:
            raise LookupError("the key frame lies behind the place that was sought")
        first = False
        yield time, frame.duration * frame.time_base if frame.duration else None, frame

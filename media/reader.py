"""A video, or a picture, as a stream of RGB frames on a constant-rate timeline."""

import logging
import os
from dataclasses import replace
from fractions import Fraction
from itertools import chain

import av
import numpy as np

from common.errors import InputError
from media.container import (
    audio_stream,
    claimed_seconds,
    open_input,
    picture_decoder,
    start_seconds,
    video_stream,
    zero_seconds,
)
from media.deinterlace import deinterlaced, stated_order
from media.info import probe
from media.notes import INTERLACED
from media.pictures.animations import animation_frames
from media.pictures.kinds import open_picture
from media.pictures.stills import read_still
from media.pixels import FrameConverter
from media.rates import MAX_FPS, as_rate
from media.timeline import on_timeline, steady_times

_LOG = logging.getLogger(__name__)
_MAX_THREADS = 8
READER = 2  # counts up when frames of some files come out otherwise, so that what is stored about them is made anew
_CUT_SECONDS = Fraction(1, 5)


class VideoReader:
    """Frames of a video one after the other; memory does not grow with its length.

    Args:
        path: any file that ffmpeg reads, or a picture (one frame).
        fps: wanted frame rate (Fraction, int, float or str); None keeps the file's own.
        exact: convert colours with exact rounding; slower (see `media.pixels.FrameConverter`).
        threads: of the decoder; None takes one a core, 8 at most.
        what: what the file was given for, for messages: "face video".

    Attributes:
        info: VideoInfo; `fps` and `frames` are those of the timeline that is given out.
        notes: `info.notes`, and after an iteration also what the first frame did not show: tuple of str.
        damage: after an iteration: None, or a sentence on what could not be decoded. It is logged as a warning, too.

    Frame i is what is on screen at i / fps, within a quarter of a frame (see `media.timeline.on_timeline`). Time 0 is the start
    of the picture, or of the sound where that comes first by 50 ms or more. Rotation, mirroring and non-square pixels
    are resolved, interlaced frames are deinterlaced, transparency is laid over grey, high bit depths are rounded to 8 bits,
    HDR and wide colours become BT.709; `notes` says what was done.
    A file that was cut short, or has damaged places, gives the frames that decode and sets `damage`.

    Raises:
        InputError: see `probe`; also a frame rate above 240 when `fps` is None, and a file in which nothing decodes.
    """

    def __init__(self, path, *, fps=None, exact=False, threads=None, what="video or picture"):
        info = probe(path, what)
        self._what = what
        self._threads = threads or min(os.cpu_count() or 1, _MAX_THREADS)
        self._frame_seconds = 1 / info.fps
        if fps is None and info.fps > MAX_FPS:
            raise InputError(
                f"{info.path}: has {float(info.fps):g} frames a second, more than {MAX_FPS}; choose a rate (fps), such as 25"
            )
        if fps is not None:
            rate = as_rate(fps)
            frames = info.frames
            if not info.is_image and info.seconds is not None:
                frames = max(1, round(info.seconds * float(rate)))
            elif not info.is_image:
                frames = None
            info = replace(info, fps=rate, frames=frames)
        self.info, self.notes = info, info.notes
        self.damage = None
        self._exact = exact
        self._closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End every iteration that is under way; the reader cannot be iterated again."""
        self._closed = True

    def __iter__(self):
        """Yield (H, W, 3) uint8 RGB arrays; each belongs to the caller, who may write into it."""
        if self._closed:
            raise ValueError(f"{self.info.path}: the reader is closed")
        if self.info.is_image:
            return self._still()
        return self._animation() if self.info.is_animation and self._is_pillows() else self._frames()

    def _is_pillows(self):
        """Whether the animation is read by Pillow, not by FFmpeg."""
        with open_picture(self.info.path) as image:
            return image is not None

    def _still(self):
        yield read_still(self.info.path).rgb.copy()

    def _animation(self):
        with open_picture(self.info.path) as image:
            timed = ((start, duration, rgb) for start, duration, rgb, _ in animation_frames(image, self.info.path))
            for shown in on_timeline(timed, self.info.fps):
                if self._closed:
                    return
                yield _same_size(shown, self.info).copy()

    def _frames(self):
        self.damage = None
        path = self.info.path
        with open_input(path, self._what) as container:
            stream = video_stream(container, path)
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = self._threads
            zero = zero_seconds(start_seconds(stream), start_seconds(audio_stream(container)))
            convert = FrameConverter(stream.sample_aspect_ratio, exact=self._exact)
            decoded = self._decode(container, stream)
            decoded = deinterlaced(decoded, stated_order(stream), self._threads, self._found_interlaced)
            first = next(decoded, None)
            if first is None:
                raise InputError(f"{path}: no picture in it can be decoded; the file is damaged or cut short")
            timed = (_timed(frame, zero) for frame in chain([first], decoded))
            for frame in on_timeline(steady_times(timed, self._frame_seconds), self.info.fps):
                if self._closed:
                    return
                yield _same_size(convert(frame), self.info)
        if self.damage:
            _LOG.warning("%s: %s", path, self.damage)

    def _found_interlaced(self):
        if INTERLACED not in self.notes:
            self.notes += (INTERLACED,)
            _LOG.warning("%s: %s", self.info.path, INTERLACED)

    def _decode(self, container, stream):
        """Frames that decode, in order of presentation; damage is noted, not raised."""
        broken = packets_read = frames_out = marred = 0
        read_until = None
        packets, decode = container.demux(stream), picture_decoder(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                self.damage = f"cannot be read beyond frame {frames_out} ({error.strerror}); the rest is left out"
                return
            if packet is None:
                break
            if packet.size:
                packets_read += 1
            if packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                read_until = end if read_until is None else max(read_until, end)
            try:
                frames = decode(packet)
            except av.error.FFmpegError:
                broken += 1
                continue
            frames_out += len(frames)
            marred += sum(frame.is_corrupt for frame in frames)
            yield from frames
        missing = _missing_seconds(stream, read_until)
        if missing > _CUT_SECONDS and (packets_read < stream.frames or not stream.frames):
            self.damage = f"the file is cut short: its last {float(missing):.2f} seconds are missing"
        elif marred:
            self.damage = f"{marred} of its frames are damaged"
        elif broken:
            self.damage = f"{broken} places in it could not be decoded; the frames before them are held"


def _missing_seconds(stream, read_until):
    """Seconds between the end that the container claims for a stream and the end of what could be read of it."""
    claim = claimed_seconds(stream)
    return 0 if claim is None or read_until is None else start_seconds(stream) + claim - read_until


def _timed(frame, zero):
    """(time, duration, frame) in seconds as Fractions; None where the stream does not say."""
    time = None if frame.pts is None else frame.pts * frame.time_base - zero
    duration = frame.duration * frame.time_base if frame.duration else None
    return time, duration, frame


def _same_size(array, info):
    """Frames of a stream that changes its size on the way are scaled to the first one's."""
    if array.shape[:2] == (info.height, info.width):
        return array
    import cv2

    return np.ascontiguousarray(cv2.resize(array, (info.width, info.height), interpolation=cv2.INTER_AREA))

"""The frames of a face picture or video as the rest of the pipeline sees them: shrunk, turned, cut, played in any order."""

import logging
from itertools import islice

import numpy as np

from common.errors import InputError
from media import VideoReader, probe, transform_frame, transformed_size
from pipeline.options import DEFAULT_FPS, MAX_FPS
from pipeline.playback.rewind import frames_near
from pipeline.playback.timeline import loop_runs

log = logging.getLogger(__name__)
REVERSE_BYTES = 150 << 20
MAX_PIXELS = 8192 * 4320  # the largest picture of H.264, level 6.2


class FaceSource:
    """A face picture or video after its transform; opened anew for each pass, so that nothing stays open between passes.

    Args:
        path: the file.
        options: pipeline.options.FaceOptions.
        what: what the file was given for, for messages.

    Attributes:
        path: the file.
        info: media.VideoInfo of the file.
        fps: Fraction, frames a second of the result.
        width, height: of the transformed frames.
        still: one frame serves for all.
        claimed_frames: how many frames the container claims, or None.

    Raises:
        InputError: not a picture or video that can be read, a frame rate or size that no result can have, a crop outside it.
    """

    def __init__(self, path, options, what="face picture or video"):
        self.path, transform = path, options.transform
        try:
            info = probe(path, what)
        except (OSError, SyntaxError) as error:  # a picture that is cut short, a disk that fails
            raise InputError(f"{path}: is damaged or cannot be read ({error})") from error
        self.info, self.is_image = info, info.is_image
        self.still = options.static or info.is_image
        own_rate = not (info.is_image or info.is_animation)
        self.fps = info.fps if own_rate else options.fps or max(DEFAULT_FPS, info.fps)
        if options.fps and own_rate:
            log.warning("--fps is for pictures and is not used: %s keeps its %.5g frames a second", path, float(info.fps))
        if not 0 < self.fps <= MAX_FPS:
            raise InputError(
                f"{path}: claims {float(self.fps):g} frames a second, more than {MAX_FPS}; convert it to a usual frame rate"
            )
        self._how = {"fps": None if own_rate else self.fps, "what": what}
        self.claimed_frames = 1 if self.still else self._claim(info)
        self._seeks = own_rate
        self._steps = {"resize_factor": transform.resize_factor, "rotate": transform.rotate, "crop": transform.crop}
        self.width, self.height = transformed_size(info.width, info.height, **self._steps)
        if self.width * self.height > MAX_PIXELS:
            raise InputError(
                f"{path}: {self.width}x{self.height} is more than H.264 can hold; make it smaller with --resize_factor"
            )

    def _claim(self, info):
        """Frames at the rate of the result, or None."""
        if not info.is_animation:
            return info.frames
        return None if info.seconds is None else max(1, round(info.seconds * float(self.fps)))

    @property
    def frame_bytes(self):
        """Bytes of one transformed frame."""
        return self.width * self.height * 3

    def frames(self, start=0, stop=None):
        """Yield the (H, W, 3) uint8 RGB frames `start` to `stop` (exclusive; None for the last), once each.

        Nobody may write into a frame: it may be shown again.
        """
        if self.still:
            stop = 1 if stop is None else min(stop, 1)
        with VideoReader(self.path, **self._how) as reader:
            frames = islice(reader, start, stop)
            for frame in frames:
                yield transform_frame(frame, **self._steps)

    def play(self, total, mode, count=None):
        """Yield `total` pairs (index of the source frame, frame), in the order of `loop_index`.

        Backward runs are decoded in pieces of at most REVERSE_BYTES, so memory does not grow with the length of the video.

        Args:
            total: frames to show.
            mode: one of `pipeline.playback.timeline.LOOP_MODES`, for the time after the last source frame.
            count: how many frames the source has; None finds out in the first pass.

        Raises:
            InputError: the source holds no frame, or not `count` frames.
        """
        last, seen = None, 0
        for last in enumerate(self.frames(0, total if count is None else min(count, total))):
            seen += 1
            yield last
        if count is not None and seen < min(count, total) or not seen:
            raise InputError(
                f"{self.path}: gave {seen} frames where {count or 'at least one'} were expected; was it changed meanwhile?"
            )
        for start, stop, step in loop_runs(total, seen, mode, first=seen):
            if step == 1 and stop - start == 1 and last[0] == start:
                yield last  # a held frame is not decoded again
                continue
            run = self._forward(start, stop) if step == 1 else self._backward(start, stop, last[1])
            for last in run:
                yield last

    def _forward(self, start, stop):
        return enumerate(self.frames(start, stop), start)

    def _backward(self, start, stop, after):
        """Yield (index, frame) from `start` down to `stop` (exclusive); `after` is the frame at `start` + 1."""
        piece = max(2, REVERSE_BYTES // self.frame_bytes)
        for high in range(start + 1, stop + 1, -piece):
            low = max(stop + 1, high - piece)
            frames = self._piece(low, high, after)
            after = frames[0]
            while frames:
                yield low + len(frames) - 1, frames.pop()

    def _piece(self, low, high, after):
        """List of the frames `low` to `high` (exclusive); `after` is the frame `high`.

        By seeking, if that gives `after` in its place, too; else from the start of the file, now and from then on.
        """
        if self._seeks:
            near = frames_near(self.path, low, high + 1)
            frames = [transform_frame(frame, **self._steps) for frame in near or ()]
            if frames and np.array_equal(frames.pop(), after):
                return frames
            self._seeks = False
        return list(self.frames(low, high))

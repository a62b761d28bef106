"""H.264 and AAC in one pass into a file that appears only when it is whole."""

from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from common.errors import InputError
from common.files import atomic_output
from media.mixing import aac_rate, downmix
from media.rates import as_rate

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
_AUDIO_BLOCK = 1024
_BT709 = 1
_FLAGS = Interpolation.AREA | Interpolation.ACCURATE_RND


class VideoWriter:
    """Writes RGB frames, and sound beside them, as a video file.

    H.264 yuv420p, limited range, BT.709 matrix with matching tags; AAC; index at the front. Frame i starts at i / fps exactly
    (to 1 ms in Matroska). Odd widths and heights are padded to even ones by repeating the last column or row. Sound is mono
    or stereo: more channels are mixed down; rates that AAC lacks are resampled to the next higher one it has.
    Sound is encoded as frames are written, and what is left of it at the end, so that picture and sound lie side by side in
    the file and neither waits in memory.

    Args:
        path: .mp4, .m4v, .mov or .mkv; its folder is made; an existing file is replaced once the new one is whole.
        width, height: size of the frames that `write` takes.
        fps: Fraction, int, float or str.
        audio: (channels, n) or (n,) float32 in [-1, 1], or None.
        sample_rate: of `audio`, in Hz.
        metadata: dict of str to str; keys are stored in lower case; `read_metadata` gives them back.
        crf: x264's constant quality, 0 (lossless) to 51.
        preset: x264's speed.

    Use as a context manager. A block that ends with an exception (KeyboardInterrupt included), or without a frame, leaves
    nothing behind.

    Raises:
        InputError: unknown suffix, a folder that cannot be written, a disk that is full.
        ValueError: frames, sound or metadata of the wrong shape or type (a fault in the calling code).
    """

    def __init__(self, path, *, width, height, fps, audio=None, sample_rate=None, metadata=None, crf=18, preset="veryfast"):
        self.path = Path(path)
        if self.path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{self.path}: cannot write this kind of file; end the name in one of {', '.join(SUFFIXES)}")
        if width < 1 or height < 1:
            raise ValueError(f"frames of {width}x{height} pixels cannot be written")
        self.width, self.height, self.fps = int(width), int(height), as_rate(fps)
        self.frames = 0
        self._metadata = {str(key).lower(): str(value) for key, value in (metadata or {}).items()}
        self._audio, self._rate = _prepared_audio(audio, sample_rate)
        self._audio_done = 0
        self._options = {"crf": str(crf), "preset": preset}
        self._reformatter = VideoReformatter()
        self._stack = None

    def __enter__(self):
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_output(self.path))
            self._container = self._open(temporary)
            stack.callback(self._close_after_failure)
            self._add_streams()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind, error, trace):
        stack, self._stack = self._stack, None
        if kind is not None:
            return stack.__exit__(kind, error, trace)
        with stack:
            if self.frames == 0:
                raise ValueError(f"{self.path}: no frame was written")
            try:
                self._finish()
                self._container.close()
            except av.error.FFmpegError as failure:
                raise _write_error(self.path, failure) from failure
        return None

    def _close_after_failure(self):
        """Free the encoder and the file; does nothing once the container is closed. The first error is the one to report."""
        with suppress(av.error.FFmpegError):
            self._container.close()

    def write(self, frame):
        """Append one (height, width, 3) uint8 RGB frame; the array is not kept."""
        if self._stack is None:
            raise ValueError("write() outside the `with` block of the writer")
        if frame.shape != (self.height, self.width, 3) or frame.dtype != np.uint8:
            raise ValueError(f"frame is {frame.shape} {frame.dtype}; this writer takes ({self.height}, {self.width}, 3) uint8")
        picture = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(_even(frame), format="rgb24"),
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_FLAGS,
            threads=1,
        )
        picture.pts, picture.time_base = self.frames, 1 / self.fps
        try:
            self._container.mux(self._video.encode(picture))
            self.frames += 1
            self._write_audio(until=int(self.frames / self.fps * self._rate) if self._audio is not None else 0)
        except av.error.FFmpegError as failure:
            raise _write_error(self.path, failure) from failure

    def _open(self, temporary):
        options = {}
        if self.path.suffix.lower() != ".mkv":
            options = {"movflags": "faststart+use_metadata_tags", "movie_timescale": str(self._rate or 1000)}
        container = av.open(f"file:{temporary.absolute()}", "w", format=_muxer(self.path), container_options=options)
        container.metadata.update(self._metadata)
        return container

    def _add_streams(self):
        self._video = self._container.add_stream("libx264", rate=self.fps, options=self._options)
        context = self._video.codec_context
        context.width, context.height = self.width + self.width % 2, self.height + self.height % 2
        context.pix_fmt = "yuv420p"
        context.time_base = 1 / self.fps
        context.color_range = ColorRange.MPEG
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._sound = None
        if self._audio is not None:
            self._sound = self._container.add_stream("aac", rate=self._rate)
            self._sound.codec_context.layout = "mono" if len(self._audio) == 1 else "stereo"
            self._sound.codec_context.format = "fltp"
            self._sound.codec_context.bit_rate = 96_000 * len(self._audio)

    def _write_audio(self, until):
        if self._sound is None:
            return
        until = min(until, self._audio.shape[1])
        while self._audio_done < until:
            stop = min(self._audio_done + _AUDIO_BLOCK, self._audio.shape[1])
            block = np.ascontiguousarray(self._audio[:, self._audio_done : stop])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=self._sound.codec_context.layout.name)
            frame.sample_rate, frame.pts, frame.time_base = self._rate, self._audio_done, Fraction(1, self._rate)
            self._container.mux(self._sound.encode(frame))
            self._audio_done = stop

    def _finish(self):
        self._container.mux(self._video.encode(None))
        if self._sound is not None:
            self._write_audio(self._audio.shape[1])
            self._container.mux(self._sound.encode(None))


def _muxer(path):
    """ffmpeg's name of the container for a suffix."""
    return {".mkv": "matroska", ".mov": "mov"}.get(path.suffix.lower(), "mp4")


def _prepared_audio(audio, sample_rate):
    """((1 or 2, n) float32 in [-1, 1], rate that AAC has), or (None, None)."""
    if audio is None:
        return None, None
    samples = np.atleast_2d(np.asarray(audio, np.float32))
    if samples.ndim != 2 or samples.shape[1] == 0 or not sample_rate or sample_rate <= 0:
        raise ValueError(f"audio must be (channels, n) with n > 0 and a sample_rate; got {samples.shape} at {sample_rate}")
    if not np.isfinite(samples).all():
        raise ValueError("audio has samples that are not finite")
    samples = np.clip(downmix(samples), -1.0, 1.0)
    sample_rate = int(sample_rate)
    rate = aac_rate(sample_rate)
    if rate != sample_rate:
        import soxr

        samples = np.clip(soxr.resample(samples.T, sample_rate, rate).T, -1.0, 1.0)
    return samples, rate


def _even(frame):
    """The frame with even height and width; the last row or column is repeated where one is missing."""
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(frame)


def _write_error(path, failure):
    return InputError(f"{path}: cannot be written ({failure.strerror}); is the disk full, or the folder gone?")

"""Sound of any file as float samples."""

import logging
from fractions import Fraction

import av
import numpy as np

from common.errors import InputError
from media.container import audio_stream, open_input, start_seconds, video_stream_or_none, zero_seconds

_LOG = logging.getLogger(__name__)
_EXACT_ENDS = ("mov,mp4,m4a,3gp,3g2,mj2",)
_PADDING_SECONDS = Fraction(1, 5)
_GAP_SECONDS = Fraction(1, 10)
_LONGEST_GAP_SECONDS = 600
_INTEGER_SCALES = {"u8": 2.0**-7, "s16": 2.0**-15, "s32": 2.0**-31, "s64": 2.0**-63}


def decode_audio(path, what="audio"):
    """The whole sound of an audio or video file.

    Args:
        path: wav, flac, mp3, m4a, ogg, opus, or any file with a sound track that ffmpeg reads. Of several tracks, the one that
            ffmpeg ranks best.
        what: what the file was given for, for messages: "audio", "driving video".

    Returns:
        samples: (channels, n) float32, clipped to [-1, 1], at the file's own rate. Encoder delay and padding are removed. In a
            video, sample 0 belongs to time 0 of `VideoReader`: sound that starts later is preceded by silence. Gaps in the time
            stamps of more than 0.1 s are filled with silence. A file that was cut short gives what decodes, and logs a warning.
        rate: samples a second, int.

    Raises:
        InputError: no such file, empty, not a media file, no sound track, no samples in it, or samples that are not finite.
    """
    with open_input(path, what) as container:
        stream = _sound_track(container, path, what)
        video = video_stream_or_none(container)
        zero = None if video is None else zero_seconds(start_seconds(video), start_seconds(stream))
        end = _exact_end(container, stream, zero)
        collector = _Collector(path, zero)
        for frame in _decoded(container, stream, path):
            collector.add(frame)
    samples, rate = collector.result()
    if end is not None:
        wanted = round(end * rate)
        if 0 < wanted < samples.shape[1] <= wanted + _PADDING_SECONDS * rate:
            samples = np.ascontiguousarray(samples[:, :wanted])
        elif samples.shape[1] < wanted - _PADDING_SECONDS * rate:
            missing = (wanted - samples.shape[1]) / rate
            _LOG.warning("%s: the sound is cut short: its last %.2f seconds are missing", path, missing)
    return samples, rate


def require_sound(path):
    """Raise InputError where a file is no media file or has no sound track; nothing is decoded."""
    with open_input(path, "audio") as container:
        _sound_track(container, path, "audio")


def _sound_track(container, path, what):
    """The sound stream of an open container; InputError when there is none."""
    stream = audio_stream(container)
    if stream is None:
        wanted = "an audio file, or a video with sound" if what == "audio" else f"a {what} with sound"
        raise InputError(f"{path}: has no sound track; give {wanted}")
    return stream


def _exact_end(container, stream, zero):
    """Second at which the sound ends, where the container states it to the sample; else None.

    MPEG program streams, for one, state a duration without the last frame; cutting there would lose sound.
    """
    if container.format.name not in _EXACT_ENDS or not stream.duration or stream.duration <= 0:
        return None
    return stream.duration * stream.time_base + (0 if zero is None else start_seconds(stream) - zero)


def _decoded(container, stream, path):
    """Sound frames that decode; what does not is left out with one warning."""
    broken = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            broken += 1
            break
        if packet is None:
            break
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            broken += 1
    if broken:
        _LOG.warning("%s: the sound is damaged or cut short in %d places; what decodes is used", path, broken)


class _Collector:
    """Puts decoded sound frames in their places in time.

    Args:
        path: for messages.
        zero: second of the container's clock at which sample 0 lies; None takes the first frame's time.
    """

    def __init__(self, path, zero):
        self._path, self._zero = path, zero
        self._blocks, self._filled = [], 0
        self._rate = self._channels = None

    def add(self, frame):
        block = _to_float(frame)
        if self._rate is None:
            self._rate, self._channels = frame.sample_rate, len(block)
        if frame.sample_rate != self._rate or len(block) != self._channels:
            raise InputError(f"{self._path}: its sound changes rate or channels on the way; convert it to wav first")
        if frame.pts is not None:
            time = frame.pts * frame.time_base
            if self._zero is None:
                self._zero = time
            block = self._placed(block, round((time - self._zero) * self._rate) - self._filled)
        self._blocks.append(block)
        self._filled += block.shape[1]

    def _placed(self, block, offset):
        """The block with silence before it, or without its head, so that it lies `offset` samples on."""
        first = not any(part.shape[1] for part in self._blocks)
        if first and offset < 0:
            return block[:, -offset:]
        if (first and offset > 0) or offset > _GAP_SECONDS * self._rate:
            if offset <= _LONGEST_GAP_SECONDS * self._rate:
                return np.pad(block, ((0, 0), (offset, 0)))
        return block

    def result(self):
        """((channels, n) float32 in [-1, 1], rate); InputError when there is nothing, or something not finite."""
        if self._filled == 0:
            raise InputError(f"{self._path}: the sound is empty; give audio with at least one sample")
        samples = np.concatenate(self._blocks, axis=1)
        if not np.isfinite(samples).all():
            raise InputError(f"{self._path}: the sound has samples that are not numbers (NaN or infinite); export it again")
        return np.clip(samples, -1.0, 1.0, out=samples), self._rate


def _to_float(frame):
    """(channels, n) float32 of a decoded sound frame; integer formats are scaled so that full scale is 1."""
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    name = frame.format.name.removesuffix("p")
    if name not in _INTEGER_SCALES:
        return array.astype(np.float32)
    scaled = array.astype(np.float64) * _INTEGER_SCALES[name]
    return (scaled - 1.0 if name == "u8" else scaled).astype(np.float32)

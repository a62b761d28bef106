"""Small videos, pictures and sounds that tests make for themselves, written with PyAV and not with the project's own writer."""

import wave
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

BT709, BT601 = 1, 5
_SWS = {BT709: Colorspace.ITU709, BT601: Colorspace.ITU601}


def numbered_frames(count, width=64, height=48):
    """`count` frames, (H, W, 3) uint8, whose grey level tells their number: frame k is 20 + 10 * (k % 22) all over."""
    return [np.full((height, width, 3), 20 + 10 * (k % 22), np.uint8) for k in range(count)]


def frame_number(frame):
    """The number (modulo 22) of a decoded frame of `numbered_frames`."""
    return round((float(frame[..., 1].mean()) - 20 + 1) / 10)


def colour_bars(width=256, height=64):
    """(frame, [(column, colour)]): eight vertical bars of skin, primary and grey colours, and the middle of each."""
    colours = [(200, 30, 40), (30, 180, 60), (20, 50, 220), (250, 200, 170), (60, 40, 30)]
    colours += [(128, 128, 128), (255, 255, 255), (0, 0, 0)]
    frame = np.zeros((height, width, 3), np.uint8)
    step = width // len(colours)
    for k, colour in enumerate(colours):
        frame[:, k * step : (k + 1) * step] = colour
    return frame, [(k * step + step // 2, colour) for k, colour in enumerate(colours)]


def make_video(
    path,
    frames,
    fps=25,
    *,
    times=None,
    codec="libx264",
    pix_fmt="yuv420p",
    matrix=None,
    full_range=False,
    rotation=0,
    mirrored=False,
    aspect=None,
    audio=None,
    sample_rate=None,
    audio_start=0,
    video_start=0,
    bframes=None,
    options=None,
    container_options=None,
    time_base=None,
):
    """Write a video.

    Args:
        path: its suffix chooses the container.
        frames: list of (H, W, 3) or (H, W, 4) uint8.
        fps: rate in the header.
        times: presentation times in seconds (Fractions); None is k / fps.
        matrix: BT709 or BT601 to convert and tag with; None converts with BT.601 and leaves the tag out.
        rotation: clockwise degrees that a player has to turn the picture by.
        audio: (channels, n) float32.
        audio_start, video_start: seconds by which a track starts late.
    """
    height, width = frames[0].shape[:2]
    fps, time_base = Fraction(fps), Fraction(time_base or (1 / Fraction(fps) if times is None else Fraction(1, 90000)))
    with av.open(f"file:{path}", "w", container_options=container_options or {}) as container:
        quality = {"crf": "5", "preset": "veryfast"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=fps, options={**quality, **(options or {})})
        context = stream.codec_context
        context.width, context.height, context.pix_fmt, context.time_base = width, height, pix_fmt, time_base
        if bframes is not None:
            context.max_b_frames = bframes
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if matrix is not None:
            context.colorspace = matrix
        context.color_range = ColorRange.JPEG if full_range else ColorRange.MPEG
        if rotation or mirrored:
            stream.set_display_rotation(-rotation, hflip=mirrored)
        sound = _sound_stream(container, audio, sample_rate)
        for k, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgba" if frame.shape[2] == 4 else "rgb24").reformat(
                format=pix_fmt,
                src_color_range=ColorRange.JPEG,
                dst_colorspace=_SWS[matrix or BT601],
                dst_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
            )
            time = (k / fps if times is None else times[k]) + Fraction(video_start)
            picture.pts, picture.time_base = round(time / time_base), time_base
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if sound is not None:
            _encode_sound(container, sound, audio, sample_rate, audio_start)
    return path


def make_deep_video(path, frames, *, primaries, transfer, codec="ffv1", pix_fmt="gbrp12le", fps=25, options=None):
    """Write a video of more than 8 bits with colour tags.

    Args:
        frames: list of (H, W, 3) float in [0, 1], the signal in full range.
        primaries, transfer: codes of H.273.
        codec: ffv1 keeps each code; libx265 with yuv420p10le is what phones write.
    """
    height, width = frames[0].shape[:2]
    with av.open(f"file:{path}", "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, pix_fmt
        context.color_primaries, context.color_trc = primaries, transfer
        context.color_range = ColorRange.JPEG if pix_fmt.startswith("gbr") else ColorRange.MPEG
        if not pix_fmt.startswith("gbr"):
            context.colorspace = 9 if primaries == 9 else BT709
        for number, frame in enumerate(frames):
            deep = av.VideoFrame.from_ndarray(np.rint(frame * 65535).astype(np.uint16), format="rgb48le")
            matrix = Colorspace.BT2020 if primaries == 9 else Colorspace.ITU709
            picture = deep.reformat(format=pix_fmt, dst_colorspace=matrix, dst_color_range=context.color_range)
            picture.pts, picture.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def make_interlaced(path, frames, *, top_first=True, codec="mpeg2video", options=None):
    """Write progressive frames at 50 a second as 25 interlaced ones: frame k has the fields of frames 2k and 2k + 1.

    Args:
        frames: list of (H, W, 3) uint8, an even number of them.
    """
    height, width = frames[0].shape[:2]
    graph = av.filter.Graph()
    node = graph.add_buffer(width=width, height=height, format=av.VideoFormat("yuv422p"), time_base=Fraction(1, 25))
    for name, given in (("setfield", "tff" if top_first else "bff"), ("buffersink", None)):
        following = graph.add(name, given)
        node.link_to(following)
        node = following
    graph.configure()
    with av.open(f"file:{path}", "w") as container:
        best = {"flags": "+ildct+ilme", "qmin": "1", "qmax": "2"}
        stream = container.add_stream(codec, rate=25, options=best if options is None else options)
        stream.codec_context.width, stream.codec_context.height, stream.codec_context.pix_fmt = width, height, "yuv422p"
        for number, (early, late) in enumerate(zip(frames[::2], frames[1::2], strict=True)):
            woven = (early if top_first else late).copy()
            woven[1::2] = (late if top_first else early)[1::2]
            picture = av.VideoFrame.from_ndarray(woven, format="rgb24").reformat(format="yuv422p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            graph.push(picture)
            container.mux(stream.encode(graph.pull()))
        container.mux(stream.encode(None))
    return path


def make_sound(path, audio, sample_rate, codec, *, sample_format=None, options=None):
    """Write (channels, n) float32 in [-1, 1] as a sound file; the suffix chooses the container."""
    with av.open(f"file:{path}", "w") as container:
        stream = _sound_stream(container, audio, sample_rate, codec, sample_format, options)
        _encode_sound(container, stream, audio, sample_rate, 0)
    return path


def make_wav(path, audio, sample_rate):
    """Write (channels, n) float in [-1, 1] as 16-bit PCM with the standard library."""
    audio = np.atleast_2d(audio)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(audio))
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.clip(np.rint(audio.T * 32767), -32768, 32767).astype("<i2").tobytes())
    return path


def tone(seconds=1.0, sample_rate=16000, channels=1, frequency=440.0):
    """(channels, n) float32 sine of half scale; each further channel is a fifth higher."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return np.stack([0.5 * np.sin(2 * np.pi * frequency * 1.5**c * time) for c in range(channels)]).astype(np.float32)


def click(seconds, at, sample_rate=48000, channels=1):
    """(channels, n) float32 silence with a 5 ms burst of 1 kHz at second `at`."""
    samples = np.zeros((channels, round(seconds * sample_rate)), np.float32)
    start, length = round(at * sample_rate), round(0.005 * sample_rate)
    samples[:, start : start + length] = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(length) / sample_rate)
    return samples


def _layout(channels):
    names = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
    return names[channels]


def _sound_stream(container, audio, sample_rate, codec="aac", sample_format=None, options=None):
    if audio is None:
        return None
    stream = container.add_stream(codec, rate=sample_rate, options=options or {})
    stream.codec_context.layout = _layout(len(audio))
    if sample_format:
        stream.codec_context.format = sample_format
    return stream


def _encode_sound(container, stream, audio, sample_rate, start):
    block = 1024
    for k in range(0, audio.shape[1], block):
        part = np.ascontiguousarray(audio[:, k : k + block], np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=_layout(len(audio)))
        frame.sample_rate, frame.time_base = sample_rate, Fraction(1, sample_rate)
        frame.pts = k + round(start * sample_rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))

"""Clips and sounds that the benchmarks make for themselves, from the sample speech and the public-domain portrait."""

import os
import platform
import wave
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from samples.make_face_video import astronaut, moving_frames

FPS = 25
SPEECH = Path(__file__).resolve().parents[1] / "samples" / "speech.wav"


def face_frames(count, width=512, height=512):
    """Yield `count` frames (height, width, 3) uint8 RGB of the slowly moving portrait, filled up at the sides."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    for frame in moving_frames(astronaut(), count):
        frame = cv2.resize(frame, (side, side), interpolation=cv2.INTER_CUBIC)
        edges = (top, height - side - top, left, width - side - left)
        yield cv2.copyMakeBorder(frame, *edges, cv2.BORDER_REPLICATE) if any(edges) else frame


def write_face_video(path, count, width=512, height=512):
    """H.264 with `count` frames of the portrait at 25 a second, without sound; returns `path`."""
    from media import VideoWriter

    with VideoWriter(path, width=width, height=height, fps=Fraction(FPS)) as writer:
        for frame in face_frames(count, width, height):
            writer.write(frame)
    return path


def write_lossless_video(path, count):
    """FFV1 in RGB (.mkv): any decoder returns the very same pixels; returns `path`."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 512, 512, "bgr0"
        for frame in face_frames(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_speech(path, seconds):
    """The sample speech, repeated until it lasts `seconds`: 16 kHz mono wav; returns `path`."""
    with wave.open(str(SPEECH)) as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.resize(samples, round(seconds * rate)).tobytes())
    return path


def machine():
    """What a figure of time depends on: {"cores", "load" (before the run), "cpu", "torch", "python", "system"}."""
    import torch

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0] if names else cpu
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "cpu": cpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def busy_note(facts):
    """One line that says that the machine was busy when the run began, or ""."""
    if facts["load"] is not None and facts["load"] > 0.5:
        return f"Careful: the machine was busy (load {facts['load']} on {facts['cores']} cores) when this began."
    return ""

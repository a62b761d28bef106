"""How fast are faces found, followed and cut out? Decoding alone, with tracking, and with the second pass that cuts the crops.

    python -m benchmarks.faces.stage [--video FILE] [--frames 250] [--detector mediapipe] [--device cpu]

Decoding runs in a thread of its own, as in inference.py, which also reads the video twice: once to track, once to crop and
drive. Without --video a 720p clip of a moving portrait is made. Every figure is the median of --repeats runs; they take
turns, so that what else the machine does falls on all alike. "CPU" is processor time of all threads for one frame: it says
what the stage costs on a machine that is busy with other work, where frames per second say little. The bar is 60 frames a
second at 720p on two cores.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from common.cli import run
from common.files import require_file
from faces.crops import CropSpec, plan_crops
from faces.detectors import DETECTORS, build_detector
from faces.tracking.track import track_face
from media import VideoReader, VideoWriter
from pipeline.prefetch import prefetch

WIDTH, HEIGHT, FPS = 1280, 720, 25
READ_AHEAD = 32 << 20  # bytes, as in inference.py


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faces.stage", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--video", type=Path, help="measure on this video; the default is made on the spot")
    add("--frames", type=int, default=250, help="at most so many frames (%(default)s)")
    add("--repeats", type=int, default=3, help="runs of each kind (%(default)s)")
    add("--size", type=int, default=96, help="side of the crops (%(default)s)")
    add("--detector", choices=DETECTORS, default="mediapipe")
    add("--device", default="cpu", help="where face-alignment runs (%(default)s)")
    return parser.parse_args(argv)


def write_moving_portrait(path, frames):
    """A 720p clip of scikit-image's portrait, which sways, turns and comes nearer on a plain ground."""
    import cv2
    from skimage import data

    portrait = data.astronaut()
    with VideoWriter(path, width=WIDTH, height=HEIGHT, fps=FPS) as writer:
        for t in range(frames):
            scale, roll = 1.5 + 0.2 * np.sin(t / 40), np.deg2rad(6 * np.sin(t / 23))
            a, b = scale * np.cos(roll), scale * np.sin(roll)
            linear = np.array([[a, -b], [b, a]])
            middle = (WIDTH / 2 + 160 * np.sin(t / 31), 300 + 40 * np.sin(t / 17))
            matrix = np.concatenate([linear, (middle - linear @ (225, 115))[:, None]], 1)
            frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            cv2.warpAffine(portrait, matrix, (WIDTH, HEIGHT), frame, borderMode=cv2.BORDER_TRANSPARENT)
            writer.write(frame)


class Stage:
    """The face stage on one video, in its three lengths; each returns the number of frames that went through."""

    def __init__(self, path, options):
        self.path, self.options = path, options
        self.track = None

    def frames(self):
        """The first frames of the video, decoded ahead in a thread."""

        def decoded():
            with VideoReader(self.path) as reader:
                yield from islice(reader, self.options.frames)

        return closing(prefetch(decoded(), READ_AHEAD, lambda frame: frame.nbytes))

    def decode(self):
        with self.frames() as frames:
            return sum(1 for _ in frames)

    def follow(self, detector):
        with self.frames() as frames:
            self.track = track_face(frames, detector, fps=FPS)
        return len(self.track)

    def follow_and_crop(self, detector):
        self.follow(detector)
        plan = plan_crops(self.track, CropSpec("aligned", self.options.size), fps=FPS)
        with self.frames() as frames:
            for crop, frame in zip(plan, frames, strict=True):
                if crop:
                    crop.extract(frame)
        return len(plan)


def measure(work):
    """(frames per second, CPU milliseconds a frame) of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = work()
    return count / (time.perf_counter() - wall), (time.process_time() - cpu) / count * 1000


def main(argv):
    """Print the table."""
    options = parse(argv)
    with tempfile.TemporaryDirectory() as folder:
        path = require_file(options.video, "video") if options.video else Path(folder) / "moving.mp4"
        if not options.video:
            write_moving_portrait(path, options.frames)
        stage = Stage(path, options)
        with closing(build_detector(options.detector, device=options.device)) as detector:
            kinds = {
                "decode": stage.decode,
                "decode + track": lambda: stage.follow(detector),
                "decode + track, decode + crop": lambda: stage.follow_and_crop(detector),
            }
            runs = {name: [] for name in kinds}
            for _ in range(options.repeats):
                for name, work in kinds.items():
                    runs[name].append(measure(work))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    held = int(stage.track.present.sum())
    print(f"{len(stage.track)} frames of {stage.track.width}x{stage.track.height}, face held in {held}; {cores} cores")
    for name, results in runs.items():
        fps, cpu = np.median(results, axis=0)
        print(f"{name:32s}{fps:8.1f} frames/s{cpu:8.2f} ms CPU a frame")


if __name__ == "__main__":
    sys.exit(run(main))

"""A short moving video of a face, made from a picture that scikit-image carries: what `make demo` drives with speech.

    python -m samples.make_face_video --outfile results/demo/face.mp4

The picture is NASA's portrait of the astronaut Eileen Collins (public domain), 512x512. A slow, smooth camera motion (a
similarity transform per frame: shift, roll, zoom) makes 448x448 frames of it. The motion is a sum of half cosines, so its speed
is zero at both ends and the video can be played forth and back without a jerk.
"""

import argparse
import math
import sys
from fractions import Fraction

import cv2
import numpy as np

from common import cli
from common.errors import InputError

SIDE = 448
CENTRE = (256.0, 228.0)  # of the view in the picture: all of the hair stays in the frame
PIVOT = (223.0, 125.0)  # between the eyes and the mouth; roll and zoom leave this point where it is
SHIFT, ROLL, ZOOM = (4.0, 2.5), math.radians(2.0), 0.03  # largest shift in pixels along x and y, roll, relative zoom


def astronaut():
    """The portrait as (512, 512, 3) uint8 RGB. It lies inside the scikit-image wheel: nothing is downloaded."""
    from skimage import data

    return data.astronaut()


def sway(phase):
    """Camera pose at `phase` in [0, 1]: shift x, shift y, roll, zoom, each in [-1, 1] of its range; at rest at 0 and 1."""

    def wave(first, second):
        return 0.65 * math.cos(math.pi * first * phase) - 0.35 * math.cos(math.pi * second * phase)

    return wave(2, 5), wave(3, 4), wave(3, 7), wave(1, 4)


def view_matrix(phase):
    """Affine matrix (2, 3) float64 from picture to view coordinates at `phase` in [0, 1]."""
    shift_x, shift_y, roll, zoom = sway(phase)
    scale, angle = 1.0 + ZOOM * zoom, ROLL * roll
    linear = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    corner = np.array(CENTRE) - SIDE / 2
    target = np.array(PIVOT) - corner + (SHIFT[0] * shift_x, SHIFT[1] * shift_y)
    return np.hstack([linear, (target - linear @ np.array(PIVOT))[:, None]])


def moving_frames(picture, count):
    """Yield `count` views of `picture` (512, 512, 3) uint8 RGB, each (448, 448, 3) uint8 RGB.

    The view is smaller than the picture; where a corner still reaches past the edge, the plain backdrop is mirrored.
    """
    for index in range(count):
        phase = index / max(count - 1, 1)
        matrix = view_matrix(phase)
        yield cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def make_face_video(path, seconds=5.0, fps=25):
    """Write the moving portrait to `path` (mp4, no sound).

    Args:
        path: output file; replaced once the new one is whole.
        seconds: length, 0 to 600.
        fps: int or Fraction, frames a second, 1 to 120.

    Returns:
        Number of frames written.

    Raises:
        InputError: a length or rate out of range, or a path that cannot be written.
    """
    from media import VideoWriter

    fps = Fraction(fps)
    if not 0 < seconds <= 600 or not 1 <= fps <= 120:
        raise InputError(f"{float(seconds):g} s at {float(fps):g} fps: give up to 600 seconds at 1 to 120 frames a second")
    count = max(1, round(seconds * fps))
    with VideoWriter(path, width=SIDE, height=SIDE, fps=fps) as writer:
        for frame in moving_frames(astronaut(), count):
            writer.write(frame)
    return count


def main(argv):
    parser = argparse.ArgumentParser(description="Make a short moving video of a face from scikit-image's astronaut picture.")
    parser.add_argument("--outfile", default="results/demo/face.mp4")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--fps", type=Fraction, default=Fraction(25))
    args = parser.parse_args(argv)
    count = make_face_video(args.outfile, args.seconds, args.fps)
    print(f"{args.outfile}: {count} frames, {SIDE}x{SIDE}, {float(args.fps):g} fps")


if __name__ == "__main__":
    sys.exit(cli.run(main))

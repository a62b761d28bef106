"""How a head moves in codes of its pose: one shot of a video, smoothed, brought to the frames and to the pose of a face (ours).

The codes are those of a network that was trained to describe the pose and nothing else, so that their differences can be
carried from one head to another.
"""

from dataclasses import dataclass, replace

import numpy as np

from faces.tracking.smoothing import segments, smooth_series
from pipeline.driving import DrivingVideo

SMOOTHING = 0.04  # seconds: less than the trembling of single frames lasts, and 97 % of a movement of 1 Hz is left


@dataclass(frozen=True)
class HeadMovement:
    """Codes of a driving video's head.

    Attributes:
        video: DrivingVideo.
        codes: (n, P) float32, of n consecutive frames of it.
        shots: (n,) int, the shot of each.
        loop: what follows the last one, "hold" or "pingpong".
    """

    video: DrivingVideo
    codes: np.ndarray
    shots: np.ndarray
    loop: str = "hold"

    def longest_shot(self):
        """(HeadMovement of the longest shot with a face, which then goes to and fro; number of its first frame)."""
        present, shots = self.video.track.present, self.video.track.shots
        seen, counts = np.unique(shots[present], return_counts=True)
        frames = np.flatnonzero(present & (shots == seen[np.argmax(counts)]))
        part = slice(int(frames[0]), int(frames[-1]) + 1)
        return replace(self, codes=self.codes[part], shots=self.shots[part], loop="pingpong"), part.start

    def smoothed(self, seconds):
        """The same, smoothed inside each shot; seconds: sigma of the Gaussian kernel, 0 for none."""
        sigma, everywhere = seconds * float(self.video.fps), np.ones(len(self.codes), bool)
        return replace(self, codes=smoothed_runs(self.codes, segments(everywhere, self.shots), sigma))

    def of(self, own, amplitude, absolute):
        """The movement carried to another head.

        In each shot the frame whose code is nearest to the other head's is the one that stands for its pose, so that a code is
        the other head's plus the difference from that frame.

        Args:
            own: (P,) float32, code of the other head.
            amplitude: factor on the differences.
            absolute: the codes stay those of the video; the factor then acts about the frame that is nearest.

        Returns:
            HeadMovement.
        """
        codes = np.empty_like(self.codes)
        for start, end in segments(np.ones(len(codes), bool), self.shots):
            run = self.codes[start:end]
            nearest = run[np.argmin(np.square(run - own).sum(1))]
            codes[start:end] = (nearest if absolute else own) + amplitude * (run - nearest)
        return replace(self, codes=codes)

    def at_frames(self, fps, frames):
        """(frames, P) float32 codes of the frames of a result at `fps`."""
        return self.video.at_rate(self.codes, fps, frames, self.loop)

    @property
    def seconds(self):
        """Length of the movement, before it turns or ends."""
        return float(len(self.codes) / self.video.fps)


def smoothed_runs(codes, runs, sigma):
    """Codes smoothed inside runs of frames.

    Args:
        codes: (n, P) float32. runs: list of (start, end), end exclusive; what lies outside stays. sigma: frames.

    Returns:
        (n, P) float32, a new array.
    """
    out = codes.copy()
    for start, end in runs:
        out[start:end] = smooth_series(codes[start:end], sigma)
    return out

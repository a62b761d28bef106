"""The two face crops on which SyncNet's figures are in circulation, and they differ by more than 1 in LSE-D.

`whole`: every frame is squeezed to a square, as Wav2Lip's script for LRS does; right only for videos that are face crops.
`tracked`: boxes are followed, smoothed and widened as syncnet_python's run_pipeline.py does.
"""

from dataclasses import dataclass
from math import floor

import numpy as np

from common.errors import InputError
from models.syncnet_v2 import SIDE

BT601 = (0.299, 0.114)
_GREY = 110


@dataclass(frozen=True)
class TrackRules:
    """When boxes of consecutive frames are one track, and which tracks count; the defaults are run_pipeline.py's.

    Attributes:
        min_track: a track counts when it has more detections than this, and more than half of `median`, for the smoothed box
            of a shorter one is empty.
        min_face: ... and when its mean box is wider or higher than this, in pixels.
        max_missing: frames without a detection after which a track ends.
        min_overlap: least intersection over union of two consecutive boxes.
        crop_scale: share of the box by which the crop is widened.
        median: frames over which the box is smoothed, a median; odd.
    """

    min_track: int = 100
    min_face: float = 100.0
    max_missing: int = 25
    min_overlap: float = 0.5
    crop_scale: float = 0.40
    median: int = 13


@dataclass(frozen=True)
class BoxTrack:
    """One face over consecutive frames.

    Attributes:
        start: its first frame.
        boxes: (N, 4) float64 x1, y1, x2, y2, one for each frame from `start` on; missing ones are interpolated.
    """

    start: int
    boxes: np.ndarray

    def __len__(self):
        return len(self.boxes)


def find_tracks(boxes, rules=None):
    """Tracks that count, in order of their first frames.

    Args:
        boxes: (N, 4) float; NaN where no face was detected.
        rules: TrackRules.

    Returns:
        list of BoxTrack.

    Raises:
        InputError: there is none; says what the longest stretch of frames was.
    """
    rules, boxes = rules or TrackRules(), np.asarray(boxes, np.float64)
    left, tracks, longest, largest = list(np.flatnonzero(np.isfinite(boxes).all(1))), [], 0, 0.0
    least = max(rules.min_track, rules.median // 2)
    while left:
        frames, left = _take_track(boxes, left, rules)
        longest = max(longest, len(frames))
        if len(frames) <= least:
            continue
        every = np.arange(frames[0], frames[-1] + 1)
        whole = np.stack([np.interp(every, frames, boxes[frames, side]) for side in range(4)], 1)
        size = max((whole[:, 2] - whole[:, 0]).mean(), (whole[:, 3] - whole[:, 1]).mean())
        largest = max(largest, size)
        if size > rules.min_face:
            tracks.append(BoxTrack(int(frames[0]), whole))
    if not tracks and longest <= least:
        raise InputError(f"the longest face track has {longest} detections; more than {least} are needed, as in "
                         "run_pipeline.py (--min_track; or --sync_crop whole for videos that are face crops)")
    if not tracks:
        raise InputError(f"the face is {largest:.0f} pixels large; more than {rules.min_face:.0f} are needed, as in "
                         "run_pipeline.py (--min_face)")
    return tracks


def _take_track(boxes, left, rules):
    """(frames of the next track, frames that are left)."""
    track, rest = [left[0]], []
    for at, frame in enumerate(left[1:], 1):
        if frame - track[-1] > rules.max_missing:
            rest += left[at:]
            break
        (track if _overlap(boxes[frame], boxes[track[-1]]) > rules.min_overlap else rest).append(frame)
    return track, rest


def _overlap(first, second):
    """Intersection over union of two boxes."""
    inner = np.maximum(0, np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])).prod()
    return inner / ((first[2:] - first[:2]).prod() + (second[2:] - second[:2]).prod() - inner)


def track_squares(track, rules=None):
    """Smoothed centre and half side of each frame's box: (N, 3) float64 x, y, s.

    At the ends the median counts zeros beyond them, as scipy's medfilt and so run_pipeline.py has it.
    """
    rules, boxes = rules or TrackRules(), track.boxes
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    half = np.maximum(boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]) / 2
    padded = np.pad(np.stack([x, y, half], 1), ((rules.median // 2, rules.median // 2), (0, 0)))
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, rules.median, 0), -1)


def cut_square(frame, square, crop_scale=TrackRules.crop_scale):
    """The crop of one frame: a square from the top of the box to below the chin, grey outside the frame.

    Args:
        frame: (H, W, 3) uint8.
        square: (3,) x, y, s of `track_squares`.
        crop_scale: see TrackRules.

    Returns:
        (224, 224, 3) uint8.
    """
    import cv2

    x, y, half = square
    below, aside, (height, width) = half * (1 + 2 * crop_scale), half * (1 + crop_scale), frame.shape[:2]
    x, y, pad = x + int(below), y + int(below), int(below)  # run_pipeline.py pads before it rounds
    top, bottom, left, right = (floor(edge) - pad for edge in (y - half, y + below, x - aside, x + aside))
    border = max(0, -top, -left, bottom - height, right - width)
    wide = cv2.copyMakeBorder(frame, *[border] * 4, cv2.BORDER_CONSTANT, value=[_GREY] * 3)
    return cv2.resize(wide[top + border : bottom + border, left + border : right + border], (SIDE, SIDE))


def jpeg_colours(luma):
    """What happens to colours on the way through a JPEG, which the published scripts write every frame to.

    The YUV of the video goes into the file as it is, and whoever reads it takes it for BT.601, whatever the video says. So
    SyncNet's figures are of those colours; on a 1080p clip BT.709's own moved the distance by 0.7 % (random weights).

    Args:
        luma: weights of red and blue of the video's own matrix (VideoInfo.luma); None for RGB.

    Returns:
        (3, 3) float64 by which RGB is multiplied, or None where nothing changes.
    """
    if luma is None or luma == BT601:
        return None
    return np.linalg.inv(_to_yuv(*BT601)) @ _to_yuv(*luma)


def _to_yuv(red, blue):
    """(3, 3): RGB to Y, Cb, Cr of full range."""
    luma = np.array([red, 1 - red - blue, blue])
    return np.stack([luma, ([0, 0, 1] - luma) / (2 - 2 * blue), ([1, 0, 0] - luma) / (2 - 2 * red)])


def recolour(picture, matrix):
    """(H, W, 3) uint8 RGB multiplied by `jpeg_colours`, rounded; as it is for None."""
    import cv2

    return picture if matrix is None else cv2.transform(picture, matrix)


def whole_frame(frame):
    """(H, W, 3) uint8 -> (224, 224, 3) uint8, whatever the shape."""
    import cv2

    return cv2.resize(frame, (SIDE, SIDE))

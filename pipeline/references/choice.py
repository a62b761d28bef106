"""Choice of the frame that shows the model what the person looks like, for each shot of a video (ours)."""

import numpy as np

from common.errors import InputError
from faces.landmarks import STABLE, eye_distance, interocular
from faces.mouth import mouth_opening

REST_PERCENTILE = 20
# What costs nothing in an ordinary frame, and the cost of a factor of e beyond it: less detail than usual, unusual light
BLUR_FREE, BLUR_COST = 0.15, 12.0
LIGHT_FREE, LIGHT_COST = 0.10, 12.0
MOTION_FREE, MOTION_COST = 0.03, 20.0  # eye distances a frame, and the cost of one
DARK = 4.0  # grey levels added to the light: a fade ends in black


def choose_references(track):
    """One frame for each shot: {number of the shot: number of the frame}.

    Args:
        track: FaceTrack.

    Raises:
        InputError: no frame has a face.
    """
    present = np.flatnonzero(track.present)
    if not len(present):
        raise InputError("no frame has a face that could serve as reference")
    preferred = [track.seen(), track.whole()] + ([] if track.covered is None else [~track.covered])
    motion = _motion(track)
    order = present[np.argsort(track.shots[present], kind="stable")]
    shots, begins = np.unique(track.shots[order], return_index=True)
    parts = np.split(order, begins[1:])
    return {int(shot): _best(track, part, preferred, motion) for shot, part in zip(shots, parts, strict=True)}


def choose_reference(track):
    """One frame for the whole video: that of the longest shot, see `choose_references`.

    Raises:
        InputError: no frame has a face.
    """
    references = choose_references(track)
    shots, counts = np.unique(track.shots[track.present], return_counts=True)
    return references[int(shots[np.argmax(counts)])]


def _best(track, frames, preferred, motion):
    """A frame with the mouth nearly at rest and the head posed and sized as it usually is, sharp, still, and lit as usual.

    One frame for a shot: a reference that changes with the target would tell the model the mouth that it must make up from the
    audio. Frames whose face was really found, lies whole inside the picture and is not covered come first.

    Args:
        track: FaceTrack.
        frames: (n,) int, numbers of those of which one is chosen, ascending.
        preferred: list of (N,) bool: frames that come first where there are such, the more important quality before.
        motion: (N,) float, see `_motion`.

    Returns:
        int.
    """
    for wanted in preferred:
        if wanted[frames].any():
            frames = frames[wanted[frames]]
    landmarks = track.landmarks[frames].astype(np.float64)
    opening, size, pose = mouth_opening(landmarks), interocular(landmarks), _pose(landmarks)
    cost = np.abs(opening - np.percentile(opening, REST_PERCENTILE)) / _spread(opening)
    for values in (np.log(np.maximum(size, 1e-6)), *pose.T):
        cost = cost + np.abs(values - np.median(values)) / _spread(values)
    cost = cost + MOTION_COST * np.maximum(motion[frames] - MOTION_FREE, 0)
    if track.detail is not None:
        cost = cost + BLUR_COST * np.maximum(-_unusual(track.detail[frames, None])[:, 0] - BLUR_FREE, 0)
    if track.light is not None:
        cost = cost + LIGHT_COST * np.maximum(np.abs(_unusual(track.light[frames] + DARK)).max(1) - LIGHT_FREE, 0)
    return int(frames[int(np.argmin(cost))])


def _unusual(values):
    """Logarithm of (n, C) positive values over their median; far below it where they were not measured, 0 where none was."""
    logarithms = np.log(np.maximum(values.astype(np.float64), 1e-6))
    known = np.isfinite(logarithms).all(1)
    if not known.any():
        return np.zeros(values.shape)
    return np.where(known[:, None], logarithms - np.median(logarithms[known], axis=0), -9.0)


def _motion(track):
    """(N,) float: how far the head moves from one frame to the next, eye distances; the larger way to either side."""
    stable = track.landmarks[:, list(STABLE)].astype(np.float64)
    unit = np.maximum(eye_distance(track.landmarks.astype(np.float64)), 1e-6)
    step = np.linalg.norm(np.diff(stable, axis=0), axis=-1).mean(1) / unit[1:]
    step[np.diff(track.shots) != 0] = np.nan
    step = np.nan_to_num(step)
    return np.maximum(np.append(step, 0), np.insert(step, 0, 0))


def _pose(landmarks):
    """(N, 2) float: place of the nose tip relative to the eyes, in units of the size; stands for yaw and pitch."""
    eyes = (landmarks[:, 36] + landmarks[:, 45]) / 2
    size = np.maximum(interocular(landmarks), 1e-6)[:, None]
    return (landmarks[:, 30] - eyes) / size


def _spread(values):
    """Distance between the 10th and 90th percentile, never zero."""
    low, high = np.percentile(values, (10, 90))
    return max(float(high - low), 1e-6)

"""Choice of the frame that shows the model what the person looks like."""

import numpy as np

from common.errors import InputError
from faces.landmarks import interocular
from faces.mouth import mouth_opening

REST_PERCENTILE = 20


def choose_reference(track):
    """A frame with the mouth nearly at rest and the head posed and sized as it usually is.

    One frame for the whole clip: a reference that changes with the target would tell the model the mouth that it must make up
    from the audio. Only the landmarks are looked at, and only frames in which the face was really found. The rule is
    ours.

    Args:
        track: FaceTrack with at least one frame that has a face.

    Returns:
        int, number of the frame.
    """
    found = np.flatnonzero(track.present & ~track.interpolated)
    if not len(found):
        found = np.flatnonzero(track.present)
    if not len(found):
        raise InputError("no frame has a face that could serve as reference")
    landmarks = track.landmarks[found].astype(np.float64)
    opening, size, pose = mouth_opening(landmarks), interocular(landmarks), _pose(landmarks)
    cost = np.abs(opening - np.percentile(opening, REST_PERCENTILE)) / _spread(opening)
    for values in (np.log(np.maximum(size, 1e-6)), *pose.T):
        cost = cost + np.abs(values - np.median(values)) / _spread(values)
    return int(found[int(np.argmin(cost))])


def _pose(landmarks):
    """(N, 2) float: place of the nose tip relative to the eyes, in units of the size; stands for yaw and pitch."""
    eyes = (landmarks[:, 36] + landmarks[:, 45]) / 2
    size = np.maximum(interocular(landmarks), 1e-6)[:, None]
    return (landmarks[:, 30] - eyes) / size


def _spread(values):
    """Distance between the 10th and 90th percentile, never zero."""
    low, high = np.percentile(values, (10, 90))
    return max(float(high - low), 1e-6)

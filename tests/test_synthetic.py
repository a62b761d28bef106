"""The synthetic talking head is true to its word: lips and voice follow the opening that it returns."""

import numpy as np
import pytest

from media import VideoReader, decode_audio
from tests import synthetic

SECONDS, FPS = 3, 25


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("synthetic") / "head.mp4"
    return path, synthetic.make_talking_head(path, SECONDS, seed=3, fps=FPS)


def test_measured_lips_follow_the_known_opening(clip):
    from faces.detectors import build_detector
    from faces.mouth import mouth_opening

    path, opening = clip
    detector = build_detector("mediapipe")
    try:
        with VideoReader(path) as frames:
            found = [detector.detect(frame) for frame in frames]
    finally:
        detector.close()
    assert all(len(faces) == 1 for faces in found)
    measured = np.array([mouth_opening(faces[0].landmarks) for faces in found])
    assert np.corrcoef(measured, opening)[0, 1] > 0.95
    assert measured[opening == 0].max() < 0.05
    assert measured[opening > 0.8].min() > 0.15


def test_video_has_every_frame_and_moves(clip):
    path, opening = clip
    with VideoReader(path) as reader:
        frames = list(reader)
    assert len(frames) == len(opening) == SECONDS * FPS
    assert opening.dtype == np.float32 and opening.min() == 0 and 0.5 < opening.max() <= 1
    hair = [frame[20:70, 60:200].astype(np.float32) for frame in frames]
    assert np.abs(hair[0] - hair[-1]).mean() > 2, "the head should sway"


def test_voice_is_loud_where_the_mouth_is_open_and_silent_where_it_is_closed(clip):
    path, opening = clip
    samples, rate = decode_audio(path)
    sound = samples.mean(axis=0)
    hop = rate // FPS
    loudness = np.array([np.sqrt(np.mean(sound[i * hop : (i + 1) * hop] ** 2)) for i in range(len(opening))])
    assert np.corrcoef(loudness, opening)[0, 1] > 0.8
    closed = (opening == 0) & (np.roll(opening, 1) == 0) & (np.roll(opening, -1) == 0)
    assert closed.sum() >= 5
    assert loudness[closed].max() < 0.02 * loudness.max()


def test_a_seed_decides_everything_and_two_seeds_differ():
    first, again, other = (synthetic.opening_track(4, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.corrcoef(first, other)[0, 1] < 0.5
    assert np.array_equal(synthetic.voice(first, 1), synthetic.voice(again, 1))
    assert not np.array_equal(synthetic.sway_matrix(1.0, 1, 256), synthetic.sway_matrix(1.0, 2, 256))


def test_only_the_mouth_and_chin_of_the_picture_change():
    head = synthetic.TalkingPicture()
    x1, y1, x2, y2 = synthetic._PATCH
    changed = np.argwhere((head.with_mouth(0.0) != head.with_mouth(1.0)).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert x1 < left and right < x2 - 1 and y1 < top and bottom < y2 - 1, "the change reaches the border of its patch"

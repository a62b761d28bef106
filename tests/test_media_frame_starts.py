"""When the frames of a file begin: as the reader shows them, at any rate, with sound before the picture."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import InputError
from media import VideoReader
from media.length import as_shown, frame_starts
from media.timeline import EARLY
from tests.make_media import frame_number, make_video, numbered_frames

FRAMES = [np.full((32, 32, 3), 8 * number, np.uint8) for number in range(20)]
UNEVEN = [Fraction(one, 100) for one in (0, 4, 7, 13, 26, 30, 31, 40, 52, 56, 60, 64, 70, 81, 82, 86, 99, 103)]
NOISE = np.random.default_rng(0).uniform(-0.1, 0.1, (1, 32000)).astype(np.float32)
FILES = {
    "variable rate.mp4": {"times": UNEVEN},
    "variable rate.mkv": {"times": UNEVEN, "bframes": 3},
    "late.mp4": {"times": UNEVEN, "video_start": 0.3, "audio": NOISE, "sample_rate": 16000},
    "late, constant rate.mkv": {"video_start": 0.3, "audio": NOISE, "sample_rate": 16000},
    "late without sound.mp4": {"video_start": 0.3},
    "without times.h264": {"bframes": 0},
    "open groups.ts": {"bframes": 2, "options": {"g": "6", "x264-params": "open-gop=1"}},
}


@pytest.mark.parametrize("fps", [25, 30])
def test_frames_begin_at_the_rate_of_the_file(tmp_path, fps):
    make_video(tmp_path / "a.mp4", FRAMES, fps)
    np.testing.assert_allclose(frame_starts(tmp_path / "a.mp4"), np.arange(20) / fps, atol=2e-3)


@pytest.mark.parametrize("name", FILES)
def test_frames_begin_when_the_reader_shows_them(tmp_path, name):
    path = make_video(tmp_path / name, numbered_frames(len(UNEVEN)), 25, **FILES[name])
    starts = frame_starts(path)
    assert len(starts) == len(UNEVEN) and (np.diff(starts) >= 0).all()
    with VideoReader(path) as reader:
        shown = [frame_number(frame) for frame in reader]
        fps = float(reader.info.fps)
    begun = np.searchsorted(starts, (np.arange(len(shown)) + float(EARLY)) / fps + 1e-9, side="right") - 1
    assert np.maximum(begun, 0).tolist() == shown
    assert ("audio" in FILES[name]) == (starts[0] > 0.25), "where the sound begins first, the picture begins late"


def packets(times, keys=(0,)):
    """Packets in the order in which they are decoded."""
    return [SimpleNamespace(pts=time, is_keyframe=number in keys) for number, time in enumerate(times)]


@pytest.mark.parametrize(
    ("times", "keys", "wanted"),
    [
        ([0, 3, 1, 2, 6, 4, 5], (0,), [0, 1, 2, 3, 4, 5, 6]),
        ([0, 1, None, 3], (0,), [0, 1, None, 3]),
        ([0, 3, 1, 2, 0, 3, 1, 2], (0, 4), [0, 1, 2, 3, 0, 1, 2, 3]),  # spliced
        ([None, None], (0,), [None, None]),
    ],
)
def test_packets_are_brought_into_the_order_of_their_frames(times, keys, wanted):
    assert [one.pts for one in as_shown(packets(times, keys))] == wanted


def test_a_file_that_is_no_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_text("x")
    with pytest.raises(InputError, match="a.mp4"):
        frame_starts(tmp_path / "a.mp4")

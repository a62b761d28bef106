"""When the frames of a file begin: as the reader shows them, at any rate, with sound before the picture."""

import numpy as np
import pytest

from common.errors import InputError
from media.length import frame_starts
from tests.make_media import make_video

FRAMES = [np.full((32, 32, 3), 8 * number, np.uint8) for number in range(20)]


@pytest.mark.parametrize("fps", [25, 30])
def test_frames_begin_at_the_rate_of_the_file(tmp_path, fps):
    make_video(tmp_path / "a.mp4", FRAMES, fps)
    np.testing.assert_allclose(frame_starts(tmp_path / "a.mp4"), np.arange(20) / fps, atol=2e-3)


def test_a_file_that_is_no_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_text("x")
    with pytest.raises(InputError, match="a.mp4"):
        frame_starts(tmp_path / "a.mp4")

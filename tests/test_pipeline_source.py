import numpy as np
import pytest

from common.errors import InputError
from pipeline import source as source_module
from pipeline.options import FaceOptions, Transform
from pipeline.source import FaceSource
from pipeline.timeline import LOOP_MODES, loop_index
from tests.inference_kit import write_video


def numbered(count):
    """Frames whose grey tells their number."""
    return [np.full((32, 48, 3), 20 + 8 * number, np.uint8) for number in range(count)]


def number_of(frame):
    return round((float(frame.mean()) - 20) / 8)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("source") / "numbered.mp4", numbered(13))


@pytest.mark.parametrize("mode", LOOP_MODES)
@pytest.mark.parametrize("known", [True, False], ids=["count known", "count unknown"])
@pytest.mark.parametrize("piece", [1, 3, 100])
def test_frames_come_in_the_order_of_loop_index(video, monkeypatch, mode, known, piece):
    monkeypatch.setattr(source_module, "REVERSE_BYTES", piece * 32 * 48 * 3)
    played = list(FaceSource(video, FaceOptions()).play(44, mode, 13 if known else None))
    wanted = [loop_index(t, 13, mode) for t in range(44)]
    assert [index for index, _ in played] == wanted
    assert [number_of(frame) for _, frame in played] == wanted


def test_backwards_no_more_is_held_than_a_piece(video, monkeypatch):
    monkeypatch.setattr(source_module, "REVERSE_BYTES", 4 * 32 * 48 * 3)
    pieces, frames = [], FaceSource.frames

    def watched(self, start=0, stop=None):
        pieces.append((start, stop))
        return frames(self, start, stop)

    monkeypatch.setattr(FaceSource, "frames", watched)
    list(FaceSource(video, FaceOptions()).play(24, "pingpong", 13))
    assert pieces == [(0, 13), (8, 12), (4, 8), (1, 4)]


def test_a_short_audio_ends_the_pass(video):
    assert [index for index, _ in FaceSource(video, FaceOptions()).play(5, "pingpong")] == [0, 1, 2, 3, 4]


def test_a_video_that_shrinks_between_the_passes_is_noticed(video):
    with pytest.raises(InputError, match="numbered.mp4.*20 were expected"):
        list(FaceSource(video, FaceOptions()).play(20, "pingpong", 20))


def test_static_shows_the_first_frame_for_ever(video):
    source = FaceSource(video, FaceOptions(static=True))
    assert source.still
    assert [(index, number_of(frame)) for index, frame in source.play(4, "pingpong")] == [(0, 0)] * 4


def test_shrunk_then_turned_then_cut(tmp_path):
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16, :24] = 240  # the top left quarter
    video = write_video(tmp_path / "v.mp4", [picture])
    source = FaceSource(video, FaceOptions(Transform(resize_factor=2, rotate=True, crop=(0, 12, 0, -1))))
    assert (source.width, source.height) == (16, 12)
    frame = next(source.frames())
    assert frame.shape == (12, 16, 3) and frame.flags.c_contiguous
    assert frame[:8, 11:].mean() > 200 > 60 > frame[:8, :5].mean()  # clockwise: top left goes to top right


def test_geometry_that_leaves_nothing_is_refused(video):
    with pytest.raises(InputError, match="resize_factor"):
        FaceSource(video, FaceOptions(Transform(resize_factor=100)))
    with pytest.raises(InputError, match="crop"):
        FaceSource(video, FaceOptions(Transform(crop=(0, 400, 0, -1))))


def test_fps_is_for_pictures(video, tmp_path, caplog):
    from fractions import Fraction

    from PIL import Image

    Image.new("RGB", (40, 30)).save(tmp_path / "p.png")
    rate = Fraction(30000, 1001)
    assert FaceSource(tmp_path / "p.png", FaceOptions(fps=rate)).fps == rate
    assert FaceSource(tmp_path / "p.png", FaceOptions()).fps == 25
    assert not caplog.text
    assert FaceSource(video, FaceOptions(fps=rate)).fps == 25
    assert "--fps" in caplog.text

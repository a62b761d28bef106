from fractions import Fraction

import numpy as np
import pytest

from common.errors import InputError
from pipeline.options import FaceOptions, Transform
from pipeline.playback import source as source_module
from pipeline.playback.rewind import frames_near
from pipeline.playback.source import FaceSource
from pipeline.playback.timeline import LOOP_MODES, loop_index
from tests.inference_kit import write_video


def numbered(count):
    """Frames whose grey tells their number."""
    return [np.full((32, 48, 3), 20 + 8 * number, np.uint8) for number in range(count)]


def with_key_frames(path, count):
    """A video with a key frame every ten frames and B frames between them, at 30000/1001; each frame is another."""
    import av

    draw = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4" if path.suffix == ".avi" else "libx264", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 10, 0 if path.suffix == ".avi" else 2
        for _ in range(count):
            picture = draw.integers(0, 256, (4, 6, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


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
    monkeypatch.setattr(source_module, "frames_near", lambda *_: None)
    list(FaceSource(video, FaceOptions()).play(24, "pingpong", 13))
    assert pieces == [(0, 13), (8, 12), (4, 8), (1, 4)]


def test_backwards_a_video_is_sought_not_read_again(tmp_path, monkeypatch):
    video = with_key_frames(tmp_path / "keys.mp4", 60)
    monkeypatch.setattr(source_module, "REVERSE_BYTES", 6 * 32 * 48 * 3)
    passes, frames = [], FaceSource.frames
    monkeypatch.setattr(FaceSource, "frames", lambda self, *span: passes.append(span) or frames(self, *span))
    played = list(FaceSource(video, FaceOptions()).play(110, "pingpong", 60))
    assert passes == [(0, 60)]
    straight = list(FaceSource(video, FaceOptions()).frames())
    assert all((frame == straight[loop_index(t, 60, "pingpong")]).all() for t, (_, frame) in enumerate(played))


def test_seeking_that_goes_astray_is_noticed(video, monkeypatch):
    monkeypatch.setattr(source_module, "REVERSE_BYTES", 4 * 32 * 48 * 3)
    astray = [np.zeros((32, 48, 3), np.uint8)] * 5
    monkeypatch.setattr(source_module, "frames_near", lambda path, start, stop: astray[: stop - start])
    played = list(FaceSource(video, FaceOptions()).play(24, "pingpong", 13))
    assert [number_of(frame) for _, frame in played] == [loop_index(t, 13, "pingpong") for t in range(24)]


@pytest.mark.parametrize("name", ["keys.mp4", "keys.mkv", "keys.ts", "keys.avi"])
@pytest.mark.parametrize(("start", "stop"), [(0, 5), (9, 12), (31, 60), (58, 60), (59, 60)])
def test_sought_frames_are_those_of_the_reader(tmp_path, name, start, stop):
    video = with_key_frames(tmp_path / name, 60)
    straight = list(FaceSource(video, FaceOptions()).frames())
    sought = frames_near(video, start, stop)
    assert len(straight) == 60
    if sought is None:  # then the source starts over; containers with an index must not need that
        assert video.suffix not in (".mp4", ".mkv")
        return
    assert all((a == b).all() for a, b in zip(sought, straight[start:stop], strict=True))


def test_frames_that_are_not_there_cannot_be_sought(video):
    assert frames_near(video, 10, 20) is None


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
    from PIL import Image

    Image.new("RGB", (40, 30)).save(tmp_path / "p.png")
    rate = Fraction(30000, 1001)
    assert FaceSource(tmp_path / "p.png", FaceOptions(fps=rate)).fps == rate
    assert FaceSource(tmp_path / "p.png", FaceOptions()).fps == 25
    assert not caplog.text
    assert FaceSource(video, FaceOptions(fps=rate)).fps == 25
    assert "--fps" in caplog.text

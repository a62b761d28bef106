"""Interlaced footage: combs go, nothing moves in time, progressive frames stay as they are."""

import av
import numpy as np
import pytest

from media import VideoReader, probe
from media.notes import INTERLACED
from media.pixels import FrameConverter
from tests.make_media import make_interlaced, make_video

STEP = 3  # pixels that the edge moves in a fiftieth of a second


def moving_edges(count=24, width=160, height=96):
    """Frames in which a bright bar of 40 pixels moves to the right; it begins at 10 + STEP * number."""
    frames = np.full((count, height, width, 3), 40, np.uint8)
    for number, frame in enumerate(frames):
        frame[:, 10 + STEP * number : 50 + STEP * number] = 200
    return list(frames)


def comb(frame):
    """Mean distance of a line to the mean of its neighbours: large where the fields of a moving picture are woven."""
    grey = frame[4:-4].astype(float).mean(-1)
    return float(np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2).mean())


def edge(frame):
    """Column at which the bar begins."""
    return float(np.argmax(frame[40:56].mean((0, 2)) > 120))


def woven(path):
    """The decoded frames as they are stored."""
    with av.open(str(path)) as container:
        return [FrameConverter()(frame) for frame in container.decode(video=0)]


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("name", ["i.ts", "i.mkv"])
def test_combs_go_and_nothing_moves_in_time(tmp_path, name, top_first):
    path = make_interlaced(tmp_path / name, moving_edges(), top_first=top_first)
    before, after = woven(path), list(VideoReader(path))
    assert probe(path).notes == (INTERLACED,) and probe(path).fps == 25
    assert len(after) == len(before) == 12
    assert min(map(comb, before)) > 2 and max(map(comb, after)) < min(map(comb, before)) / 10
    for number, frame in enumerate(after):  # the field that is shown first, which is frame 2k
        assert abs(edge(frame) - (10 + STEP * 2 * number)) <= 1


def test_container_that_alone_knows_the_fields(tmp_path):
    """Raw video in mov: the frames say nothing."""
    path = make_interlaced(tmp_path / "r.mov", moving_edges(), codec="v210", options={"field_order": "tt"})
    frame = next(iter(woven(path)))
    assert comb(frame) > 2
    assert probe(path).notes == (INTERLACED,)
    assert max(map(comb, VideoReader(path))) < comb(frame) / 10


def test_interlace_that_begins_later_is_told_when_it_comes(tmp_path, caplog):
    """Recordings of television: progressive frames, then interlaced ones."""
    edges = moving_edges()
    film, news = (make_interlaced(tmp_path / f"{name}.ts", frames, top_first=True, options=how) for name, frames, how in (
        ("film", [edges[0]] * 8, {"qmin": "1", "qmax": "2"}), ("news", edges, None)))  # fmt: skip
    (tmp_path / "both.ts").write_bytes(film.read_bytes() + news.read_bytes())
    reader = VideoReader(tmp_path / "both.ts")
    before = reader.notes
    frames = list(reader)
    assert (before, reader.notes) == ((), (INTERLACED,)) and INTERLACED in caplog.text
    assert max(map(comb, frames)) < 0.5 < max(map(comb, woven(tmp_path / "both.ts")))


def test_progressive_frames_pass_bit_for_bit(tmp_path):
    path = make_video(tmp_path / "p.mp4", moving_edges())
    assert all(np.array_equal(a, b) for a, b in zip(woven(path), VideoReader(path), strict=True))
    assert probe(path).notes == ()


def test_tiny_interlaced_frames_are_left_alone(tmp_path):
    path = make_interlaced(tmp_path / "t.mov", moving_edges(4, 2, 2), codec="v210", options={"field_order": "tt"})
    assert [frame.shape for frame in VideoReader(path)] == [(2, 2, 3)] * 2

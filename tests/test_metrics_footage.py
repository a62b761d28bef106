"""Footage: videos of any size in memory or read again, cut, changed, and one frame held; refusals."""

from dataclasses import replace

import numpy as np
import pytest

from common.errors import InputError
from faces.crops import CropSpec
from metrics.footage import open_footage
from metrics.sync.video import judge_video
from tests.sync_kit import HEIGHT, RATE, RULES, WIDTH, Level, RedSpot, clicks, draw, write


def test_a_video_that_does_not_fit_into_memory_gives_the_same_figures(tmp_path):
    path = write(tmp_path / "clip.mp4", [draw(at, 5 * at) for at in range(45)], 30)
    sound, size = (clicks(1.5, [0.5]), RATE), WIDTH * HEIGHT * 3
    scores = []
    for keep, kept in ((45 * size, True), (45 * size - 1, False), (10 * size, False), (0, False)):
        footage = open_footage(path, RedSpot(), keep_bytes=keep)
        first, again = next(iter(footage.frames())), next(iter(footage.frames()))
        assert (first is again) == kept
        np.testing.assert_array_equal(first, again)
        assert len(list(footage.frames())) == len(footage) == 45
        scores.append(judge_video(footage, sound, Level(), "tracked", RULES).score)
    for score in scores[1:]:
        np.testing.assert_array_equal(score.curve, scores[0].curve)


def test_footage_is_cut_changed_and_refused(tmp_path):
    path = write(tmp_path / "clip.mp4", [draw(at, seen=at != 4) for at in range(30)])
    seen = []
    footage = open_footage(path, RedSpot(), limit=12, fit=lambda info: seen.append(info) or (lambda frame: frame[:170]),
                           keep_bytes=0)
    assert len(footage) == 12 and {frame.shape for frame in footage.frames()} == {(170, WIDTH, 3)}
    assert seen[0].height == HEIGHT and footage.track.height == 170 and footage.damage is None and not footage.still
    assert footage.detected.tolist() == [at != 4 for at in range(12)] and footage.track.present.all()
    assert np.isnan(footage.boxes()).all(1).tolist() == [at == 4 for at in range(12)]
    blank = write(tmp_path / "blank.mp4", [draw(at, seen=False) for at in range(8)])
    with pytest.raises(InputError, match=r"blank\.mp4: no face was found in any of its 8 frames"):
        open_footage(blank, RedSpot())
    from PIL import Image

    Image.fromarray(draw(0)).save(tmp_path / "still.png")
    with pytest.raises(InputError, match=r"still\.png: is a picture"):
        open_footage(tmp_path / "still.png", RedSpot())


@pytest.mark.parametrize("fps", [25, 50])
def test_a_held_frame_is_judged_as_a_video_of_it(tmp_path, fps):
    levels = [5 * at for at in range(40)]
    footage = open_footage(write(tmp_path / "clip.mp4", [draw(*one) for one in enumerate(levels)], fps), RedSpot())
    held = footage.held(7)
    read = list(footage.frames())
    assert held.still and len(held) == 40 and all((frame == read[7]).all() for frame in held.frames())
    assert (held.track.landmarks == footage.track.landmarks[7]).all() and held.detected.all() and not footage.still
    sound = clicks(40 / fps, [0.2]), RATE
    for judge, crop in ((Level(), "whole"), (Level(), "tracked"), (Level(CropSpec("aligned", 96)), "tracked")):
        quick = judge_video(held, sound, judge, crop, RULES)
        slow = judge_video(replace(held, still=False), sound, judge, crop, RULES)
        assert len(judge.shown[0]) == 5 < len(judge.shown[1]) and quick.score.windows == slow.score.windows
        np.testing.assert_allclose(quick.score.curve, slow.score.curve, rtol=1e-6)
        np.testing.assert_array_equal(quick.lips, slow.lips)
    assert footage.held(3).held(9).still

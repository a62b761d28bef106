"""The figures of the warp: a picture compared with itself, and a clip drawn from its own frames."""

import numpy as np
import pytest

from benchmarks.lipwarp.warp import COLUMNS, drawn_clip, measured, set_constant
from benchmarks.lipwarp.warp_material import WindowClip
from common.errors import InputError
from faces.drawing import bank
from tests.test_faces_bank import FRAMES, clip


def test_real_frames_are_like_themselves():
    landmarks, pictures = clip()
    values = measured(pictures, pictures, landmarks, np.ones(FRAMES, bool))
    assert set(values) <= set(COLUMNS)
    assert values["ssim"] == pytest.approx(1) and values["sharp"] == pytest.approx(1) and values["psnr"] == 100


def test_a_clip_is_drawn_from_frames_that_are_far_away():
    landmarks, pictures = clip()
    real = WindowClip(pictures, landmarks, np.ones(FRAMES, bool))
    made, sources, bank, _ = drawn_clip(real, 6, gap=10)
    assert made.shape == (6, *pictures.shape[1:])
    assert (np.abs(bank.numbers[sources.entries[:, 0]] - np.arange(6)) >= 10).all()
    closed, _, only, _ = drawn_clip(real, 6, closed=True)
    assert len(only) == 1 and closed.shape == made.shape


def test_numbers_of_the_drawing_can_be_set_and_no_others(monkeypatch):
    monkeypatch.setattr(bank, "SWITCH", bank.SWITCH)
    set_constant("bank.SWITCH=0.25")
    assert bank.SWITCH == 0.25
    names = ("nosuch.SWITCH=1", "bank.NOSUCH=1", "bank.np=1", "..bank.SWITCH=1", "SWITCH=1")
    for wrong in (*names, "bank.SWITCH=much", "bank.SWITCH"):
        with pytest.raises(InputError, match="--set"):
            set_constant(wrong)
    assert bank.SWITCH == 0.25 and not hasattr(bank, "NOSUCH")

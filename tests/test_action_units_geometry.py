"""Action units by geometry: each distance moves its own unit, against the neutral face, whatever the head does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.action_units import LABELS, NAMES, UNITS
from faces.action_units import CLOSED, RULES, action_units, movements
from tests.action_units_kit import speaking

AT = slice(30, 40)  # frames in which the mouth has moved, away from the smoothing of the step


def found(**moves):
    present, intensity, known = action_units(speaking(**moves))
    assert known.all() and present.dtype == np.uint8 and intensity.dtype == np.float32
    assert not present[:22].any(), "the neutral face has no unit"
    return {unit for unit, one in zip(UNITS, present[AT].all(0), strict=True) if one}


def test_units_have_one_order_and_their_names():
    assert UNITS == (10, 14, 20, 25, 26) and LABELS == ("AU10", "AU14", "AU20", "AU25", "AU26")
    assert len(NAMES) == len(UNITS) and set(RULES) == set(UNITS)
    assert all(0 < rule.present < rule.full for rule in RULES.values())


def test_each_movement_is_its_unit():
    assert found() == set()
    assert found(gap=0.15) == {25}
    assert found(gap=0.15, chin=0.08) == {25, 26}
    assert found(chin=0.08) == {26}
    assert found(upper=0.05, gap=0.02) == {10, 25}
    assert 20 in found(width=0.1) and 20 not in found(width=-0.1)
    assert found(reach=0.02) >= {14} and 14 not in found(reach=0.02, gap=0.4)
    assert 20 not in found(width=0.04, gap=0.35), "a mouth that opens is no stretched one"


@given(st.floats(20, 90), st.floats(-25, 25), st.floats(0, 300))
@settings(deadline=None, max_examples=15)
def test_place_size_and_roll_of_the_head_change_nothing(eyes, roll, x):
    moves = {"gap": 0.12, "chin": 0.06, "width": 0.08, "upper": 0.03}
    usual = movements(speaking(**moves))
    np.testing.assert_allclose(movements(speaking(**moves, eyes=eyes, roll=roll, x=x)), usual, atol=2e-4)


def test_intensity_is_0_at_rest_1_at_the_threshold_and_5_at_the_end():
    rule = RULES[26]
    for chin, wanted in ((0.0, 0), (rule.present, 1), ((rule.present + rule.full) / 2, 3), (rule.full, 5), (0.5, 5)):
        present, intensity, _ = action_units(speaking(chin=chin))
        assert intensity[AT, 4].mean() == pytest.approx(wanted, abs=0.02)
        np.testing.assert_array_equal(present, intensity >= 1)


def test_a_mouth_that_never_closes_is_parted_and_a_small_gap_at_rest_is_not():
    faces = speaking(gap=0.3)
    faces[:26] = speaking(gap=CLOSED + RULES[25].present + 0.02)[-1]
    present, _, _ = action_units(faces)
    assert present[:, 3].all()
    faces[:26] = speaking(gap=CLOSED)[-1]
    assert not action_units(faces)[0][:22, 3].any()


def test_frames_without_a_face_are_unknown_and_the_others_stay():
    faces = speaking(gap=0.15)
    whole = action_units(faces)[1]
    faces[30:33] = np.nan
    usable = np.ones(40, bool)
    usable[35] = False
    present, intensity, known = action_units(faces, 25, usable)
    assert sorted(np.flatnonzero(~known)) == [30, 31, 32, 35]
    assert not present[~known].any() and not intensity[~known].any()
    np.testing.assert_allclose(intensity[known], whole[known], atol=1e-3)
    with pytest.raises(ValueError, match="no frame shows a face"):
        action_units(np.full((3, 68, 2), np.nan))


def test_lips_that_are_pressed_for_a_moment_are_not_the_neutral_face():
    """A fifth of the closed frames is narrow, as in a long P; the frames at rest outnumber them."""
    faces = speaking(count=60, gap=0.15)
    faces[4:8] = speaking(width=-0.12)[-1]
    present, _, _ = action_units(faces)
    assert not present[10:18, 2].any()

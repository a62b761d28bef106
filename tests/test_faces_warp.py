"""Fields that carry one face to another, and the lower face that is drawn with them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faces.drawing.lips import uncrossed
from faces.drawing.lower_face import draw_lower_face
from faces.drawing.relight import relit, still_skin
from faces.drawing.warp import cell_areas, inner_mouth_mask, sampled, spread, unfolded, warp_maps
from tests.faces_kit import plain_face, smooth_picture

SIZE = 128


def face(opening=0.0, x=64.0, y=46.0, eyes=36.0, roll=0.0):
    """Landmarks whose lower lip and chin lie `opening` eye distances lower than those of `plain_face`."""
    points = plain_face(0.0, 0.0, 1.0).astype(np.float64)
    points[60:68, 1] = 1.25
    for index, share in ((55, 0.6), (56, 0.9), (57, 1), (58, 0.9), (59, 0.6), (65, 0.8), (66, 1), (67, 0.8)):
        points[index, 1] += share * opening
    points[4:13, 1] += 0.6 * opening * np.sin(np.linspace(0, np.pi, 9))
    roll = np.deg2rad(roll)
    return points @ np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]]) * eyes + (x, y)


def picture(waves=3):
    return smooth_picture(SIZE, SIZE, waves)


def test_a_field_to_itself_leaves_the_picture():
    points = face(0.2)
    for part in ("all", "upper", "lower"):
        (field,) = warp_maps(points, points, SIZE, (part,))
        out = sampled(picture(), spread(field, SIZE))
        assert np.abs(out.astype(int) - picture()).max() <= 1


def test_a_field_follows_a_similarity():
    source, target = face(0.1, 60, 40, 30, 5), face(0.1)
    (field,) = warp_maps(source, target, SIZE, ("all",))
    field = spread(field, SIZE)
    for index in (8, 33, 57):
        x, y = np.rint(target[index]).astype(int)
        expected = source[index] + (np.array([x, y]) - target[index]) * (30 / 36)
        assert np.abs(field[:, y, x] - expected).max() < 0.35


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(-15, 15), st.integers(0, 100))
def test_fields_do_not_fold(first, second, roll, seed):
    noise = np.random.default_rng(seed).normal(0, 1.0, (68, 2))
    source, target = face(first, roll=roll) + noise, face(second)
    for field in warp_maps(source, target, SIZE, ("all", "upper", "lower")):
        assert cell_areas(field).min() > 0


def test_a_folded_field_is_unfolded_and_a_flat_one_left():
    across, down = np.meshgrid(np.arange(17.0), np.arange(17.0))
    base = np.stack([across, down], -1).astype(np.float32)
    assert unfolded(base.copy(), base) is not None and np.array_equal(unfolded(base.copy(), base), base)
    folded = base.copy()
    folded[8, 8, 0] += 3
    assert cell_areas(folded).min() < 0 < cell_areas(unfolded(folded, base)).min()


def test_the_inner_mouth_is_what_the_inner_lips_enclose():
    open_mouth, closed = face(0.3), face(0.0)
    inside = inner_mouth_mask(open_mouth, SIZE)
    x, y = np.rint(open_mouth[[62, 66]].mean(0)).astype(int)
    assert inside[y, x] == 1 and inside[:50].max() == 0
    assert inner_mouth_mask(closed, SIZE).sum() < 0.1 * inside.sum()


def test_lips_that_cross_meet_in_the_middle():
    points = face(0.0)
    points[62, 1] += 4
    lips = uncrossed(points)
    assert np.allclose(lips[62], lips[66]) and np.allclose(lips[61], lips[67])


def test_the_same_face_is_drawn_as_it_is():
    points = face(0.2)
    drawn, mask = draw_lower_face(picture(), points, points, [(picture(), points, 1.0)])
    assert np.abs(drawn.astype(int) - picture()).max() <= 1
    assert mask.max() == 1 and mask.min() == 0


def test_nothing_changes_where_the_mask_is_nothing():
    target = picture()
    drawn, mask = draw_lower_face(target, face(0.0), face(0.4), [(picture(5), face(0.3), 0.7), (picture(4), face(0.2), 0.3)])
    assert np.array_equal(drawn[mask == 0], target[mask == 0])
    assert (mask == 0).mean() > 0.4 and not np.array_equal(drawn, target)


def test_the_frame_s_own_mouth_is_hidden():
    points, wanted, source = face(0.3), face(0.1), (picture(), face(0.15), 1.0)
    marked = picture()
    x, y = np.rint(points[48:].mean(0)).astype(int)
    marked[y - 8 : y + 9, x - 12 : x + 13] = 0
    plain, _ = draw_lower_face(picture(), points, wanted, [source])
    drawn, _ = draw_lower_face(marked, points, wanted, [source])
    assert np.abs(plain.astype(int) - drawn)[y - 8 : y + 9, x - 12 : x + 13].max() <= 2


def test_a_source_of_another_size_and_place_serves():
    source = smooth_picture(200, 200)
    drawn, _ = draw_lower_face(picture(), face(), face(0.2), [(source, face(0.2, 100, 70, 56, 8), 1.0)])
    assert drawn.shape == (SIZE, SIZE, 3)


def test_light_is_carried_where_both_show_skin():
    points, bright = face(), picture()
    weights = still_skin(points, SIZE)
    dark = (bright * 0.5).astype(np.uint8)
    lit = relit(bright, dark, weights).astype(float)
    x, y = np.rint(points[57]).astype(int)
    assert abs(lit[y - 6 : y + 6, x - 6 : x + 6].mean() / dark[y - 6 : y + 6, x - 6 : x + 6].mean() - 1) < 0.08
    assert weights[y, x] == 0 and weights.max() > 0.9

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces.crops import CropSpec, plan_crops
from faces.landmarks import JAW, apply_affine
from faces.outline import lower_face_mask, whole_face_mask
from faces.paste import PASTE_STYLES, Paster
from tests.faces_kit import plain_face, smooth_picture, track_of

KINDS = ("aligned", "box", "window")


def inside_hull(points, shape, slack=1e-3):
    """(H, W) bool: pixels whose middles lie in the convex hull of points."""
    hull = cv2.convexHull(np.asarray(points, np.float32))[:, 0].astype(np.float64)
    y, x = np.mgrid[: shape[0], : shape[1]]
    found = np.ones(shape[:2], bool)
    area = float(np.sum(hull[:, 0] * np.roll(hull[:, 1], -1) - hull[:, 1] * np.roll(hull[:, 0], -1)))
    for (x0, y0), (x1, y1) in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        found &= np.sign(area) * ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) >= -slack * np.hypot(x1 - x0, y1 - y0)
    return found


@settings(deadline=None, max_examples=40)
@given(st.floats(3, 90), st.floats(-60, 60), st.integers(16, 200), st.floats(0, 3), st.floats(0, 12))
def test_weights_are_0_outside_the_hull_of_both_jaws_and_above_the_eyes_and_1_deep_inside(eyes, roll, size, inset, drop):
    face = plain_face(0.5 * size, 0.3 * size, eyes, roll).astype(np.float64)
    wanted = face.copy()
    wanted[3:14, 1] += drop
    mask = lower_face_mask(face, size, wanted=wanted, inset=inset)
    assert mask.shape == (size, size) and mask.dtype == np.float32 and mask.min() >= 0 and mask.max() <= 1
    hull = inside_hull(np.concatenate([face[JAW], wanted[JAW]]), mask.shape)
    assert not mask[~hull].any()
    down = np.array([-np.sin(np.deg2rad(roll)), np.cos(np.deg2rad(roll))])
    y, x = np.mgrid[:size, :size]
    above = (x - 0.5 * size) * down[0] + (y - 0.3 * size) * down[1] < 0.2 * eyes
    assert not mask[above].any()
    for point in (face[48:68].mean(0), face[33]):
        column, row = np.rint(point).astype(int)
        if eyes > 12 + 8 * inset and 0 <= column < size and 0 <= row < size:
            assert mask[row, column] == 1
    around = inside_hull(np.concatenate([face, face[17:27] - eyes * down]), mask.shape)
    assert not whole_face_mask(face, size)[~around].any()


def test_an_outline_that_reaches_below_the_chin_is_the_same_above_the_mouth():
    face = plain_face(48, 30, 26).astype(np.float64)
    usual, deeper = (whole_face_mask(face, 96, below=below) for below in (0.0, 0.2))
    assert (deeper >= usual - 1e-6).all() and np.abs(deeper - usual)[:40].max() < 0.02
    chin_x, chin_y = np.rint(face[8]).astype(int)
    assert usual[chin_y + 2, chin_x] == 0 < deeper[chin_y + 2, chin_x] and not deeper[chin_y + 7 :].any()


def test_weights_follow_the_face_without_a_step():
    face = plain_face(48, 30, 30).astype(np.float64)
    masks = np.stack([lower_face_mask(face + (0.1 * t, 0), 96) for t in range(20)])
    assert np.abs(np.diff(masks, axis=0)).max() < 0.1 and np.abs(np.diff(masks, axis=2)).max() < 0.5
    np.testing.assert_allclose(masks[10][:, 1:], masks[0][:, :-1], atol=0.03)


@pytest.mark.parametrize("style", PASTE_STYLES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("eyes", "roll"), [(9, 0), (40, 0), (55, 30)])
def test_a_paste_touches_nothing_but_the_lower_face_to_the_last_bit(style, kind, eyes, roll):
    frame = smooth_picture(waves=2)
    points = plain_face(eyes=eyes, roll=roll)
    (crop,) = plan_crops(track_of([points]), CropSpec(kind, 640 if kind == "window" else 96), smooth=False)
    mask = lower_face_mask(apply_affine(crop.matrix, points.astype(np.float64)), crop.size, inset=crop.smear)
    made = Paster(style)(crop, frame, 255 - crop.extract(frame), mask)
    outside = ~inside_hull(points[JAW], frame.shape)
    np.testing.assert_array_equal(made[outside], frame[outside])
    assert (made != frame).any() or eyes < 10

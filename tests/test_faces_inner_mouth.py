"""The inner mouth that is drawn where no picture shows one, and a picture that is made ready to speak."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from common.errors import InputError
from faces.drawing.inner_mouth import InnerMouth, missing
from faces.drawing.own_teeth import own_teeth
from faces.drawing.portrait import portrait_of, without_inside
from faces.lip_space import placed, speaks
from faces.mouth import mouth_opening
from tests.faces_kit import plain_face, smooth_picture

EYES = 80.0
SKIN, LIPS, WHITE, TOOTH = (200, 150, 130), (170, 90, 85), (190, 180, 175), (235, 225, 210)


@pytest.fixture(scope="module")
def inner():
    return InnerMouth.load()


def face(gap=0.16, eyes=EYES, **place):
    """(68, 2) landmarks whose inner lips are `gap` eye distances apart; the upper lip stays."""
    points = plain_face(160.0, 90.0, eyes, **place).astype(np.float64)
    upper, lower = [61, 62, 63], [65, 66, 67]
    still = points[62].copy()
    for above, below in zip(upper, lower[::-1], strict=True):
        points[below] = points[above] + (points[below] - points[above]) * (gap / 0.16)
    points[[60, 64]] += (still + (points[66] - still) / 2 - points[[60, 64]].mean(0)) * (0, 1)
    points[[55, 56, 57, 58, 59]] += (0, (gap - 0.16) * eyes)
    return points


def picture_of(points, light=1.0, shape=(320, 320)):
    """(H, W, 3) uint8: skin, lips, whites and pupils of the eyes as plain areas."""
    import cv2

    picture = np.full((*shape, 3), SKIN, np.uint8)
    for part, colour in ((points[48:60], LIPS), (points[36:42], WHITE), (points[42:48], WHITE)):
        cv2.fillPoly(picture, [np.rint(part).astype(np.int32)], colour)
    for eye in (points[36:42], points[42:48]):
        cv2.circle(picture, tuple(np.rint(eye.mean(0)).astype(int).tolist()), 3, (25, 20, 20), -1)
    return np.rint(picture * light).astype(np.uint8)


def drawn(inner, gap, light=1.0):
    points = face(gap)
    picture = picture_of(points, light)
    return picture, inner.draw(picture, points, face(0.0), inner.look(picture, points)), points


def luminance(picture):
    return picture @ np.array([0.299, 0.587, 0.114])


def test_closed_lips_show_nothing(inner):
    picture, result, _ = drawn(inner, 0.0)
    assert result is picture


def test_only_the_inside_of_the_lips_changes(inner):
    import cv2

    picture, result, points = drawn(inner, 0.2)
    inside = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.rint(points[60:68]).astype(np.int32)], 1)
    near = cv2.dilate(inside, np.ones((3, 3), np.uint8), iterations=6) > 0
    assert (result == picture)[~near].all()
    assert (result != picture).any(-1)[inside > 0].mean() > 0.9


def test_upper_teeth_stay_and_lower_teeth_go_with_the_jaw(inner):
    edges = []
    for gap in (0.3, 0.4):
        _, result, points = drawn(inner, gap)
        column = luminance(result[:, int(points[62, 0]) - 6 : int(points[62, 0]) + 7]).mean(1)
        steps = np.diff(column[int(points[62, 1]) + 2 : int(points[66, 1]) - 2])
        edges.append((int(points[62, 1]) + steps.argmin(), int(points[62, 1]) + steps.argmax()))
    (upper, lower), (upper_wide, lower_wide) = edges
    assert abs(upper - upper_wide) <= 1
    assert 0.5 * 0.1 * EYES < lower_wide - lower < 1.0 * 0.1 * EYES
    assert upper < lower


def test_light_is_the_pictures(inner):
    bright, dark = (drawn(inner, 0.3, light)[1] for light in (1.0, 0.4))
    place = (slice(190, 215), slice(140, 180))
    assert dark[place].mean() == pytest.approx(0.4 * bright[place].mean(), rel=0.2)
    assert luminance(dark[place]).max() < 0.6 * 255


def test_share_and_turned_faces(inner):
    points, rest = face(0.3, roll=20.0), face(0.0, roll=20.0)
    picture = smooth_picture(320, 320)
    look = inner.look(picture, points)
    whole, half, none = (inner.draw(picture, points, rest, look, share).astype(int) for share in (1.0, 0.5, 0.0))
    assert (none == picture).all()
    assert np.abs((whole + picture) / 2 - half).max() <= 1


def test_a_mouth_at_the_border_and_a_lost_face(inner):
    points, rest = face(0.3) - (150, 190), face(0.0) - (150, 190)
    picture = smooth_picture(64, 64)
    look = inner.look(smooth_picture(320, 320), face(0.3))
    assert inner.draw(picture, points, rest, look).shape == picture.shape
    assert inner.draw(picture, np.full((68, 2), np.nan), rest, look) is picture
    assert (inner.draw(picture, points + 1000, rest + 1000, look) == picture).all()


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5))
def test_missing_falls_as_the_source_opens(less, more, wanted):
    less, more = sorted((less, more))
    shares = [missing(face(gap), face(wanted)) for gap in (less, more)]
    assert 0 <= shares[1] <= shares[0] <= 1
    assert missing(face(wanted), face(wanted)) == 0


def test_upper_teeth_of_a_smile_are_found_and_lower_ones_are_not():
    points, rest = face(0.16), face(0.0)
    picture = picture_of(points)
    top, middle = int(points[62, 1]), int(points[62, 0])
    picture[top - 2 : int(points[66, 1]) + 2, middle - 30 : middle + 30] = (40, 15, 15)
    upper, lower = picture.copy(), picture.copy()
    upper[top - 1 : top + 9, middle - 20 : middle + 20] = TOOTH
    lower[top + 6 : int(points[66, 1]), middle - 20 : middle + 20] = TOOTH
    found = own_teeth(upper, points, rest, WHITE, LIPS)
    assert found.edge == pytest.approx(9 / EYES + (points[62, 1] - rest[[62, 66], 1].mean()) / EYES, abs=2 / EYES)
    assert np.abs(found.enamel - TOOTH).max() < 6
    assert found.cover[top + 4, middle] == 1 and found.cover[top + 12, middle] == 0
    assert own_teeth(lower, points, rest, WHITE, LIPS) is None
    assert own_teeth(picture, points, rest, WHITE, LIPS) is None


def test_a_smile_comes_to_rest_without_teeth(inner):
    import cv2

    points = face(0.16)
    picture = picture_of(points)
    inside = np.rint(points[60:68]).astype(np.int32)
    cv2.fillPoly(picture, [inside], TOOTH)
    ready = portrait_of(picture, points, inner)
    assert ready.look.own is not None
    rest = placed(np.zeros((1, 20, 2)), ready.person, points[None])[0]
    assert mouth_opening(rest) < 0.03 < mouth_opening(points)
    mask = cv2.fillPoly(np.zeros(picture.shape[:2], np.uint8), [inside], 1) > 0
    assert luminance(picture[mask]).max() > 200
    assert luminance(ready.picture[mask]).max() < 150
    assert (ready.picture == picture).all(-1).mean() > 0.9
    closed = face(0.0)
    assert without_inside(picture, closed) is picture


def test_files_that_are_something_else(tmp_path, inner):
    path = tmp_path / "x.safetensors"
    with pytest.raises(InputError, match="no such file"):
        InnerMouth.load(path)
    save_file({"upper": np.zeros(3, np.float32)}, str(path))
    with pytest.raises(InputError, match="not a talkingface-inner-mouth-1 file"):
        InnerMouth.load(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="not a talkingface-inner-mouth-1 file, or damaged"):
        InnerMouth.load(path)
    inner.save(path)
    again = InnerMouth.load(path)
    assert again.anatomy.show == inner.anatomy.show
    assert (again.layers["upper"][0] == inner.layers["upper"][0]).all()


def test_a_held_smile_does_not_speak():
    held = [face(0.16) + (number % 3, 0) for number in range(40)]
    spoken = [face(0.1 + 0.1 * np.sin(number / 2)) for number in range(40)]
    assert speaks(spoken) and not speaks(held) and not speaks(spoken[:10])
    with pytest.raises(ValueError, match="no frame"):
        speaks(np.full((40, 68, 2), np.nan))

"""Lips without a head: a turned head moves nothing, what is placed is found again, one picture comes to rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces.landmarks import JAW, MIRROR, MOUTH
from faces.lip_space import COMPONENTS, LOWER_INNER, UPPER_INNER, Person, lip_space, movements, placed, to_canonical
from faces.mouth import mouth_opening
from tests.faces_kit import plain_face


def turned(yaw, pitch, roll=0.0, eyes=40.0):
    """(68, 2) of a face in three dimensions with the mean mouth at rest, seen under these angles in degrees."""
    points, depth = plain_face(0, 0, 1.0).astype(float), np.zeros(68)
    points[MOUTH] = lip_space().rest
    depth[JAW] = -0.7 + 0.75 * np.sin(np.linspace(np.pi, 0, 17))
    depth[17:27] = 0.1 - 0.4 * np.linspace(-1, 1, 10) ** 2
    depth[27:36] = 0.12, 0.25, 0.4, 0.55, 0.2, 0.28, 0.32, 0.28, 0.2
    depth[[36, 39, 42, 45]] = -0.18, -0.02, -0.02, -0.18
    depth[MOUTH] = 0.28 - 0.8 * points[MOUTH, 0] ** 2
    yaw, pitch, roll = np.deg2rad([yaw, pitch, roll])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    solid = np.concatenate([points, depth[:, None]], 1) @ (about_z @ about_x @ about_y).T
    return solid[:, :2] * eyes + 100


def spoken(coefficients, person, faces):
    """Landmarks of these faces with mouths of these coefficients (N, 6)."""
    return placed(lip_space().shape(coefficients), person, faces)


def length(points):
    return float(np.linalg.norm(points, axis=-1).mean())


SPEECH = np.stack([0.4 * (1 - np.cos(np.arange(60) / 3)), *[0.03 * np.sin(np.arange(60) / k) for k in (2, 3, 4, 5, 6)]], 1)
ANGLES = st.tuples(st.floats(-12, 12), st.floats(-8, 8), st.floats(-30, 30), st.floats(20, 200))


@pytest.fixture(scope="module")
def person():
    known = Person.of(turned(0, 0)[None].repeat(40, 0))
    return Person(known.rest, known.jaw, 1.0)


@settings(max_examples=25, deadline=None)
@given(ANGLES)
def test_a_turned_head_moves_few_of_the_lips(person, angles):
    yaw, pitch, roll, eyes = angles
    seen = turned(yaw, pitch, roll, eyes)
    found = length(movements(seen[None], person))
    assert found <= 0.0024 * np.hypot(yaw, pitch) + 1e-9  # at most 0.035; a mouth that speaks: about 0.06
    assert abs(lip_space().coefficients(movements(seen[None], person))[0, 0]) < 0.07  # a mouth that speaks: 0.27


@settings(max_examples=25, deadline=None)
@given(ANGLES, st.lists(st.floats(-1, 1), min_size=6, max_size=6), st.floats(0.5, 2))
def test_what_is_placed_is_found_again(person, angles, shares, amplitude):
    coefficients = np.array(shares) * (0, *lip_space().scale[1:]) + (0.5 + 0.4 * shares[0], *[0] * 5)
    own = Person(person.rest, person.jaw, amplitude)
    moved = lip_space().shape(coefficients)[None] + 0.01
    seen = turned(*angles)[None]
    out = placed(moved, own, seen)
    assert length(movements(out, own) - moved) < 1e-9
    same = [*range(3), *range(14, 48)]
    assert np.array_equal(out[:, same], seen[:, same])
    assert length(movements(placed(moved, own, seen, gain=0.5), own) - moved / 2) < 1e-9


def test_lips_stop_where_they_meet(person):
    out = placed(lip_space().shape(np.eye(COMPONENTS)[:1] * -0.3), person, turned(0, 0)[None])
    mouth = to_canonical(out)[0][0, MOUTH]
    assert np.all(mouth[list(LOWER_INNER), 1] >= mouth[list(UPPER_INNER), 1] - 1e-9)
    assert mouth_opening(out)[0] < 0.01


def test_rest_is_found_in_speech_and_amplitude_is_the_spread(person):
    faces = turned(3, 2, 5)[None].repeat(60, 0)
    known = Person.of(spoken(SPEECH * 0.5, person, faces))
    assert length(known.rest - person.rest) < 0.03
    wider = Person.of(spoken(SPEECH, person, faces))
    assert wider.amplitude == pytest.approx(2 * known.amplitude, rel=0.1)
    broken = spoken(SPEECH * 0.5, person, faces)
    broken[::3] = np.nan
    assert length(Person.of(broken).rest - known.rest) < 0.02
    assert np.isnan(movements(broken, known)[::3]).all() and np.isfinite(movements(broken, known)[1::3]).all()
    with pytest.raises(ValueError, match="no frame shows a face"):
        Person.of(faces, np.zeros(60, bool))


def test_one_picture_of_an_open_or_smiling_mouth_comes_to_rest(person):
    face = turned(0, 0)[None]
    own = Person.of(face)
    assert own.amplitude == 1 and length(own.rest - person.rest) < 0.01
    open_mouth = Person.of(spoken(np.eye(COMPONENTS)[:1] * 0.6, person, face))
    assert length(open_mouth.rest - person.rest) < 0.2 * length(lip_space().shape(np.eye(COMPONENTS)[0] * 0.6))
    assert (open_mouth.rest[18] - open_mouth.rest[14])[1] < 0.03
    smile = face.copy()
    width = np.abs(smile[:, MOUTH, 0] - 100) / np.abs(smile[:, MOUTH, 0] - 100).max()
    smile[:, MOUTH, 0] += np.sign(smile[:, MOUTH, 0] - 100) * width * 4
    smile[:, MOUTH, 1] -= width**2 * 5
    seen = movements(smile, person)[0]
    assert length(Person.of(smile).rest - person.rest) < 0.5 * length(seen)


def test_constants_are_sound():
    space = lip_space()
    assert space.components @ space.components.T == pytest.approx(np.eye(COMPONENTS), abs=1e-5)
    shape = np.random.default_rng(0).normal(size=(5, COMPONENTS))
    assert space.coefficients(space.shape(shape)) == pytest.approx(shape, abs=1e-5)
    mirrored = np.array(MIRROR[MOUTH]) - MOUTH.start
    assert length(space.rest[mirrored] * (-1, 1) - space.rest) < 1e-6
    assert not space.jaw(shape)[:, [0, 16]].any()
    opening = space.shape(np.eye(COMPONENTS)[0])
    assert (opening[18] - opening[14])[1] > 0.3 and space.jaw(np.eye(COMPONENTS)[0])[8, 1] > 0.1


def test_a_mirrored_face_moves_mirrored(person):
    seen = spoken(SPEECH, person, turned(6, -3)[None].repeat(60, 0))
    mirrored = seen[:, list(MIRROR)] * (-1, 1)
    own, other = Person.of(seen), Person.of(mirrored)
    lips = np.array(MIRROR[MOUTH]) - MOUTH.start
    assert length(movements(mirrored, other)[:, lips] * (-1, 1) - movements(seen, own)) < 1e-6

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from faces.crops import CropSpec, plan_crops
from faces.landmarks import CANONICAL_STABLE, STABLE, apply_affine
from faces.optimise import USUAL_LIPS, FaceOptimiser, Strength, mouth_zone, optimise_face, usual_lips
from faces.texture import grid_modules, module_deviations, module_means, texture_modules
from tests.faces_kit import portrait, track_of

INNER_LIPS = slice(60, 68)


def real_face(size=96):
    """An aligned crop of the portrait."""
    return cv2.resize(portrait()[85:203, 165:283], (size, size), interpolation=cv2.INTER_AREA)


def smoothed(face, sigma=1.3, cast=(6, -4, 3)):
    """What a generator makes of a face: less detail, another cast."""
    return np.clip(cv2.GaussianBlur(face, (0, 0), sigma).astype(int) + cast, 0, 255).astype(np.uint8)


def texture(seed, size=96, level=120, deviation=20):
    rough = np.random.default_rng(seed).normal(size=(size, size))
    rough = cv2.GaussianBlur(rough, (0, 0), 0.8)
    return np.clip(level + deviation * rough[..., None] / rough.std() + np.zeros(3), 0, 255).astype(np.uint8)


def detail(face):
    grey = face.astype(np.float32).mean(-1)
    return grey - cv2.GaussianBlur(grey, (0, 0), 1.0)


def landmarks_at(x, y, width, gap, size=96):
    """(68, 2) landmarks with nothing but lips."""
    points = np.full((68, 2), (x, y), float)
    turn = np.pi + 2 * np.pi * np.arange(12) / 12
    points[48:60] += np.stack([width / 2 * np.cos(turn), (gap / 2 + 0.12 * width) * np.sin(turn)], 1)
    turn = np.pi + 2 * np.pi * np.arange(8) / 8
    points[60:68] += np.stack([0.4 * width * np.cos(turn), gap / 2 * np.sin(turn)], 1)
    return points


def polygon(points, size=96):
    filled = np.zeros((size, size), np.uint8)
    cv2.fillPoly(filled, [np.rint(points).astype(np.int32)], 1)
    return filled > 0


@settings(deadline=None, max_examples=25)
@given(st.floats(20, 76), st.floats(50, 80), st.floats(12, 34), st.floats(0, 14), st.sampled_from([1.0, 3.0]))
def test_the_mouth_stays_as_it_is_to_the_last_bit(x, y, width, gap, sigma):
    reference = real_face()
    face, points = smoothed(reference, sigma), landmarks_at(x, y, width, gap)
    optimiser = FaceOptimiser(reference, grid_modules(96, 96, 64))
    made = optimiser(face, points)
    assert (made != face).any()
    for place in (polygon(points[INNER_LIPS]), polygon(points[48:60]), optimiser.zone):
        assert place.any()
        np.testing.assert_array_equal(made[place], face[place])


@pytest.mark.parametrize("size", [48, 96, 256])
def test_a_smooth_face_gets_the_detail_and_the_colour_of_the_real_one(size):
    reference = real_face(size)
    face, labels = smoothed(reference, 1.3 * size / 96), texture_modules(reference, 64)
    made = optimise_face(face, reference, labels)
    assert made.shape == face.shape and made.dtype == np.uint8
    skin = ~mouth_zone(usual_lips(size), size)

    def away(picture, measure):
        return np.abs(measure(picture) - measure(reference)).mean()

    sharp = [float((detail(picture)[skin] ** 2).sum()) for picture in (face, made, reference)]
    assert sharp[0] < 0.5 * sharp[2] and sharp[0] + 0.4 * (sharp[2] - sharp[0]) < sharp[1] < 1.1 * sharp[2]
    assert away(made, lambda picture: module_means(picture, labels)) < 0.75 * away(face, lambda p: module_means(p, labels))
    assert away(made, lambda picture: module_deviations(detail(picture), labels)) < 0.6 * away(
        face, lambda picture: module_deviations(detail(picture), labels)
    )


@pytest.mark.parametrize("clusters", [1, 30, 64, 2000])
def test_a_face_that_is_the_reference_stays(clusters):
    reference = real_face()
    labels = texture_modules(reference) if clusters == 64 else grid_modules(96, 96, clusters)
    assert np.abs(optimise_face(reference, reference, labels).astype(int) - reference).max() <= 1


def test_skin_that_has_moved_keeps_its_own_detail_and_still_skin_takes_the_references():
    labels, skin = grid_modules(96, 96, 64), ~mouth_zone(usual_lips(96), 96)
    mine, other = texture(1), texture(2)
    face = smoothed(mine, 0.9, cast=0)

    def likeness(made, model):
        return np.corrcoef(detail(made)[skin], detail(model)[skin])[0, 1]

    moved = optimise_face(face, other, labels)
    assert abs(likeness(moved, other)) < 0.1  # no ghost
    assert likeness(moved, face) > 0.95
    assert detail(moved)[skin].std() > 1.5 * detail(face)[skin].std()
    still = optimise_face(face, mine, labels)
    assert likeness(still, mine) > 0.98 > likeness(face, mine)


def test_gains_are_bounded_and_a_smooth_reference_makes_no_noise():
    labels, rng = grid_modules(96, 96, 64), np.random.default_rng(0)
    flat = np.full((96, 96, 3), 120, np.uint8)
    grainy = flat + rng.integers(0, 2, (96, 96, 1), dtype=np.uint8)
    assert detail(optimise_face(grainy, flat, labels)).std() <= detail(grainy).std()
    rich = optimise_face(grainy, texture(3), labels)
    assert detail(rich).std() <= 3.3 * detail(grainy).std()  # of the 20 times that the reference has
    nothing = optimise_face(flat, texture(3), labels)  # has no detail to amplify; the modules' colours differ a little
    assert np.ptp(nothing) <= 12


def test_no_border_between_modules_shows():
    labels = grid_modules(96, 96, 64)
    face = np.full((96, 96, 3), 120, np.uint8)
    reference = np.where(labels[..., None] % 2, 132, 108).astype(np.uint8) + np.zeros((96, 96, 3), np.uint8)
    made = optimise_face(face, reference, labels, strength=Strength(colour=1.0)).astype(int)
    assert np.ptp(made) >= 8  # the colours do differ
    assert max(np.abs(np.diff(made, axis=axis)).max() for axis in (0, 1)) <= 3


def test_what_looks_like_nothing_in_the_reference_is_left_alone():
    reference = texture(4, level=170)
    face = smoothed(reference)
    face[76:84, 40:56] = (35, 15, 15)  # a mouth that opens beyond its zone
    made = optimise_face(face, reference, grid_modules(96, 96, 64))
    assert np.abs(made[78:82, 42:54].astype(int) - face[78:82, 42:54]).max() <= 1


def test_the_colour_moves_by_so_much_at_most():
    labels, face = grid_modules(96, 96, 64), np.full((96, 96, 3), 100, np.uint8)
    made = optimise_face(face, face + np.uint8(50), labels, strength=Strength(colour=1.0, most_colour=7, alike=1e6))
    assert made.max() == 107 and made.min() == 100


def test_usual_lips_lie_where_an_upright_faces_lips_are():
    points = np.zeros((68, 2), np.float32)
    points[list(STABLE)], points[48:60] = CANONICAL_STABLE * 40 + (160, 110), USUAL_LIPS * 40 + (160, 110)
    for kind in ("aligned", "box"):
        (crop,) = plan_crops(track_of([points]), CropSpec(kind, 96, (0, 0, 0, 0)), smooth=False)
        np.testing.assert_allclose(usual_lips(96, kind)[48:60], apply_affine(crop.matrix, points[48:60]), atol=0.7)


@pytest.mark.parametrize("roll", [-40, 0, 25, 90])
def test_the_zone_holds_the_mouth_when_it_opens_whatever_the_roll(roll):
    rest, wide = (landmarks_at(48, 40, 24, gap) for gap in (1, 1))
    wide[54:60] += (0, 6)
    wide[65:68] += (0, 6)
    turned = cv2.getRotationMatrix2D((48, 48), roll, 1)
    rest, wide = apply_affine(turned, rest), apply_affine(turned, wide)
    assert mouth_zone(rest, 96)[polygon(wide[48:60])].mean() > 0.98


def test_one_optimiser_serves_many_faces():
    reference, points = real_face(), usual_lips(96) + (1, 2)
    labels = texture_modules(reference)
    optimiser = FaceOptimiser(reference, labels, points)
    for sigma in (0.8, 2.0, 0.8):
        face = smoothed(reference, sigma)
        np.testing.assert_array_equal(optimiser(face), optimise_face(face, reference, labels, None, points))


def test_sizes_that_differ_are_refused():
    reference = real_face()
    with pytest.raises(InputError, match="squares of one size"):
        optimise_face(reference, reference, grid_modules(48, 48, 16))
    with pytest.raises(InputError, match="squares of one size"):
        optimise_face(reference, reference[:90], grid_modules(90, 96, 16))
    with pytest.raises(InputError, match="the reference"):
        optimise_face(real_face(48), reference, grid_modules(96, 96, 64))

"""The lip refiner: network, drawing, fields, and what it does to a crop of any size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets.fields import check_options
from datasets.fields.lower_face import choose_source
from faces.drawing.lip_drawing import lip_drawing, opening_known
from faces.landmarks import CANONICAL_STABLE, STABLE
from losses.criterion import build_criterion
from models import build_model
from pipeline.drivers.refining import Refiner, load_refiner, square_matrix
from tests.conftest import ROOT
from tests.refiner_kit import save_refiner, small_refiner


def face(size=240, opening=0.1, turn=0.0):
    """Landmarks (68, 2) of a plain face in a crop of `size` pixels, mouth open by `opening` eye distances."""
    points = np.zeros((68, 2))
    points[list(STABLE)] = CANONICAL_STABLE
    angles = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([np.cos(angles), 0.3 + 1.5 * np.sin(angles)], 1)
    points[32], points[34] = (-0.1, 0.75), (0.1, 0.75)
    for first, count, wide, high in ((48, 12, 0.38, 0.12 + opening), (60, 8, 0.3, opening / 2)):
        angles = np.pi + np.arange(count) * (2 * np.pi / count)
        points[first : first + count] = np.stack([wide * np.cos(angles), 1.15 + high * np.sin(angles)], 1)
    points[17:27, 0] = np.linspace(-0.8, 0.8, 10)
    turned = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return turned * (size / 3.2) + (size / 2, size / 3.5)


def noise(size=240, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)


def test_a_fresh_network_returns_the_warped_source():
    drawn, drawing = torch.rand(2, 3, 96, 96), torch.from_numpy(lip_drawing(face(96), 96)).permute(2, 0, 1)[None] / 255
    made = small_refiner().refined(drawn, drawing.expand(2, -1, -1, -1))
    assert (made - drawn).abs().max() < 1e-4
    picture = noise()
    assert np.abs(Refiner(small_refiner()).refine(picture, face()).astype(int) - picture).max() <= 1


def test_it_is_small():
    assert sum(one.numel() for one in build_model({"name": "lip_refiner"}).parameters()) < 2_000_000


@pytest.mark.parametrize("side", [96, 160, 256])
def test_squares_of_any_size_are_refined_inside_the_lower_face_alone(side):
    drawing = torch.from_numpy(lip_drawing(face(side), side)).permute(2, 0, 1)[None] / 255
    drawn = torch.rand(1, 3, side, side)
    with torch.no_grad():
        made = small_refiner(0.05).refined(drawn, drawing)
    inside = drawing[:, 3:].expand_as(drawn) > 0
    assert made.shape == drawn.shape and made.isfinite().all()
    assert torch.equal(made[~inside], drawn[~inside]) and not torch.equal(made[inside], drawn[inside])


@settings(max_examples=8, deadline=None)
@given(size=st.integers(120, 400), turn=st.floats(-0.6, 0.6), seed=st.integers(0, 99))
def test_refining_leaves_all_else_byte_for_byte(size, turn, seed):
    picture, landmarks = noise(size, seed), face(size, 0.2, turn)
    made = Refiner(small_refiner(0.05)).refine(picture, landmarks, face(100, 0.0))
    inside = lip_drawing(landmarks, size)[..., 3] > 0
    rows, columns = np.nonzero((made != picture).any(-1))
    assert made.shape == picture.shape and len(rows) and inside[rows, columns].all()
    places = np.stack([columns, rows], 1) @ square_matrix(landmarks, 96)[:, :2].T + square_matrix(landmarks, 96)[:, 2]
    assert places.min() > -1.5 and places.max() < 96.5


def test_a_face_that_left_the_crop_is_left_alone():
    picture = noise()
    assert np.array_equal(Refiner(small_refiner(0.05)).refine(picture, face() + 900), picture)


def test_a_drawing_tells_lips_mouth_and_what_is_known():
    landmarks = face(240, 0.2)
    drawing = lip_drawing(landmarks, 240, face(100, 0.05))
    lips, inner, known, lower = (drawing[..., channel].astype(float) for channel in range(4))
    middle = landmarks[60:68].mean(0).round().astype(int)[::-1]
    assert inner[tuple(middle)] == 255 and lips[tuple(middle)] == 0 and lower[tuple(middle)] == 255
    assert 0 < lips.sum() < lower.sum() and ((lips + inner) <= 255).all()
    share = opening_known(landmarks, face(100, 0.05))
    assert share == pytest.approx(0.25, abs=1e-6) and known.sum() / inner.sum() == pytest.approx(share, abs=0.01)
    assert opening_known(landmarks, None) == 1 and opening_known(face(240, 0.0), landmarks) == 1


@given(count=st.integers(2, 60), gap=st.integers(0, 70), seed=st.integers(0, 999), portrait=st.booleans())
def test_a_source_is_far_away_where_there_is_room(count, gap, seed, portrait):
    rng = np.random.default_rng(seed)
    landmarks, frame = rng.uniform(0, 96, (count, 68, 2)), int(rng.integers(count))
    found = choose_source(landmarks, frame, gap, rng, portrait=portrait, loose=0.3)
    away = np.abs(np.arange(count) - frame)
    assert 0 <= found < count and (away[found] >= gap or away[found] == away.max())
    if not gap and not portrait:
        assert choose_source(landmarks, frame, 0) == frame


@pytest.mark.parametrize("wrong", [{"gap": 1.5}, {"gap": -1}, {"portrait": 1.2}, {"loose": "often"}, {"sources": 2}])
def test_options_of_the_field_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match="warped_face"):
        check_options({"warped_face": wrong})


@pytest.mark.parametrize("wrong", [{"paints": "no"}, {"paints": 1}, {"face_size": 192.0}, {"face_size": None}, {"width": "x"}])
def test_values_of_the_network_of_a_wrong_type_are_refused(wrong):
    with pytest.raises(InputError, match=f"model.{next(iter(wrong))}"):
        build_model({"name": "lip_refiner", **wrong})


def test_losses_near_the_lips_do_not_see_the_rest():
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(1, 1, 3, 192, 192, generator=generator)
    drawing = torch.from_numpy(lip_drawing(face(240) * 0.8, 192)).permute(2, 0, 1)[None, None] / 255
    other = real.clone()
    other[..., :70, :] = 0  # eyes and nose
    batch = {"face": real, "lip_drawing": drawing}
    for name in ("lip_distance", "lip_patches"):
        criterion = build_criterion({name: {"weight": 1.0}}).eval()
        value, far = (criterion({"face": one}, batch)[0] for one in (real, other))
        assert torch.allclose(value, far) and criterion({"face": 1 - real}, batch)[0] > value


def test_a_refiner_is_loaded_and_another_network_is_refused(tmp_path):
    path = tmp_path / "refiner.safetensors"
    save_refiner(path, 0.05)
    refiner = load_refiner(path)
    assert len(refiner.sha256) == 64 and refiner.refine(noise(), face()).shape == (240, 240, 3)
    with pytest.raises(InputError, match="lip_refiner|lip-refining"):
        load_refiner(ROOT / "checkpoints" / "lip_landmarks.safetensors")


def test_the_released_refiner_changes_little():
    """It tints and moves a drawn face; on a smooth one that is a matter of a few grey levels."""
    picture = np.clip(np.cumsum(np.cumsum(np.random.default_rng(1).normal(0, 1, (240, 240, 3)), 0), 1) / 40 + 128, 0, 255)
    picture = picture.astype(np.uint8)
    made = load_refiner(ROOT / "checkpoints" / "lip_refiner.safetensors").refine(picture, face(240, 0.2), face(240, 0.0))
    assert 0 < np.abs(made.astype(int) - picture)[lip_drawing(face(240, 0.2), 240)[..., 3] > 0].mean() < 20

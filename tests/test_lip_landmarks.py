"""The lip-landmark network: shapes, sizes, its checkpoint on a face that it never saw, and where its gradient lies."""

import cv2
import numpy as np
import pytest
import torch

from common.errors import InputError
from losses.temporal import TemporalLipLoss
from models import build_model
from tests.conftest import ROOT
from tests.synthetic import TalkingPicture
from training.checkpoint import load_checkpoint

CHECKPOINT = ROOT / "checkpoints" / "lip_landmarks.safetensors"
LARGE = 768  # pixels; drawn at this size and shrunk, so that all sizes show the same picture
FACE = (151, 48, 144)  # left, top and side of the synthetic head's face in its picture
MOUTH = np.array([224.0, 146.0])  # middle of its mouth there


@pytest.fixture(scope="module")
def network():
    return load_checkpoint(CHECKPOINT, expect="lip_landmarks").model


def head(opening, *, size=96, right=0, down=0):
    """(1, 3, size, size) float32: the synthetic head's face, moved `right` and `down` by pixels of 96."""
    left, top, side = FACE
    scale = LARGE / side
    matrix = np.array([[scale, 0, right * LARGE / 96 - left * scale], [0, scale, down * LARGE / 96 - top * scale]])
    picture = cv2.warpAffine(TalkingPicture().with_mouth(opening), matrix, (LARGE, LARGE), flags=cv2.INTER_CUBIC)
    picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)[None])).float() / 255


def mouth_middle(right=0, down=0):
    left, top, side = FACE
    return (MOUTH - (left, top)) * 96 / side + (right, down)


def opening(points):
    """Gap of the inner lips: (..., 20, 2) -> (...)."""
    return (points[..., 18, 1] - points[..., 14, 1]).numpy()


def test_points_have_their_shape_and_stay_in_the_crop():
    model = build_model({"name": "lip_landmarks"}).eval()
    with torch.no_grad():
        assert model.find(torch.rand(2, 3, 96, 96)).shape == (2, 20, 2)
        points = model.find(torch.rand(2, 5, 3, 96, 96))
    assert points.shape == (2, 5, 20, 2) and points.dtype == torch.float32
    assert (points > 0).all() and (points < 96).all()
    with pytest.raises(InputError, match="face_size"):
        build_model({"name": "lip_landmarks", "face_size": 100})


def test_it_can_be_trained_by_name():
    model = build_model({"name": "lip_landmarks"})
    assert model.needs == ("face",)
    out = model({"face": torch.rand(1, 2, 3, 96, 96)})
    assert out["mouth"].shape == (1, 2, 20, 2) and out["mouth"].requires_grad


def test_it_finds_the_mouth_of_a_face_that_it_never_saw(network):
    with torch.no_grad():
        points = network.find(head(0.5))[0]
    assert np.abs(points.numpy().mean(0) - mouth_middle(down=1)).max() < 3
    left, right = points[0], points[6]
    assert left[0] < points[3, 0] < right[0], "points 48 and 54 are the corners, in the order of the 68-point scheme"
    assert points[3, 1] < points[14, 1] < points[18, 1] < points[9, 1], "upper lip, inner gap, lower lip"


def test_it_follows_the_opening_of_the_mouth(network):
    openings = np.linspace(0.1, 1, 7)
    with torch.no_grad():
        found = np.array([float(opening(network.find(head(value))[0])) for value in openings])
    assert np.corrcoef(openings, found)[0, 1] > 0.97 and (np.diff(found) > 0).all()


@pytest.mark.parametrize("size", [128, 192, 256])
def test_other_sizes_give_the_same_points(network, size):
    with torch.no_grad():
        small, large = network.find(head(0.6))[0], network.find(head(0.6, size=size))[0]
    assert ((large + 0.5) * 96 / size - 0.5 - small).abs().max() < 1.0


def test_light_and_contrast_change_little(network):
    face = head(0.6)
    with torch.no_grad():
        assert (network.find(face * 0.5 + 0.1) - network.find(face)).abs().max() < 0.05


def batch_of(real):
    landmarks = torch.zeros(1, 1, 68, 2)
    landmarks[..., 45, 0] = 41.0
    zeros = torch.zeros((1, 1), dtype=torch.int64)
    return {"face": real[None], "landmarks": landmarks, "phoneme": zeros, "run": zeros}


def pixel_gradient(network, right, down):
    """(96, 96): size of the lip loss's gradient at each pixel of a face whose mouth is more open than that of the real one."""
    real, fake = head(0.2, right=right, down=down), head(0.8, right=right, down=down)
    fake.requires_grad_()
    TemporalLipLoss(network)({"face": fake[None]}, batch_of(real)).backward()
    return fake.grad[0].abs().sum(0).numpy()


def centre_of(gradient):
    """Middle of a gradient, strong pixels counting more: (x, y)."""
    rows, columns = np.mgrid[:96, :96]
    energy = gradient**2 / (gradient**2).sum()
    return np.array([(energy * columns).sum(), (energy * rows).sum()])


def share_near(gradient, x, y):
    """Share of the gradient's energy in a box about the mouth that is a quarter of what the network sees."""
    rows, columns = np.mgrid[:96, :96]
    near = (abs(columns - x) < 20) & (abs(rows - y) < 16)
    return float((gradient[near] ** 2).sum() / (gradient**2).sum())


@pytest.mark.parametrize(("right", "down"), [(-8, -5), (8, 0), (6, 5), (0, 7), (0, -6)])
def test_the_gradient_of_the_loss_goes_where_the_mouth_goes(network, right, down):
    still, moved = pixel_gradient(network, 0, 0), pixel_gradient(network, right, down)
    assert share_near(still, *mouth_middle()) > 0.5, "a gradient without aim would have a quarter of its energy there"
    assert share_near(moved, *mouth_middle(right, down)) > 0.5
    assert np.abs(centre_of(still) - mouth_middle()).max() < 6
    way = centre_of(moved) - centre_of(still)
    assert np.abs(way - (right, down)).max() < 6, way


def test_following_the_gradient_closes_the_mouth(network):
    real, fake = head(0.1), head(0.7).requires_grad_()
    loss, before = TemporalLipLoss(network), None
    optimizer = torch.optim.Adam([fake], lr=0.01)
    for _ in range(25):
        optimizer.zero_grad()
        value = loss({"face": fake.clamp(0, 1)[None]}, batch_of(real))
        before = float(value.detach()) if before is None else before
        value.backward()
        optimizer.step()
    assert float(value.detach()) < 0.5 * before


def test_the_network_is_frozen_inside_the_loss(network):
    loss, face = TemporalLipLoss(network).train(), head(0.4)
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    with torch.no_grad():
        before = loss.landmarks.find(face)
        loss({"face": head(0.9)[None]}, batch_of(face))
        assert torch.equal(loss.landmarks.find(face), before)
        assert (before - network.find(face)).abs().max() < 1e-2, "the copy with folded norms finds the same points"
    assert CHECKPOINT.stat().st_size < 10e6

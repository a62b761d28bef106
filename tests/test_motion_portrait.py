"""How motion networks move a portrait: the flow, the mover, the pose that is read in landmarks."""

import math

import numpy as np
import pytest
import torch

from faces.landmarks import CANONICAL_JAW, JAW, MEAN_FACE, MIRROR, STABLE
from metrics.formulas.head_pose import MEAN_HEAD
from models import build_model
from models.motion import Identity
from models.motion.head import centred_face
from models.motion.mover import Mover
from models.motion.non_identity import PoseReading
from models.motion.portrait import MovedPortrait, moved

SMALL = {"name": "pcavs", "face_size": 64, "width": 0.125}


def test_a_flow_moves_maps():
    maps, flow = torch.rand(2, 3, 8, 8), torch.zeros(2, 2, 2, 2)
    torch.testing.assert_close(moved(maps, flow), maps)
    flow[:, 0], flow[:, 1] = 2 / 8, -2 * 2 / 8  # each place shows what lies one pixel to the right, and two above
    found = moved(maps, flow)
    torch.testing.assert_close(found[..., 2:, :-1], maps[..., :-2, 1:])
    torch.testing.assert_close(found[..., :2, :-1], maps[..., :1, 1:].expand(-1, -1, 2, -1))  # the border goes on


@torch.inference_mode()
def test_a_generator_that_moves_the_portrait_begins_with_the_portrait():
    torch.manual_seed(0)
    model = build_model({**SMALL, "moves_portrait": True}).eval()
    faces = torch.rand(2, 3, 64, 64)
    identity, features = model.identify(faces), model.watch(faces)
    assert [one.shape[-1] for one in identity.levels] == [64, 32, 16, 8] and identity.landmarks.shape == (2, 68, 2)
    own = torch.cat([model.mouth_code(model.mouth(features)), model.pose(features)], 1)
    torch.testing.assert_close(identity.codes, own)
    model.generator.portrait.cover.bias.data.fill_(1e4)  # the portrait covers all
    torch.nn.init.normal_(model.mover.mouth[2].weight, std=0.1)
    drawn = model.draw(identity, own[:, :52], own[:, 52:])  # its own codes leave it as it is
    torch.testing.assert_close(drawn, faces, rtol=0, atol=1e-5)
    one = identity.each(lambda values: values[:1])
    drawn = model.draw(one, own[:, :52] + 1, own[:, 52:])
    assert (drawn - faces[:1]).abs().mean() > 1e-3


def test_the_pose_moves_a_head_and_the_mouth_moves_lips_and_chin():
    torch.manual_seed(0)
    mover = Mover(20, 4)
    own, codes = torch.randn(3, 20), torch.randn(3, 20)
    assert not mover(own, codes).any()  # at first
    for layer in (mover.head, mover.mouth[2]):
        torch.nn.init.normal_(layer.weight)
    assert not mover(own, own).any()
    head = mover(own, torch.cat([own[:, :16], codes[:, 16:]], 1)).detach().numpy()
    shape = np.pad(MEAN_FACE, ((0, 0), (0, 1)), constant_values=1)
    for moves in head:  # the rest is what no affine map of the mean head does
        found, *_ = np.linalg.lstsq(shape, moves, rcond=None)
        np.testing.assert_allclose(shape @ found, moves, atol=1e-5 * np.abs(moves).max())
    other = torch.randn(3, 20)  # somebody else, whose pose changes alike
    likewise = mover(other, torch.cat([other[:, :16], other[:, 16:] + codes[:, 16:] - own[:, 16:]], 1))
    torch.testing.assert_close(likewise, torch.from_numpy(head), rtol=1e-4, atol=1e-5)
    mouth = mover(own, torch.cat([codes[:, :16], own[:, 16:]], 1))
    moved = mouth.abs().sum((0, 2)).nonzero().flatten().tolist()
    assert moved == [*range(4, 13), *range(48, 68)]
    torch.testing.assert_close(mover(own, codes), mouth + torch.from_numpy(head))


def test_a_pose_of_its_own_begins_with_the_map_of_the_mean_head():
    """A face whose landmarks move as an affine map moves the mean head: the codes give a portrait just these movements."""
    generator = torch.Generator().manual_seed(0)
    start = torch.tensor([[0.3, 0.0, 0.02, 0.1], [0.0, 0.3, 0.05, -0.1]])
    maps = [start, start + 0.03 * torch.randn(2, 4, generator=generator)]
    face = torch.from_numpy(centred_face()).float()
    at = [face @ one.T for one in maps]  # (68, 2), half sides
    side = (2 * torch.arange(56) + 1) / 56 - 1
    heatmaps = [torch.exp(-((side - one[:, None, None, :1]) ** 2 + (side[:, None] - one[:, None, None, 1:]) ** 2).squeeze(1)
                          .div(0.005)) for one in at]  # fmt: skip
    codes = PoseReading(12)(torch.stack(heatmaps))
    assert codes.shape == (2, 12) and not codes[:, 8:].any()
    torch.testing.assert_close(codes[0, :8].view(2, 4), maps[0] / 0.05, rtol=0, atol=0.05)
    whole = torch.cat([torch.zeros(2, 8), codes.detach()], 1)
    moves = Mover(20, 12, affine=True)(whole[:1], whole[1:])[0]
    torch.testing.assert_close(moves, at[1] - at[0], rtol=0, atol=3e-3)


def test_the_mean_face_is_the_mean_head():
    np.testing.assert_allclose(MEAN_FACE[list(STABLE)], MEAN_HEAD, atol=0.07)
    np.testing.assert_allclose(MEAN_FACE[list(MIRROR)] * [-1, 1, 1], MEAN_FACE, atol=1e-9)
    np.testing.assert_allclose(MEAN_FACE[JAW, :2], CANONICAL_JAW, atol=0.07)


@torch.inference_mode()
def test_a_pose_of_its_own_does_not_see_the_mouth():
    torch.manual_seed(0)
    model = build_model({**SMALL, "own_pose": True}).eval()
    encoder, heatmaps = model.non_identity_encoder, torch.rand(2, 68, 16, 16)
    other = heatmaps.clone()
    other[:, 48:] = torch.rand(2, 20, 16, 16)  # another mouth
    other[:, 4:13] = torch.rand(2, 9, 16, 16)  # and another chin
    one, two = encoder.features(heatmaps), encoder.features(other)
    assert torch.equal(model.pose(one), model.pose(two)) and not torch.allclose(model.mouth(one), model.mouth(two))
    other[:, 30] = torch.rand(2, 16, 16)  # another nose
    assert not torch.allclose(model.pose(one), model.pose(encoder.features(other)))


def moved_portrait():
    return MovedPortrait(0.125, (8, 8, 8, 8))


def test_hair_goes_with_the_head():
    """A head that rolls by 0.2: a place above the forehead, where no landmark is, rolls with it."""
    face = torch.from_numpy(centred_face()).float()[None, :, :2] * 0.25
    cos, sin = math.cos(0.2), math.sin(0.2)
    moves = face @ torch.tensor([[cos, sin], [-sin, cos]]) - face
    identity = Identity(None, None, (None, torch.zeros(1, 1, 100, 100)), None, face)
    flow = moved_portrait().begin(identity, moves)[0]
    above = -1.5 - float(torch.from_numpy(MEAN_FACE).float()[:, 1].mean())
    place = 0.25 * torch.tensor([-above * sin, above * cos])  # where the brow has rolled to
    column, row = (int(one) for one in (place + 1) * 50)
    wanted = 0.25 * torch.tensor([above * sin, above - above * cos])
    torch.testing.assert_close(flow[:, row, column], wanted, rtol=0, atol=0.03)
    assert wanted.norm() > 0.1


def test_a_face_goes_with_its_landmarks():
    """What lies about a landmark is found where the landmark goes; what lies far from all stands still."""
    identity = Identity(None, None, (None, torch.zeros(1, 1, 40, 40)), None, torch.zeros(1, 68, 2) - 0.5)
    moves = torch.zeros(1, 68, 2)
    moves[..., 0] = 0.3
    flow = moved_portrait().begin(identity, moves)
    assert flow.shape == (1, 2, 40, 40) and not flow[:, 1].any()
    at = [int((place + 1) * 20) for place in (-0.5 + 0.3, -0.5)]
    assert flow[0, 0, at[1], at[0]] == pytest.approx(-0.3, abs=0.01) and flow[0, 0, -1, -1] == pytest.approx(0, abs=1e-3)


def test_lips_that_touch_part():
    """The picture by the upper lip goes up and that by the lower one down, however close they lie in the portrait."""
    side = 64
    places = torch.zeros(1, 68, 2)
    places[0, :34, 1], places[0, 34:, 1] = -1 / side, 1 / side  # half a pixel of the flow above and below the middle
    moves = torch.zeros(1, 68, 2)
    moves[0, :34, 1], moves[0, 34:, 1] = -4 / side, 4 / side  # two pixels each
    identity, row = Identity(None, None, (None, torch.zeros(1, 1, side, side)), None, places), side // 2
    flow = moved_portrait().begin(identity, moves)[0, 1, :, row]
    assert flow[row - 3] > 0.9 * 4 / side and flow[row + 2] < -0.9 * 4 / side

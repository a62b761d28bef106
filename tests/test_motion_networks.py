"""The network of PC-AVS: its stages, its layers against the published formulas, CRA and STAC, mistakes, files of weights."""

import math

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from common.errors import InputError
from faces.landmarks import CANONICAL_JAW, JAW, MEAN_FACE, MIRROR, STABLE
from metrics.formulas.head_pose import MEAN_HEAD
from models import build_model
from models.motion import Identity, TwoScaleDiscriminator
from models.motion.action import PoseAction, change_in_time, drawn_shares, mixed_in_time, partners
from models.motion.modulated import ModulatedConv, Upsample, blur_kernel
from models.motion.mover import Mover
from models.motion.non_identity import PoseReading, centred_face
from models.motion.portrait import MovedPortrait, moved
from tests.conftest import ROOT
from tests.inference_kit import portrait
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config.loading import load_config
from training.parts import build_network

SMALL = {"name": "pcavs", "face_size": 64, "width": 0.125}
ALL = {"people": 3, "crossed": "swap", "mixed": True, "second_view": True, "reads_lips": True, "moves_portrait": True,
       "normed_codes": True, "own_pose": True}  # fmt: skip


def batch_of(items=2, frames=3):
    face = torch.rand(items, frames, 3, 64, 64)
    change = torch.tensor([[0.1, -0.1, 0.05, 0.1, 0.5, 0.9]]).repeat(items, 1)
    return {"face": face, "augmented": face, "second_view": face.flip(1), "view_change": change,
            "log_mel": torch.rand(items, frames, 1, 80, 20), "identity_face": torch.rand(items, 3, 64, 64)}  # fmt: skip


@pytest.mark.parametrize("stage", ["landmarks", "identity", "speech", "pose", "generate"])
def test_each_stage_gives_what_it_says_and_all_its_weights_learn(stage):
    torch.manual_seed(0)
    model, batch = build_model({**SMALL, **ALL, "stage": stage}).to(memory_format=torch.channels_last), batch_of()
    found = model({name: batch[name] for name in model.needs})
    assert set(found) == set(model.gives)
    sum(one.float().square().mean() for one in found.values() if one.requires_grad).backward()
    assert not [name for name, one in model.named_parameters() if one.grad is None or not one.grad.isfinite().all()]
    for modules in model.parts().values():
        assert all(model.get_submodule(name) is not None for name in modules)
    if stage == "generate":
        assert found["audio_face"].shape == found["crossed_face"].shape == (2, 2, 3, 64, 64)
        assert 0 <= found["audio_face"].min() and found["audio_face"].max() <= 1 and found["audio_face"].std() > 0.01
        assert found["pose_codes"].shape == (2, 3, 12) and found["mouth_codes"].shape == (2, 3, 52)
        assert not found["wanted_pose"].requires_grad and all(one.training for one in model.modules())
        assert set(model.pictures(found, batch)) == {"identity", "seen", "by sound", "by video", "crossed", "real"}


@torch.inference_mode()
def test_a_batch_holds_what_the_methods_give():
    model, batch = build_model({**SMALL, "crossed": "swap", "drawn_frames": 1}).eval(), batch_of()
    found, features = model(batch), model.watch(batch["augmented"][:, 1])
    heard, identity = model.hear(batch["log_mel"][:, 1]), model.identify(batch["identity_face"])
    near = {"rtol": 1e-3, "atol": 1e-4}
    torch.testing.assert_close(found["audio_face"][:, 0], model.paint(identity, heard, model.pose(features)), **near)
    crossed = model.paint(identity, model.mouth(features).roll(-1, 0), model.pose(features))
    torch.testing.assert_close(found["crossed_face"][:, 0], crossed, **near)
    torch.testing.assert_close(found["crossed_pose"][:, 0], model.pose(model.watch(crossed)), **near)


@pytest.mark.parametrize("upsample", [False, True])
def test_scaling_inputs_and_outputs_is_the_same_as_kernels_of_each_picture(upsample):
    torch.manual_seed(0)
    layer = ModulatedConv(3, 4, 3, 5, upsample=upsample).double()
    layer.modulation.float()
    x, style = torch.randn(2, 3, 6, 6).double(), torch.randn(2, 5)
    for number in range(2):
        scales = (style[number] @ layer.modulation.weight.T / 5**0.5 + layer.modulation.bias).double()
        kernel = layer.weight / 27**0.5 * scales[None, :, None, None]
        kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        one = x[number : number + 1]
        if upsample:
            spread = F.conv_transpose2d(one, kernel.transpose(0, 1), stride=2)
            wanted = F.conv2d(spread, blur_kernel().double().expand(4, 1, 4, 4), padding=1, groups=4)
        else:
            wanted = F.conv2d(one, kernel, padding=1)
        torch.testing.assert_close(layer(x, style)[number : number + 1], wanted, rtol=1e-5, atol=1e-6)


def test_half_precision_does_not_overflow_for_large_styles():
    layer = ModulatedConv(8, 8, 3, 4)
    x, style = 100 * torch.randn(1, 8, 4, 4), 3000 * torch.randn(1, 4)
    wanted = layer(x, style)
    found = layer.half()(x.half(), style).float()
    assert found.isfinite().all() and (found - wanted).abs().max() < 0.01 * wanted.abs().max()


def test_enlarging_keeps_the_mean_inside():
    found = Upsample()(torch.ones(1, 3, 4, 4))
    assert found.shape == (1, 3, 8, 8) and torch.allclose(found[..., 2:-2, 2:-2], torch.ones(()))


def test_a_flow_moves_maps():
    maps, flow = torch.rand(2, 3, 8, 8), torch.zeros(2, 2, 2, 2)
    torch.testing.assert_close(moved(maps, flow), maps)
    flow[:, 0], flow[:, 1] = 2 / 8, -2 * 2 / 8  # each place shows what lies one pixel to the right, and two above
    found = moved(maps, flow)
    torch.testing.assert_close(found[..., 2:, :-1], maps[..., :-2, 1:])
    torch.testing.assert_close(found[..., :2, :-1], maps[..., :1, 1:].expand(-1, -1, 2, -1))  # the border goes on


def test_codes_of_normed_features_move_as_widely_as_these_do_not():
    torch.manual_seed(0)
    small = build_model({**SMALL, "normed_codes": True})
    features, mouth = 5 + 0.01 * torch.randn(400, 64), 3 + 0.02 * torch.randn(400, 64)
    poses, codes = small.pose(features, True), small.mouth_code(mouth, True)
    assert poses.std(0).mean() > 0.3 and codes.std(0).mean() > 0.3
    for _ in range(300):  # mean and spread of video settle
        small.mouth_code(mouth, True)
    heard = small.mouth_code(3 + (mouth - 3) / 4)  # sound that moves less stays so
    assert 0.15 < heard.std(0).mean() / codes.std(0).mean() < 0.4
    assert torch.equal(small.non_identity_encoder.mouth_norm.num_batches_tracked, torch.tensor(301))
    stronger = small.amplified(mouth, 2.0) - mouth
    torch.testing.assert_close(stronger, mouth - small.non_identity_encoder.mouth_norm.running_mean)
    heard = 9 + 0.02 * torch.randn(400, 64)
    for _ in range(300):
        small.non_identity_encoder.placed(heard, True)
    torch.testing.assert_close(small.non_identity_encoder.placed(heard).mean(0), mouth.mean(0), rtol=0, atol=1e-3)
    plain = build_model(SMALL)
    assert plain.non_identity_encoder.placed(heard) is heard
    assert plain.pose(features).std(0).mean() < 0.05
    torch.testing.assert_close(plain.amplified(mouth, 1.2), 1.2 * mouth)


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


def test_movements_act_as_a_group():
    action, codes = PoseAction(3), torch.randn(2, 4, 3)
    view = torch.tensor([[0.2, -0.1, 0.3, 0.4]]).repeat(2, 1)
    assert torch.equal(action(codes, view), codes)  # at first
    torch.nn.init.normal_(action.generators, std=0.2)
    moved = action(codes, view)
    assert (moved - codes).abs().max() > 0.05
    torch.testing.assert_close(action(moved, -view), codes, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(action(moved, view), action(codes, 2 * view), rtol=1e-4, atol=1e-4)


def test_the_action_of_movements_is_learned_in_the_steps_of_the_small_form():
    """Codes as widely spread as those of the small form, which a movement of its views moves by twice their spread."""
    rate = load_config(ROOT / "configs/motion_small.yaml")["optim"]["parts"]["pose_action"]["lr"]
    generator = torch.Generator().manual_seed(0)
    direction = 6 * torch.randn(4, 3, generator=generator)
    action, spans = PoseAction(3), torch.tensor([0.1, 0.1, 0.1, 0.2])
    optimiser, errors = torch.optim.AdamW(action.parameters(), rate, weight_decay=0), []
    for step in range(100):
        optimiser.param_groups[0]["lr"] = rate * (1 - step / 100)
        codes = 4 * torch.randn(4, 8, 3, generator=generator)
        view = (2 * torch.rand(4, 4, generator=generator) - 1) * spans
        moved = codes + (view / 0.1 @ direction)[:, None]
        errors.append((action(codes, view) - moved).abs().mean() / (moved - codes).abs().mean())
        optimiser.zero_grad()
        errors[-1].backward()
        optimiser.step()
    assert errors[0] > 0.9 and sum(errors[-10:]) / 10 < 0.3


def test_codes_follow_a_change_of_time():
    codes = torch.arange(5.0).view(1, 5, 1)
    found = change_in_time(codes, torch.tensor([0.5]), torch.tensor([1.2]))
    assert found.flatten().tolist() == pytest.approx([0.5, 1.7, 2.9, 4, 4])  # the last ones lie outside


def test_mixing_stays_between_near_moments_of_the_window():
    codes, frames = torch.arange(13.0).view(1, 13, 1).repeat(400, 1, 1), torch.tensor([6, 7])
    assert mixed_in_time(codes, frames, False, pose=True)[0].flatten().tolist() == [6.5, 7.5]
    mouth = mixed_in_time(codes, frames, True, pose=False)[..., 0]
    assert mouth[:, 0].min() >= 3 and mouth[:, 0].max() <= 9 and mouth[:, 0].std() > 0.3
    assert torch.allclose(mouth.diff(dim=1), torch.ones(()), atol=1e-5)  # smooth in time
    speeds = mixed_in_time(codes, frames, True, pose=True)[..., 0].diff(dim=1).flatten()
    assert {round(float(one), 2) for one in speeds} == {1.0, 0.8, 1.25, -1.0}


def test_partners_are_other_clips():
    assert partners(3, 2, "swap", True, "cpu").tolist() == [[1, 1], [2, 2], [0, 0]]
    assert partners(1, 2, "random", True, "cpu").tolist() == [[0, 0]]
    for drawn in (False, True):
        found = partners(4, 30, "random", drawn, "cpu")
        assert (found != torch.arange(4)[:, None]).all() and (found.diff(dim=1) != 0).any()


def test_the_reader_of_people_and_the_codes_learn_apart():
    model = build_model({**SMALL, "people": 3})
    found = model(batch_of())
    assert torch.equal(found["pose_people"], found["pose_reader"])
    reader, head = model.non_identity_encoder.headpose_fc[1].weight, model.non_identity_encoder.headpose_embed[1].weight
    for name, learns, stays in (("pose_people", head, reader), ("pose_reader", reader, head)):
        gradients = torch.autograd.grad(found[name].square().sum(), (learns, stays), retain_graph=True, allow_unused=True)
        assert gradients[0].any() and gradients[1] is None


def test_two_scales_are_judged_and_spectral_norms_hold():
    torch.manual_seed(0)
    judge = TwoScaleDiscriminator(0.125)
    for _ in range(20):
        found = judge(torch.rand(2, 3, 64, 64))
    assert [len(one) for one in found] == [6, 6] and [one[-1].shape[-1] for one in found] == [11, 7]
    layer = judge.discriminator_0.model1[0][0]
    largest = torch.linalg.matrix_norm(layer.weight_orig.flatten(1), 2)
    torch.testing.assert_close(layer._largest(), largest, rtol=0.05, atol=0)


@pytest.mark.parametrize(("options", "says"), [
    ({"face_size": 100}, "model.face_size: 100 is not possible; choose one of 64, 96, 112, 128, 224, 256"),
    ({"width": 2}, "model.width: 2 is not possible"), ({"stage": "draw"}, "model.stage: 'draw'"),
    ({"crossed": "both"}, "model.crossed: 'both' is not possible; choose one of none, swap, random"),
    ({"mixed": 1}, "model.mixed"), ({"pose": 0}, "model.pose: 0"), ({"drawn_frames": 0}, "model.drawn_frames"),
])  # fmt: skip
def test_values_that_are_not_possible_are_named(options, says):
    with pytest.raises(InputError) as error:
        build_model({**SMALL, **options})
    assert says in str(error.value)


def test_a_window_that_is_too_short_is_refused():
    model = build_model({**SMALL, "drawn_frames": 4})
    with pytest.raises(InputError, match="data.window: 3 frames are fewer than model.drawn_frames, 4"):
        model.configure({"window": 3})
    with pytest.raises(ValueError, match="a window of 3 frames is too short"):
        model(batch_of())


def test_a_stage_begins_from_the_one_before(tmp_path):
    section = {**SMALL, "stage": "landmarks"}
    save_checkpoint(tmp_path / "a.safetensors", build_model(section), {"model": section, "data": {}, "training": {}})
    config = {"model": {**SMALL, "stage": "speech"}, "data": {}, "train": {"seed": 0, "freeze": ["landmarks"]}}
    begun = []
    build_network(config, torch.device("cpu"), [{"checkpoint": tmp_path / "a.safetensors", "parts": None}], begun)
    assert "audio_encoder" in begun[0].lacking and begun[0].parts == ("landmarks",)


def test_published_files_are_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match="a folder without published weights"):
        load_checkpoint(tmp_path)
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "latest_net_G.pth")
    with pytest.raises(InputError, match="V.pth, latest_net_E.pth, latest_net_A_sync.pth missing, of a PC-AVS network"):
        load_checkpoint(tmp_path)
    for part in ("V", "E", "A_sync"):
        torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / f"latest_net_{part}.pth")
    with pytest.raises(InputError, match="does not fit pcavs: missing: "):
        load_checkpoint(tmp_path / "latest_net_E.pth")
    torch.save({}, tmp_path / "other_net_G.pth")
    with pytest.raises(InputError, match="holds several sets of published weights"):
        load_checkpoint(tmp_path)


def test_shares_are_drawn_from_the_beta_distribution():
    """Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2 a + 1)); with a = 0.2 that is 0.1786."""
    torch.manual_seed(0)
    shares = drawn_shares(20000, torch.device("cpu"))
    assert 0 <= shares.min() and shares.max() <= 1
    assert shares.mean() == pytest.approx(0.5, abs=0.01) and shares.var() == pytest.approx(1 / 5.6, abs=0.004)


@torch.inference_mode()
def test_the_released_network_keeps_a_portrait_and_names_nobody():
    found = load_checkpoint(ROOT / "checkpoints" / "motion_all.safetensors", expect="pcavs")
    model, face = found.model, torch.from_numpy(cv2.resize(portrait(), (112, 112), interpolation=cv2.INTER_AREA))
    face = face.permute(2, 0, 1)[None].float() / 255
    identity, features = model.identify(face), model.watch(face)
    drawn = model.paint(identity, model.mouth(features), model.pose(features))
    assert (drawn - face).abs().mean() < 0.06
    assert (identity.landmarks[0, 30] - torch.tensor([0.0, 0.02])).abs().max() < 0.05, "the tip of the nose"
    assert "people" not in found.config["data"] and not model.people

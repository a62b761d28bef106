"""The network of PC-AVS: its stages, its layers against the published formulas, mistakes, files of weights."""

import cv2
import pytest
import torch
import torch.nn.functional as F

from common.errors import InputError
from models import build_model
from models.motion import TwoScaleDiscriminator
from models.motion.modulated import ModulatedConv, Upsample, blur_kernel
from tests.conftest import ROOT
from tests.inference_kit import portrait
from training.checkpoint import load_checkpoint, save_checkpoint
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

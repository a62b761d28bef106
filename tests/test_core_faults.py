"""Faults that showed on GPUs alone, and what configs may ask of networks and losses: each with what it must be."""

import math
import pickle

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

from common.errors import InputError
from losses.criterion import Criterion, build_criterion
from losses.reconstruction import L1Loss
from losses.spatial import spatial_texture_loss
from losses.sync import SyncChoice, SyncClassification
from models import build_model
from tests.training_kit import EXPERT, GAN, SMALL, run_of, step, stored
from training.checkpoint import save_checkpoint
from training.engine import Engine
from training.loop import steps_left, train
from training.run import NotFinite
from training.schedule import rate_at
from training.storage.store import Store

LATER = {"metric": "val/l1", "below": 1e-9}


def copied(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], tensor) for name, tensor in other.items())


# --- weights that were trained on BGR -------------------------------------------------------------------------------------


def test_a_generator_that_begins_from_bgr_weights_gives_rgb_what_they_give_bgr(write_config, tmp_path):
    start = stored(tmp_path / "bgr.safetensors", SMALL, channel_order="bgr")
    torch.manual_seed(7)
    before = build_model(SMALL).eval()
    after = run_of(write_config(), f"train.init={start}").model.eval()
    mel, rgb = torch.rand(2, 1, 80, 16) * 8 - 4, torch.rand(2, 6, 96, 96)
    bgr = rgb.unflatten(1, (2, 3)).flip(2).flatten(1, 2)

    def made(model, faces):
        with torch.no_grad():
            return model.decode(model.encode_audio(mel), model.encode_face(faces))

    assert (made(before, bgr) - made(before, rgb)).abs().max() > 1e-4, "the colours matter to this network"
    torch.testing.assert_close(made(after, rgb), made(before, bgr).flip(1), rtol=0, atol=1e-5)


def test_an_expert_that_begins_from_bgr_weights_judges_rgb(write_config, tmp_path):
    start = stored(tmp_path / "bgr.safetensors", EXPERT, channel_order="bgr")
    torch.manual_seed(7)
    before = build_model(EXPERT).eval()
    path = write_config(model=EXPERT, data={"window": 5}, losses={"sync_classification": {"weight": 1}})
    after = run_of(path, f"train.init={start}").model.eval()
    rgb = torch.rand(2, 15, 48, 96)
    bgr = rgb.unflatten(1, (5, 3)).flip(2).flatten(1, 2)
    with torch.no_grad():
        torch.testing.assert_close(after.embed_faces(rgb), before.embed_faces(bgr), rtol=0, atol=1e-5)
        assert (before.embed_faces(rgb) - before.embed_faces(bgr)).abs().max() > 1e-4


# --- losses in float32 ----------------------------------------------------------------------------------------------------


def test_losses_keep_float32_under_autocast():
    """Equal to the last bit: nothing of them is lowered, whatever is around them."""
    torch.manual_seed(0)
    outputs = {"face": torch.rand(2, 5, 3, 96, 96), "audio_embedding": torch.rand(2, 3, 32),
               "face_embedding": torch.rand(2, 32), "mouth": torch.rand(2, 5, 20, 2) * 96}  # fmt: skip
    outputs["audio_embedding"] /= outputs["audio_embedding"].norm(dim=-1, keepdim=True)
    outputs["face_embedding"] /= outputs["face_embedding"].norm(dim=-1, keepdim=True)
    batch = {"face": torch.rand(2, 5, 3, 96, 96), "module": torch.randint(0, 60, (2, 5, 96, 96)),
             "landmarks": torch.rand(2, 5, 68, 2) * 96, "in_sync": torch.tensor([[1.0, 0, 0], [1, 0, 1]])}  # fmt: skip
    losses = {"l1": {"weight": 1, "gradient": 1}, "laplacian": {"weight": 1}, "sync_classification": {"weight": 1},
              "sync_choice": {"weight": 1}, "landmark_distance": {"weight": 1}, "spatial_texture": {"weight": 1}}  # fmt: skip
    criterion = build_criterion({**losses, "sliced": {"loss": "spatial_texture", "weight": 1, "distribution": "sliced"}}).eval()
    total, parts = criterion(outputs, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        same_total, same_parts = criterion(outputs, batch)
    assert same_total.dtype == torch.float32 and torch.equal(total, same_total)
    assert same(parts, same_parts)


@pytest.mark.parametrize("distribution", ["moments", "sliced"])
def test_the_texture_loss_alone_keeps_float32_under_autocast(distribution):
    torch.manual_seed(0)
    fake, real, labels = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32), torch.randint(0, 9, (2, 32, 32))
    directions = torch.eye(3) if distribution == "sliced" else None
    exact = spatial_texture_loss(fake, real, labels, distribution, directions)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = spatial_texture_loss(fake, real, labels, distribution, directions)
    assert found.dtype == torch.float32 and torch.equal(found, exact)


def test_colours_and_modules_keep_float32_under_autocast():
    from faces.texture_torch import rgb_to_lab, slic

    torch.manual_seed(0)
    faces = torch.rand(1, 3, 48, 48)
    exact, labels = rgb_to_lab(faces), slic(faces, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(rgb_to_lab(faces), exact)
        assert torch.equal(slic(faces, 16), labels)


# --- what the host waits for, and what a step holds -----------------------------------------------------------------------


class Waits(TorchFunctionMode):
    """Counts what brings a value from the device to the host."""

    WORDS = ("tolist", "item", "__bool__", "__float__", "__int__", "__index__", "numpy", "__array__", "cpu")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in self.WORDS:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def test_a_step_waits_for_the_device_once(write_config):
    path = write_config(
        model={**SMALL, "audio_gate": True, "spatial_input": True},
        data={"window": "phoneme", "longest": 3},
        losses={**GAN, "temporal_lip": {"weight": 0.1}, "spatial_texture": {"weight": 0.1}},
        train={"accumulate": 2},
    )
    run = run_of(path)
    batches = next(steps_left(run))
    with Waits() as waits:
        run.learn(batches)
    # AdamW keeps the number of its step on the CPU and reads it there: no device is asked
    seen = [name for name in waits.seen if name != "item"]
    assert seen == ["tolist"], waits.seen


def test_each_batch_of_a_step_is_let_go_before_the_next(write_config):
    run = run_of(write_config(losses=GAN), "train.accumulate=3")
    alive, most = [], []
    move, forward = run.move, run.model.forward

    def moving(batch, *windows):
        most.append(sum(not one.expired() for one in alive))
        fields = move(batch, *windows)
        shipped = {tensor.untyped_storage().data_ptr() for tensor in batch.values()}  # some fields are what was shipped
        new = [tensor.untyped_storage() for tensor in fields.values()]
        alive.extend(StorageWeakRef(one) for one in new if one.data_ptr() not in shipped)
        return fields

    def going(batch):
        made = forward(batch)
        alive.extend(StorageWeakRef(tensor.untyped_storage()) for tensor in made.values())
        return made

    run.move, run.model.forward = moving, going
    step(run)
    assert most == [0, 0, 0] and len(alive) > 6


@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_cudnn_looks_for_the_fastest_kernels_on_a_gpu_alone(monkeypatch, kind):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setattr("training.engine.choose_device", lambda *_, **__: torch.device(kind))
    engine = Engine(kind, "fp32")
    assert torch.backends.cudnn.benchmark == (kind == "cuda") and engine.device.type == kind


# --- losses that are switched off, and values that are not finite ---------------------------------------------------------


def test_losses_that_all_wait_are_refused(write_config):
    with pytest.raises(InputError, match="enable_when"):
        run_of(write_config(losses={"l1": {"weight": 1, "enable_when": {"metric": "val/l1", "below": 0.1}}}))
    with pytest.raises(InputError, match="enable_when"):
        Criterion({"l1": L1Loss()}, {"l1": 1.0}, {"l1": ("val/l1", 0.1)})


def test_an_adversary_that_is_not_finite_stops_the_step_before_it_is_taken(write_config):
    losses = {"l1": {"weight": 1.0}, "adversarial": {"weight": 0.1, "width": 0.25, "enable_when": LATER}}
    run = run_of(write_config(losses=losses), "optim.warmup=0")
    step(run)
    adversary = run.criterion.adversaries()["adversarial"]
    with torch.no_grad():
        next(reversed(list(adversary.parameters()))).fill_(math.nan)
    model, judge = copied(run.model), copied(adversary)
    average = {name: tensor.clone() for name, tensor in run.average.values.items()}
    before = run.state()
    moments = [one["exp_avg"].clone() for one in before["optimizer"]["state"].values()]
    with pytest.raises(NotFinite, match="adversar") as error:
        step(run)
    assert error.value.clips and all(one.grad is None for one in (*run.model.parameters(), *adversary.parameters()))
    learned = {name for name, _ in run.model.named_parameters()}
    assert all(torch.equal(run.model.state_dict()[name], model[name]) for name in learned)
    assert all(torch.equal(run.average.values[name], tensor) for name, tensor in average.items())
    own = {name for name, _ in adversary.named_parameters()}
    assert all(torch.equal(copied(adversary)[name].nan_to_num(), judge[name].nan_to_num()) for name in own)
    assert run.step == 1
    assert all(torch.equal(a, b["exp_avg"]) for a, b in zip(moments, run.state()["optimizer"]["state"].values(), strict=True))


def test_a_gradient_that_is_not_finite_names_the_windows_of_all_processes(write_config):
    run = run_of(write_config())
    run.engine.gather = lambda windows: [windows, [["other/clip", 3]]]
    next(run.model.parameters()).register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(NotFinite, match="gradient") as error:
        step(run)
    assert len(error.value.clips) == 3 and error.value.clips[-1] == ["other/clip", 3]


def test_not_finite_crosses_processes():
    error = pickle.loads(pickle.dumps(NotFinite("step 3: not finite", [["s1/clip", 4]], {"total": 1.0})))
    assert str(error) == "step 3: not finite" and error.clips == [["s1/clip", 4]] and error.parts == {"total": 1.0}


# --- parts of the network -------------------------------------------------------------------------------------------------


def test_frozen_parts_stay_as_they_are_to_the_last_bit(write_config):
    path = write_config(
        model={**SMALL, "audio_gate": True}, data={"window": "phoneme", "longest": 3},
        losses={"l1": {"weight": 1.0}, "temporal_lip": {"weight": 0.1}},
    )  # fmt: skip
    run = run_of(path, "train.freeze=[face_encoder, audio_gate]", "optim.weight_decay=0.1", "optim.warmup=0")
    before = copied(run.model)
    for _ in range(2):
        step(run)
    after = run.model.state_dict()
    frozen = [name for name in before if name.startswith(("face_encoder_blocks.", "audio_gate."))]
    assert len(frozen) > 50 and all(torch.equal(before[name], after[name]) for name in frozen)
    assert all(torch.equal(before[name], run.average.values[name]) for name in frozen)
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert any(name.startswith("audio_encoder.") for name in moved)
    assert any("running_mean" in name for name in moved)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["train.freeze=[audio_encoder, face_encoder, face_decoder]"], ["train.freeze", "nothing would be learned"]),
        (["train.freeze=[face_encodr]"], ["train.freeze", "face_encoder"]),
        (["optim.parts={face_decodr: {lr: 0.1}}"], ["optim.parts", "face_decoder"]),
        (["train.freeze=[face_encoder]", "optim.parts={face_encoder: {lr: 0.1}}"], ["optim.parts.face_encoder"]),
        (["train.init=[{checkpoint: CHECKPOINT, parts: [audio_encodr]}]"], ["train.init", "audio_encoder"]),
        (["train.init=[{checkpoint: CHECKPOINT, parts: [face_decoder]}]"], ["face_decoder"]),
    ],
)
def test_parts_that_are_none_are_refused(write_config, tmp_path, overrides, words):
    start = stored(tmp_path / "expert.safetensors", EXPERT)
    with pytest.raises(InputError) as error:
        run_of(write_config(), *(one.replace("CHECKPOINT", str(start)) for one in overrides))
    assert all(word in str(error.value) for word in words), error.value


def test_rates_of_parts_follow_warm_up_and_schedule(write_config):
    own = "optim.parts={face_decoder: {lr: 1.0e-3}, audio_encoder: {lr: 1.0e-5, weight_decay: 0.1, betas: [0.5, 0.9]}}"
    run = run_of(write_config(), own, "optim.lr=1.0e-4", "optim.warmup=2", "optim.schedule=cosine")
    groups = run.learner.optimizer.param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(run.model.parameters()))
    for number in range(3):
        step(run)
        wanted = [rate_at(number, 4, lr, 2, "cosine") for lr in (1e-5, 1e-3, 1e-4)]  # in the network's order, then the rest
        assert [group["lr"] for group in groups] == pytest.approx(wanted)
    assert groups[0]["betas"] == (0.5, 0.9) and groups[0]["weight_decay"] == 0.1
    assert groups[1]["betas"] == (0.9, 0.999) and groups[1]["weight_decay"] == 0.0
    encoder = {id(one) for one in run.model.audio_encoder.parameters()}
    assert {id(one) for one in groups[0]["params"]} == encoder


def test_a_run_begins_with_parts_of_several_checkpoints(write_config, tmp_path):
    whole = stored(tmp_path / "whole.safetensors", SMALL)
    torch.manual_seed(8)
    other = build_model(SMALL)
    save_checkpoint(tmp_path / "other.safetensors", other, {"model": SMALL, "data": {"channel_order": "bgr"}})
    init = [{"checkpoint": str(whole), "parts": None},
            {"checkpoint": str(tmp_path / "other.safetensors"), "parts": ["face_encoder"]}]  # fmt: skip
    state = run_of(write_config(train={"init": init})).model.state_dict()
    torch.manual_seed(7)
    first = build_model(SMALL).state_dict()
    turned = other.with_colours_turned(other.state_dict())
    for name, tensor in state.items():
        assert torch.equal(tensor, (turned if name.startswith("face_encoder_blocks.") else first)[name]), name


# --- losses by free names -------------------------------------------------------------------------------------------------


def test_losses_have_free_names_and_several_adversaries_their_own_optimisers(write_config):
    losses = {
        "whole": {"loss": "l1", "weight": "rest"},
        "lips": {"loss": "l1", "region": "mouth", "of": "face", "weight": 0.2},
        "fool": {"loss": "adversarial", "discriminator": ["quality", "conditional"], "width": 0.25, "weight": 0.05,
                 "optim": {"quality": {"lr": 3e-4}, "conditional": {"lr": 1e-5, "betas": [0.9, 0.99], "warmup": 2}}},
        "again": {"loss": "adversarial", "width": 0.25, "weight": 0.05, "optim": {"lr": 2e-4}},
        "usual": {"loss": "adversarial", "width": 0.25, "weight": 0.05},
    }  # fmt: skip
    run = run_of(write_config(losses=losses), "adversary.lr=7.0e-4")
    assert set(run.adversaries) == {"fool/quality", "fool/conditional", "again", "usual"}
    values = step(run)
    rates = {name: one.optimizer.param_groups[0]["lr"] for name, one in run.adversaries.items()}
    wanted = {"fool/quality": 3e-4, "fool/conditional": 1e-5 / 2, "again": 2e-4, "usual": 7e-4}
    assert rates == pytest.approx(wanted)
    assert run.adversaries["fool/conditional"].optimizer.param_groups[0]["betas"] == (0.9, 0.99)
    named = {"total", "gradient", *losses, *(f"{kind}/{name}" for kind in ("adversary", "gradient") for name in wanted)}
    assert set(values) == named and all(math.isfinite(value) for value in values.values())


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ({"lips": {"loss": "l2", "weight": 1}}, ["losses.lips.loss", "l1"]),
        ({"lips": {"loss": "l1", "region": "muoth", "weight": 1}}, ["region", "mouth"]),
        ({"lips": {"loss": "l1", "of": "mouth", "weight": 1}}, ["losses.lips", "mouth"]),
        ({"lips": {"loss": "l1", "weight": 1, "optim": {"lr": 1e-4}}}, ["losses.lips.optim"]),
        ({"lips": {"loss": "adversarial", "width": 0.25, "weight": 1, "optim": {"lrr": 1e-4}}}, ["losses.lips.optim", "lr"]),
    ],
)
def test_mistakes_in_free_names_are_told(write_config, losses, words):
    with pytest.raises(InputError) as error:
        run_of(write_config(losses=losses))
    assert all(word in str(error.value) for word in words), error.value


def test_figures_add_up_before_they_are_divided(write_config):
    run = run_of(write_config())
    totals = [torch.tensor(1.0), torch.tensor(3.0)]
    parts = [{"choice": torch.tensor(1.0), "choice/accuracy": torch.tensor([1.0, 2.0])},
             {"choice": torch.tensor(3.0), "choice/accuracy": torch.tensor([6.0, 6.0])}]  # fmt: skip
    other = torch.tensor([[2.0, 1.0], [2.0, 1.0], [0.5, 5.0], [1.0, 1.0], [0.0, 1.0]])  # the mean rows of another process
    run.engine.mean = lambda values: (values + other) / 2
    values, stop = run._fetch(totals, parts, {}, [torch.tensor(1.0)], stop=True)
    assert values == {"total": 2.0, "choice": 2.0, "choice/accuracy": pytest.approx(4.0 / 9.0), "gradient": 1.0} and stop


def test_figures_are_shares_of_what_was_counted():
    batch = {"in_sync": torch.tensor([[1.0, 0.0], [1.0, 0.0]])}
    sounds = torch.tensor([[[1.0, 0], [0, 1.0]], [[0, 1.0], [1.0, 0]]])
    outputs = {"audio_embedding": sounds, "face_embedding": torch.eye(2)[[0, 0]]}
    _, figures = SyncChoice()(outputs, batch)
    assert [float(one) for one in figures["accuracy"]] == [1.0, 2.0]
    _, figures = SyncClassification()(outputs, batch)
    assert [float(one) for one in figures["accuracy"]] == [2.0, 4.0]


# --- resuming -------------------------------------------------------------------------------------------------------------


def test_a_run_with_frozen_parts_own_rates_and_adversaries_resumes_to_the_last_bit(write_config):
    fool = {"loss": "adversarial", "discriminator": ["quality", "conditional"], "width": 0.25, "weight": 0.05}
    losses = {"l1": {"weight": "rest"}, "fool": {**fool, "optim": {"quality": {"lr": 3e-4}}}}
    optim = {"parts": {"audio_encoder": {"lr": 1e-5}}, "schedule": "cosine", "warmup": 1}
    train_ = {"freeze": ["face_encoder"], "validate_every": 9, "accumulate": 2, "steps": 3}
    path = write_config(losses=losses, optim=optim, train=train_)
    whole, first = run_of(path, "name=whole"), run_of(path, "name=parts", "train.minutes=0")
    train(whole, lambda _: None)
    train(first, lambda _: None)
    rest = run_of(path, "name=parts")
    assert Store(rest).load() == 1
    train(rest, lambda _: None)
    assert rest.step == whole.step == 3
    assert same(rest.model.state_dict(), whole.model.state_dict()) and same(rest.average.values, whole.average.values)
    for name, learner in whole.adversaries.items():
        assert same(rest.adversaries[name].module.state_dict(), learner.module.state_dict()), name
    pairs = [(rest.learner, whole.learner), *((rest.adversaries[name], one) for name, one in whole.adversaries.items())]
    for mine, theirs in pairs:
        for one, other in zip(mine.optimizer.state.values(), theirs.optimizer.state.values(), strict=True):
            assert all(torch.equal(one[key], value) for key, value in other.items())

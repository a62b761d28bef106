"""What configs may ask of networks and losses: frozen parts, rates of their own, beginnings, losses by free names."""

import math

import pytest
import torch

from common.errors import InputError
from losses.sync import SyncChoice, SyncClassification
from models import build_model
from tests.training_kit import EXPERT, SMALL, copied, run_of, same, step, stored
from training.checkpoint import save_checkpoint
from training.loop import train
from training.parts import parameter_groups
from training.schedule import rate_at
from training.storage.store import Store

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


def test_rates_of_parts_of_which_one_lies_in_the_other_are_refused():
    model = build_model({"name": "davs", "stage": "words", "face_size": 64, "width": 0.125})
    common = {"lr": 1e-4, "betas": [0.9, 0.999]}
    with pytest.raises(InputError, match="optim.parts.hourglass: shares parameters with video_encoder, .* one of the two"):
        parameter_groups(model, {**common, "parts": {"hourglass": {"lr": 1e-5}, "video_encoder": {"lr": 1e-3}}})
    groups = parameter_groups(model, {**common, "parts": {"hourglass": {"lr": 1e-5}, "audio_encoder": {"lr": 1e-3}}})
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


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

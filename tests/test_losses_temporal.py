"""The lip loss over phoneme runs: similarity, weights by run, their identity and controls, gradients, padding."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from losses.criterion import build_criterion
from losses.temporal import (
    EPSILON,
    TemporalLipLoss,
    lip_distances,
    lip_shapes,
    lip_similarity,
    run_numbers,
    run_weights,
)
from losses.term import Setting
from models.audio_gate import PhonemeWeights
from speech.arpabet import NUMBER, PHONES

T = 7


class Spots(torch.nn.Module):
    """A stand-in for the landmark network: 20 points whose places are means of the picture's left and right parts."""

    def find(self, faces):
        means = faces.mean(-2)  # (B, T, 3, W)
        columns = means.flatten(2)[..., :40] * 50
        return columns.unflatten(-1, (20, 2))


def random_runs(rng, frames, most=4):
    """(frames,) run numbers from 0, each run 1 to `most` frames."""
    lengths = []
    while sum(lengths) < frames:
        lengths.append(int(rng.integers(1, most + 1)))
    return np.repeat(np.arange(len(lengths)), lengths)[:frames]


def make_batch(seed=0, items=3, frames=T):
    rng = np.random.default_rng(seed)
    run = np.stack([random_runs(rng, frames) for _ in range(items)])
    by_run = rng.integers(0, len(PHONES), (items, frames))
    phoneme = np.take_along_axis(by_run, run, 1)
    landmarks = np.zeros((items, frames, 68, 2), np.float32)
    landmarks[:, :, 45, 0] = 40.0
    batch = {
        "face": torch.from_numpy(rng.random((items, frames, 3, 16, 20), np.float32)),
        "landmarks": torch.from_numpy(landmarks),
        "phoneme": torch.from_numpy(phoneme),
        "run": torch.from_numpy(run),
    }
    outputs = {"face": torch.from_numpy(rng.random((items, frames, 3, 16, 20), np.float32))}
    return outputs, batch


@st.composite
def deltas(draw):
    """(delta, known, numbers) of one random batch."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    items, frames = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    run = torch.from_numpy(np.stack([random_runs(rng, frames) for _ in range(items)]))
    delta = torch.from_numpy(rng.random(items * frames))
    if draw(st.booleans()):
        delta = delta.round(decimals=1)  # equal values inside a run
    return delta, torch.from_numpy(rng.random(items * frames) < 0.8), run_numbers(run)


@settings(deadline=None, max_examples=100)
@given(deltas())
def test_the_published_rule_equals_the_maximum(batch):
    delta, known, numbers = batch
    weights, has = run_weights(delta, known, numbers, "literal")
    for number in range(len(delta)):
        own = delta[(numbers == number) & known]
        assert bool(has[number]) == bool(len(own))
        assert float(weights[number]) == pytest.approx(float(own.max()) if len(own) else 1.0)


@settings(deadline=None, max_examples=100)
@given(deltas())
def test_the_tolerant_rule_is_the_mean_where_a_module_is_even(batch):
    delta, known, numbers = batch
    weights, _ = run_weights(delta, known, numbers, "tolerant", EPSILON)
    for number in set(numbers.tolist()):
        own = delta[(numbers == number) & known]
        if len(own):
            wanted = own.max() if own.max() - own.min() > EPSILON else own.mean()
            assert float(weights[number]) == pytest.approx(float(wanted))


def test_uniform_weights_are_one():
    delta, numbers = torch.rand(6), torch.tensor([0, 0, 1, 1, 1, 2])
    assert (run_weights(delta, torch.ones(6, dtype=torch.bool), numbers, "uniform")[0] == 1).all()


def test_motion_similarity_knows_like_from_unlike_and_rest_from_movement():
    rng = torch.Generator().manual_seed(1)
    real = torch.randn(1, T, 20, 2, generator=rng) * 0.1
    same, known = lip_similarity(real, real)
    assert known[0].tolist() == [False] + [True] * (T - 1)
    assert torch.allclose(same, torch.ones_like(same))
    away = lip_similarity(-real, real)[0][known]
    assert (away < 0.05).all()
    rest = torch.zeros_like(real)
    assert torch.allclose(lip_similarity(rest, rest)[0], torch.ones(1, T))
    still = lip_similarity(rest, real)[0][known]
    assert (abs(still - 0.5) < 0.1).all(), "one moves and the other does not: neither alike nor opposite"


def test_shape_similarity_follows_its_formula():
    real, fake = torch.zeros(1, 2, 20, 2), torch.zeros(1, 2, 20, 2)
    fake[0, 1, :, 0] = 0.05  # each point off by tau
    delta, known = lip_similarity(fake, real, "shape", tau=0.05)
    assert known.all()
    assert delta[0].tolist() == pytest.approx([1.0, np.exp(-1)])


def test_shapes_do_not_see_place_and_size():
    points = torch.rand(2, 20, 2) * 30
    eyes = torch.tensor([40.0, 50.0])
    moved = lip_shapes(points * 2 + 7, eyes * 2)
    assert torch.allclose(moved, lip_shapes(points, eyes), atol=1e-6)


def test_equal_faces_cost_nothing_and_the_gradient_there_is_finite():
    _, batch = make_batch()
    loss = TemporalLipLoss(Spots())
    face = batch["face"].clone().requires_grad_()
    value = loss({"face": face}, batch)
    value.backward()
    assert float(value) == 0.0
    assert face.grad.isfinite().all()


def test_the_weights_take_no_gradient_and_scale_each_run():
    outputs, batch = make_batch(3)
    loss = TemporalLipLoss(Spots(), mode="tolerant").eval()
    face = outputs["face"].clone().requires_grad_()
    value = loss({"face": face}, batch)
    eyes = torch.full((3, T), 40.0)
    fake, real = (lip_shapes(Spots().find(faces), eyes) for faces in (outputs["face"], batch["face"]))
    delta, known = lip_similarity(fake, real)
    distance, total = lip_distances(fake, real), 0.0
    for item in range(3):
        for run in set(batch["run"][item].tolist()):
            frames = (batch["run"][item] == run).nonzero().flatten()
            own = delta[item, frames][known[item, frames]]
            weight = 1.0 if not len(own) else float(own.max() if own.max() - own.min() > EPSILON else own.mean())
            total += weight * float(distance[item, frames].sum())
    assert float(value) == pytest.approx(total / (3 * T), rel=1e-5)
    value.backward()
    uniform = outputs["face"].clone().requires_grad_()
    weights = loss._weights(fake, real, batch["phoneme"], batch["run"], torch.ones(3, T, dtype=torch.bool))
    (lip_distances(lip_shapes(Spots().find(uniform), eyes), real) * weights).mean().backward()
    assert torch.allclose(face.grad, uniform.grad, atol=1e-8), "the gradient is that of the distances times fixed weights"


def test_the_gradient_is_right_in_double_precision():
    outputs, batch = make_batch(5, items=1, frames=4)
    loss = TemporalLipLoss(Spots(), mode="uniform").eval()
    batch = {name: value.double() if value.is_floating_point() else value for name, value in batch.items()}
    face = outputs["face"][..., :14].double().requires_grad_()
    batch["face"] = batch["face"][..., :14]
    assert torch.autograd.gradcheck(lambda faces: loss({"face": faces}, batch), face, fast_mode=True)


def test_padding_changes_nothing():
    outputs, batch = make_batch(7)
    short = {name: value[:, :5] for name, value in batch.items()}
    expected = TemporalLipLoss(Spots())({"face": outputs["face"][:, :5]}, short)
    batch["valid"] = (torch.arange(T) < 5).float().expand(3, T)
    batch["run"][:, 5:] = batch["run"][:, 4:5]  # as windows are padded: the last run goes on
    loss = TemporalLipLoss(Spots())
    assert float(loss(outputs, batch)) == pytest.approx(float(expected), rel=1e-6)
    noise = {"face": outputs["face"].clone()}
    noise["face"][:, 5:] = torch.rand_like(noise["face"][:, 5:])
    assert float(TemporalLipLoss(Spots())(noise, batch)) == pytest.approx(float(expected), rel=1e-6)


def test_the_table_learns_in_training_only():
    outputs, batch = make_batch()
    loss = TemporalLipLoss(Spots())
    loss.eval()(outputs, batch)
    assert not loss.table.seen.any()
    loss.train()(outputs, batch)
    seen = {PHONES[number] for number in batch["phoneme"][:, 1:].unique().tolist()}
    assert set(loss.facts()["lip_weight"]) >= {PHONES[number] for number in batch["phoneme"][:, 1].tolist()}
    assert set(loss.facts()["lip_weight"]) <= seen


def test_the_table_is_an_average_without_a_bias_at_its_start():
    table = PhonemeWeights()
    aa, b = NUMBER["AA"], NUMBER["B"]
    assert (table.values() == 1).all() and (table.deviations() == 0).all()
    table.update(torch.tensor([aa, b, b]), torch.tensor([0.4, 0.8, 0.6]), torch.tensor([True, True, True]))
    assert table.as_dict() == pytest.approx({"AA": 0.4, "B": 0.7})
    assert float(table.values()[NUMBER["ZH"]]) == pytest.approx(0.55), "unseen: the mean of the seen"
    assert float(table.deviations()[aa]) == pytest.approx(-0.15)
    assert float(table.deviations()[NUMBER["ZH"]]) == 0
    for _ in range(2000):
        table.update(torch.tensor([aa]), torch.tensor([0.9]), torch.tensor([True]))
    assert table.as_dict() == pytest.approx({"AA": 0.9, "B": 0.7}, abs=1e-4)
    table.update(torch.tensor([aa]), torch.tensor([0.0]), torch.tensor([False]))
    assert table.as_dict()["AA"] == pytest.approx(0.9, abs=1e-4), "unknown weights are passed over"


def test_runs_of_one_class_count_once_each_in_any_order():
    first, second = PhonemeWeights(0.9), PhonemeWeights(0.9)
    first.update(torch.tensor([5, 5, 5]), torch.full((3,), 0.5), torch.ones(3, dtype=torch.bool))
    for _ in range(3):
        second.update(torch.tensor([5]), torch.tensor([0.5]), torch.ones(1, dtype=torch.bool))
    assert torch.allclose(first.total, second.total) and torch.allclose(first.mass, second.mass)


@pytest.mark.parametrize("bad", [{"similarity": "speed"}, {"mode": "literall"}, {"tau": 0.0}, {"epsilon": -1.0}])
def test_unknown_readings_are_refused(bad):
    with pytest.raises(InputError, match="losses.temporal_lip"):
        build_criterion({"temporal_lip": {"weight": 0.1, **bad}}, Setting(lambda *_: SimpleNamespace(model=Spots()), str))

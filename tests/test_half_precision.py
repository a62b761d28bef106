"""Every network and every loss in float16 and bfloat16 against float32, on the CPU: finite, and within a stated bound."""

import ast
import copy

import pytest
import torch

from losses.criterion import LOSSES, build_criterion
from models import MODELS, inception, sync_probability
from models.precision import unit_length
from tests.conftest import ROOT
from tests.losses_kit import (
    BIG,
    NETWORKS,
    TERMS,
    call,
    fields_and_outputs,
    inputs_of,
    network,
    see_a_batch,
    seeded,
    setting_of,
    with_unseen_classes,
)

HALF = [torch.float16, torch.bfloat16]
LEAST = 6e-8  # float16's least positive number is 5.96e-8: what is smaller becomes 0
# largest distance of outputs, and of gradients, from those in float32, as shares of their norm
OUTPUT, GRADIENT = {torch.float16: 0.03, torch.bfloat16: 0.2}, {torch.float16: 0.4, torch.bfloat16: 1.0}


def apart(one, other):
    """Distance as a share of the second's norm, or of 1 for each row where the rows are shorter than that."""
    one, other = one.detach().float(), other.detach().float()
    return float((one - other).norm() / max(float(other.norm()), len(other) ** 0.5 if other.dim() > 1 else 0.0))


@pytest.fixture(autouse=True)
def small_inception(monkeypatch):
    """The network works on smaller pictures too."""
    monkeypatch.setattr(inception, "SIZE", 139)


def ids(networks):
    return [f"{name}{' whole' if more else ''}" for name, more in networks]


# Of a portrait of noise that is moved the gradient is another one after a hundredth of a pixel.
LEARNING = [(name, more) for name, more in NETWORKS if name not in BIG and "moves_portrait" not in more]


@pytest.mark.parametrize(("name", "options"), LEARNING, ids=ids(LEARNING))
def test_a_network_under_autocast_is_that_in_float32(name, options):
    """As training runs it, with its gradients; a weighed sum of squares, whose size suits float16, stands for a loss."""
    model = with_unseen_classes(network(name, **options))
    found = {}
    for half in (None, *HALF):
        model.zero_grad()
        arguments = inputs_of(name, model, 1)
        arguments = [one.clone().requires_grad_() if one is not None and one.is_floating_point() else one for one in arguments]
        with torch.autocast("cpu", dtype=half or torch.float16, enabled=half is not None):
            outputs = call(model, arguments)
        sum((one.float() * torch.linspace(0.5, 1.5, one.shape[-1])).square().sum() for one in outputs).backward()
        gradients = torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])
        found[half] = outputs, gradients
        assert all(torch.isfinite(one).all() for one in (*outputs, gradients)), half
        assert all(torch.isfinite(one.grad).all() for one in arguments if one is not None and one.requires_grad), half
    exact, whole = found.pop(None)
    for half, (rough, near) in found.items():
        distances = [apart(one, other) for one, other in zip(rough, exact, strict=True)]
        print(name, half, distances, apart(near, whole))
        assert max(distances) < OUTPUT[half] and apart(near, whole) < GRADIENT[half], half


@pytest.mark.parametrize("half", HALF, ids=str)
@pytest.mark.parametrize(("name", "options"), NETWORKS, ids=ids(NETWORKS))
def test_a_network_in_half_precision_throughout_is_that_in_float32(name, options, half):
    """As drivers run them: weights and inputs in half precision."""
    model = with_unseen_classes(network(name, **options))
    arguments = inputs_of(name, model, 1)
    with torch.no_grad():
        exact = call(model, arguments)
        low = [one.to(half) if one is not None and one.is_floating_point() else one for one in arguments]
        rough = call(copy.deepcopy(model).to(half), low)
    for one, other in zip(rough, exact, strict=True):
        print(name, half, apart(one, other))
        assert torch.isfinite(one).all()
        assert apart(one, other) < OUTPUT[half]


@pytest.mark.parametrize("half", HALF, ids=str)
def test_a_gate_with_unseen_classes_gives_codes_in_half_precision(half):
    """A class that was never seen must not spoil the others."""
    model = with_unseen_classes(network("wav2lip", audio_gate=True))
    mel, phonemes = inputs_of("wav2lip", model)[0], torch.tensor([0, 1, 2, 30])
    with torch.no_grad():
        exact = model.encode_audio(mel, phonemes)
        found = copy.deepcopy(model).to(half).encode_audio(mel.to(half), phonemes)
    assert found.dtype == half and torch.isfinite(found).all()
    assert apart(found.flatten(1), exact.flatten(1)) < OUTPUT[half]


@pytest.mark.parametrize("half", [torch.float32, *HALF], ids=str)
def test_embeddings_of_zeros_stay_finite(half):
    """A ReLU may give zeros alone: no length, no direction, and no NaN in the gradient."""
    zeros = torch.zeros(3, 8, dtype=half, requires_grad=True)
    other = torch.rand(3, 8, dtype=torch.float32).to(half).requires_grad_()
    embedded = unit_length(zeros)
    probability = sync_probability(embedded, unit_length(other))
    (-torch.log(probability.clamp_min(1e-6))).mean().backward()
    for one in (embedded, probability, zeros.grad, other.grad):
        assert torch.isfinite(one).all()
    model = network("syncnet_color")
    with torch.no_grad():
        for norm in (model.audio_encoder[-1].conv_block[1], model.face_encoder[-1].conv_block[1]):
            norm.weight.zero_(), norm.bias.fill_(-1.0)
        embedded = model.to(half).embed(*(one.to(half) for one in inputs_of("syncnet_color", model, 1)))
    assert not any(one.any() for one in embedded)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_half_precision_outputs_is_that_in_float32(name):
    """The criterion stands outside autocast, the networks inside it run in half precision; real and generated faces differ."""
    criterion = seeded(lambda: build_criterion({name: {"weight": 1.0, **TERMS[name]}}, setting_of(name)))
    batch, given = fields_and_outputs()
    see_a_batch(criterion, given, batch)
    found = {}
    for half in (None, *HALF):
        criterion.set_precision(half)
        outputs = {key: value.detach().to(half or torch.float32).requires_grad_() if value.is_floating_point() else value
                   for key, value in given.items()}  # fmt: skip
        with torch.autocast("cpu", dtype=half or torch.float16, enabled=half is not None):
            total, parts = criterion(outputs, batch)
        total.backward()
        gradients = [one.grad.float().flatten() for one in outputs.values() if one.grad is not None]
        assert total.dtype == torch.float32 and all(torch.isfinite(one).all() for one in (total, *parts.values(), *gradients))
        assert any(one.any() for one in gradients)
        found[half] = total, torch.cat(gradients)
        for adversary in criterion.adversaries().values():
            loss = adversary(outputs, batch)
            assert loss.dtype == torch.float32 and torch.isfinite(loss)
    exact, whole = found.pop(None)
    for half, (total, gradient) in found.items():
        print(name, half, float((total - exact).abs() / exact), apart(gradient, whole))
        assert abs(total - exact) <= OUTPUT[half] * exact
        assert apart(gradient, whole) < GRADIENT[half]


def test_every_loss_and_every_network_is_tried():
    assert set(TERMS) == set(LOSSES) and {name for name, _ in NETWORKS} == set(MODELS)


def test_no_constant_of_the_arithmetic_is_lost_in_float16():
    """A number that float16 rounds to 0 guards no division. Where such a number is right, the file says why beside it."""
    found = []
    for path in [*(ROOT / "models").rglob("*.py"), *(ROOT / "losses").rglob("*.py"), ROOT / "faces" / "texture_torch.py"]:
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, float) and 0 < abs(node.value) < LEAST:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}")
    assert not found

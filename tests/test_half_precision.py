"""Every network and every loss in float16 and bfloat16 against float32, on the CPU: finite, and within a stated bound."""

import ast
import copy

import pytest
import torch

from losses.criterion import LOSSES, Criterion
from losses.adversarial import AdversarialLoss
from losses.spatial import SpatialTextureLoss
from losses.sync import SyncLoss
from losses.temporal import TemporalLipLoss
from models import MODELS, LipLandmarks, SyncNetColor, Wav2Lip, build_model, sync_probability
from models.precision import unit_length
from speech.arpabet import PHONES
from tests.conftest import ROOT

HALF = [torch.float16, torch.bfloat16]
LEAST = 6e-8  # float16's least positive number is 5.96e-8: what is smaller becomes 0
# largest distance of outputs, and of gradients, from those in float32, as shares of their norm; measured values are about half
OUTPUT, GRADIENT = {torch.float16: 0.01, torch.bfloat16: 0.06}, {torch.float16: 0.05, torch.bfloat16: 0.3}


def seeded(build):
    torch.manual_seed(3)
    return build()


def network(name, **options):
    """A network with batch statistics as after training, so that its maps have a usual size in eval mode."""
    small = {} if name in ("lip_landmarks", "syncnet_v2", "fid_inception") else {"width": 0.25}
    model = seeded(lambda: build_model({"name": name, **small, **options}))
    with torch.no_grad():
        model.train()
        for _ in range(2):
            for module in model.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.momentum = None  # the plain mean over what is seen
            call(model, inputs_of(name, model, count=6))
    return model.eval()


def inputs_of(name, model, count=4):
    """Arguments for a network of the table."""
    generator = torch.Generator().manual_seed(4)

    def rand(*size):
        return torch.rand(size, generator=generator)

    mel = rand(count, 1, 80, 16) * 8 - 4
    labels = torch.randint(0, 64, (count, 96, 96), generator=generator)
    if name == "wav2lip":
        faces = rand(count, 6, 96, 96)
        gate = torch.randint(0, len(PHONES), (count,), generator=generator) if model.audio_gate is not None else None
        return mel, faces, gate, labels if model.spatial_input is not None else None
    return {
        "syncnet_color": lambda: (mel, rand(count, 15, 48, 96)),
        "disc_quality": lambda: (rand(count, 3, 96, 96),),
        "disc_conditional": lambda: (mel, rand(count, 3, 96, 96), rand(count, 3, 96, 96)),
        "lip_landmarks": lambda: (rand(count, 3, 96, 96),),
        "syncnet_v2": lambda: (rand(count, 1, 13, 20) * 20, rand(count, 3, 5, 224, 224) * 255),
        "fid_inception": lambda: (rand(count, 3, 96, 96),),
    }[name]()


CALLS = {"wav2lip": "generate", "syncnet_color": "embed", "disc_quality": "logits", "disc_conditional": "logits", "lip_landmarks": "find"}


def call(model, arguments):
    """(N, ...) outputs of a network, one after the other."""
    name = next(name for name, kind in MODELS.items() if type(model) is kind)
    made = getattr(model, CALLS.get(name, "forward"))(*arguments)
    return made if isinstance(made, tuple) else (made,)


def apart(one, other):
    """Distance as a share of the second's norm."""
    one, other = one.detach().float(), other.detach().float()
    return float((one - other).norm() / other.norm().clamp_min(1e-12))


NETWORKS = [*((name, {}) for name in MODELS), ("wav2lip", {"audio_gate": True, "spatial_input": True})]


def with_unseen_classes(model):
    """A gate that has seen two classes and learned to use them; a spatial input that is in use."""
    if getattr(model, "audio_gate", None) is not None:
        table = model.audio_gate.table
        table.update(torch.tensor([1, 2]), torch.tensor([0.4, 0.9]), torch.tensor([True, True]))
        assert int(table.seen.sum()) == 2
        with torch.no_grad():
            model.audio_gate.beta.fill_(0.7)
    if getattr(model, "spatial_input", None) is not None:
        with torch.no_grad():
            model.spatial_input.colour.weight.normal_(0, 0.1)
            model.spatial_input.position.weight.normal_(0, 0.1)
    return model


@pytest.mark.parametrize("half", HALF, ids=str)
@pytest.mark.parametrize(("name", "options"), NETWORKS, ids=[f"{name}{' whole' if more else ''}" for name, more in NETWORKS])
def test_a_network_under_autocast_is_that_in_float32(name, options, half):
    model = with_unseen_classes(network(name, **options))
    found = []
    for dtype in (None, half):
        model.zero_grad()
        arguments = inputs_of(name, model, 1 if name in ("syncnet_v2", "fid_inception") else 2)
        arguments = [one.clone().requires_grad_() if one is not None and one.is_floating_point() else one for one in arguments]
        with torch.autocast("cpu", dtype=dtype or half, enabled=dtype is not None):
            outputs = call(model, arguments)
        torch.manual_seed(5)
        sum((one.float() * torch.randn(one.shape)).mean() for one in outputs).backward()
        gradients = torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])
        assert all(torch.isfinite(one).all() for one in (*outputs, gradients))
        assert all(torch.isfinite(one.grad).all() for one in arguments if one is not None and one.requires_grad)
        found.append((outputs, gradients))
    (exact, whole), (rough, near) = found
    print(name, half, [apart(one, other) for one, other in zip(rough, exact, strict=True)], apart(near, whole))
    assert all(apart(one, other) < OUTPUT[half] for one, other in zip(rough, exact, strict=True))
    assert apart(near, whole) < GRADIENT[half]


@pytest.mark.parametrize("half", HALF, ids=str)
@pytest.mark.parametrize(("name", "options"), NETWORKS, ids=[f"{name}{' whole' if more else ''}" for name, more in NETWORKS])
def test_a_network_in_half_precision_throughout_is_that_in_float32(name, options, half):
    """As drivers run them: weights and inputs in half precision."""
    model = with_unseen_classes(network(name, **options))
    arguments = inputs_of(name, model, 1 if name in ("syncnet_v2", "fid_inception") else 2)
    with torch.no_grad():
        exact = call(model, arguments)
        low = [one.to(half) if one is not None and one.is_floating_point() else one for one in arguments]
        rough = call(copy.deepcopy(model).to(half), low)
    for one, other in zip(rough, exact, strict=True):
        assert torch.isfinite(one).all()
        print(name, half, apart(one, other))
        assert apart(one, other) < OUTPUT[half]

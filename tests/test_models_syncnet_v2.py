"""The published SyncNet: names, shapes and outputs of its layout, its fast form, and the forms in which its file comes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.peers.syncnet_checkout import syncnet_state
from benchmarks.peers.syncnet_parts import inputs
from common.errors import InputError
from models import build_model
from models.fuse import fuse_sequences
from models.syncnet_v2 import FastSyncNet
from training.checkpoint import load_checkpoint, save_checkpoint

GOLDEN = Path(__file__).with_name("golden") / "syncnet_v2.npz"
STEP = 37  # every so many numbers of an embedding are stored
WEIGHTS = {
    "netcnnaud": {0: (64, 1, 3, 3), 4: (192, 64, 3, 3), 8: (384, 192, 3, 3), 11: (256, 384, 3, 3), 14: (256, 256, 3, 3),
                  18: (512, 256, 5, 4)},
    "netfcaud": {0: (512, 512), 3: (1024, 512)},
    "netfclip": {0: (512, 512), 3: (1024, 512)},
    "netcnnlip": {0: (96, 3, 5, 7, 7), 4: (256, 96, 1, 5, 5), 8: (256, 256, 1, 3, 3), 11: (256, 256, 1, 3, 3),
                  14: (256, 256, 1, 3, 3), 18: (512, 256, 1, 6, 6)},
}  # fmt: skip


@pytest.fixture(scope="module")
def state():
    return syncnet_state()


@pytest.fixture(scope="module")
def network(state):
    model = build_model({"name": "syncnet_v2"})
    model.load_state_dict(state)
    return model.eval()


@pytest.fixture(scope="module")
def fast(network):
    return FastSyncNet(network).eval()


def relative(found, expected):
    """Largest difference over the largest size."""
    return float((found - expected).abs().max() / expected.abs().max())


def test_names_and_shapes_are_the_published_ones(network):
    expected = {}
    for tower, layers in WEIGHTS.items():
        for at, shape in layers.items():
            expected[f"{tower}.{at}.weight"], expected[f"{tower}.{at}.bias"] = shape, shape[:1]
            if shape[0] != 1024:
                for part in ("weight", "bias", "running_mean", "running_var"):
                    expected[f"{tower}.{at + 1}.{part}"] = shape[:1]
                expected[f"{tower}.{at + 1}.num_batches_tracked"] = ()
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == expected


@torch.inference_mode()
def test_the_two_sides_of_a_batch(network):
    sound, frames = inputs()
    windows = torch.stack([frames[:, at : at + 5] for at in (0, 3)])
    heard, seen = network(sound[:2], windows)
    assert heard.shape == seen.shape == (2, 1024) and heard.dtype == seen.dtype == torch.float32
    assert relative(heard, network.embed_sound(sound)[:2]) < 1e-5
    assert relative(seen, network.embed_lips(frames)[[0, 3]]) < 1e-5


@torch.inference_mode()
def test_outputs_are_the_peers(network, fast):
    golden = {name: torch.from_numpy(np.load(GOLDEN)[name]) for name in ("sound", "lips")}
    sound, frames = inputs()
    for model in (network, fast):
        assert relative(model.embed_sound(sound)[:, ::STEP], golden["sound"]) < 1e-4
        assert relative(model.embed_lips(frames)[:, ::STEP], golden["lips"]) < 1e-4


@pytest.mark.parametrize(("count", "seed"), [(5, 0), (6, 1), (9, 2)])
@torch.inference_mode()
def test_the_fast_form_equals_the_network_window_by_window(network, fast, count, seed):
    frames = torch.rand(3, count, 224, 224, generator=torch.Generator().manual_seed(seed)) * 255
    found = fast.embed_lips(frames)
    assert found.shape == (count - 4, 1024)
    for at in range(count - 4):
        assert relative(found[at], network.embed_lips(frames[:, at : at + 5])[0]) < 1e-4


@torch.inference_mode()
def test_an_embedding_knows_colour_and_order(fast):
    frames = torch.rand(3, 5, 224, 224, generator=torch.Generator().manual_seed(3)) * 255
    plain = fast.embed_lips(frames)
    assert relative(fast.embed_lips(frames.flip(0)), plain) > 1e-2
    assert relative(fast.embed_lips(frames.flip(1)), plain) > 1e-2


def test_the_fast_form_leaves_the_network_alone(network, state):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    made = FastSyncNet(network)
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) for layer in made.modules())
    assert not any(parameter.requires_grad for parameter in made.parameters())
    for parameter in made.parameters():
        parameter.zero_()
    assert list(before) == list(network.state_dict())
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in before.items())
    assert all(parameter.requires_grad for parameter in network.parameters())


class Sequences(nn.Module):
    """Sequences of every kind that fuse_sequences folds, with norms that are not trivial, and a part without a norm."""

    def __init__(self):
        super().__init__()
        self.volume = nn.Sequential(nn.Conv3d(2, 4, (2, 3, 3)), nn.BatchNorm3d(4), nn.ReLU(), nn.Conv3d(4, 3, 1))
        self.picture = nn.Sequential(nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2))
        self.larger = nn.Sequential(nn.ConvTranspose2d(5, 5, 4, 2, 1), nn.BatchNorm2d(5), nn.ReLU())
        self.line = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                for values, low in ((layer.running_mean, -1), (layer.running_var, 0.3), (layer.weight.data, 0.5)):
                    values.uniform_(low, 2)

    def forward(self, x):
        return self.line(self.larger(self.picture(self.volume(x).flatten(2, 3))).mean((2, 3)))


@torch.inference_mode()
def test_norms_are_folded_into_any_plain_sequence():
    torch.manual_seed(0)
    model, x = Sequences().train(), torch.randn(3, 2, 3, 8, 8)
    fused = fuse_sequences(model)
    assert model.training and not fused.training
    assert sum("running_mean" in name for name in model.state_dict()) == 4
    assert not any("running_mean" in name for name in fused.state_dict())
    torch.testing.assert_close(fused(x), model.eval()(x), rtol=1e-4, atol=1e-5)


# the file


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("counters", [False, True])
def test_the_published_file_loads_in_every_form(tmp_path, state, zipped, counters):
    path = tmp_path / "syncnet_v2.model"
    kept = {name: value for name, value in state.items() if counters or not name.endswith("num_batches_tracked")}
    torch.save(kept, path, _use_new_zipfile_serialization=zipped)
    found = load_checkpoint(path, expect="syncnet_v2")
    assert found.origin == "foreign" and found.config["model"] == {"name": "syncnet_v2"} and not found.model.training
    loaded = found.model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in kept.items()) and set(loaded) == set(state)


def test_a_checkpoint_of_our_own_holds_it_too(tmp_path, network):
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, network, {"model": {"name": "syncnet_v2"}, "data": {}, "training": {}}, dtype="float16")
    found = load_checkpoint(path)
    assert found.origin == "own" and list(found.model.state_dict()) == list(network.state_dict())


def test_a_file_that_does_not_fit_is_refused(tmp_path, state):
    path = tmp_path / "odd.model"
    torch.save({name: value for name, value in state.items() if name != "netfclip.3.bias"}, path)
    with pytest.raises(InputError, match=r"odd\.model: does not fit syncnet_v2: missing: netfclip\.3\.bias"):
        load_checkpoint(path)
    torch.save({**state, "netfcaud.3.bias": torch.zeros(256)}, path)
    with pytest.raises(InputError, match=r"netfcaud\.3\.bias is \(256,\) in place of \(1024,\)"):
        load_checkpoint(path)
    torch.save({**state, "netfcaud.3.bias": torch.full((1024,), torch.nan)}, path)
    with pytest.raises(InputError, match="NaN or infinity"):
        load_checkpoint(path)

"""LPIPS: what goes into the package, and what is said where the package or its weights are missing."""

import hashlib
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from common.errors import InputError
from metrics.networks.perceptual import BACKBONES, Lpips


class StandIn(torch.nn.Module):
    """Mean absolute difference in place of the learned one; remembers what it was given."""

    def __init__(self, net, verbose):
        super().__init__()
        assert not verbose
        self.net, self.seen, self.weight = net, [], torch.nn.Parameter(torch.ones(1))

    def forward(self, first, second):
        self.seen.append(first)
        return (first - second).abs().mean((1, 2, 3), keepdim=True)


@pytest.fixture
def packages(monkeypatch):
    """A torchvision and an lpips that import."""
    module = ModuleType("lpips")
    module.LPIPS = StandIn
    monkeypatch.setitem(sys.modules, "lpips", module)
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    return module


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """torch's cache, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def loaded(packages, cache, monkeypatch):
    content = b"weights"
    sha256 = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(BACKBONES, "vgg", f"vgg16-{sha256[:8]}.pth")
    (cache / BACKBONES["vgg"]).write_bytes(content)
    measure = Lpips.load("vgg")
    assert (measure.name, measure.sha256, measure.precision) == ("vgg", sha256, "fp32")
    return measure


def test_pictures_are_scaled_and_each_pair_has_its_own_value(loaded):
    random = np.random.default_rng(0)
    first, second = random.integers(0, 256, (2, 70, 8, 9, 3), dtype=np.uint8)
    distances = loaded(first, second)
    assert distances.shape == (70,) and distances.dtype == np.float64
    expected = np.abs(first.astype(float) - second).mean((1, 2, 3)) / 127.5
    np.testing.assert_allclose(distances, expected, rtol=1e-5)
    seen = torch.cat(loaded._network.seen)
    np.testing.assert_allclose(seen.numpy(), first.transpose(0, 3, 1, 2) / 127.5 - 1, atol=1e-6)
    assert seen.min() == -1 and seen.max() == 1 and loaded._network.net == "vgg"
    assert (loaded(first, first) == 0).all() and loaded(first[:0], first[:0]).shape == (0,)


def test_pictures_that_do_not_fit_are_refused(loaded):
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    for other in (pictures[:1], pictures.astype(np.float32)):
        with pytest.raises(ValueError, match="pictures"):
            loaded(pictures, other)


def test_missing_weights_are_named_and_nothing_is_built(packages, cache):
    packages.LPIPS = None
    with pytest.raises(InputError, match="alexnet-owt-7be5be79.pth: no such file") as caught:
        Lpips.load("alex")
    assert str(cache) in str(caught.value) and "torchvision's ImageNet weights" in str(caught.value)


def test_other_weights_under_the_name_are_refused(packages, cache):
    (cache / BACKBONES["alex"]).write_bytes(b"half a file")
    with pytest.raises(InputError, match="not the published weights"):
        Lpips.load("alex")


def test_unknown_backbone():
    with pytest.raises(InputError, match="'resnet' is not known; known are alex, vgg, squeeze"):
        Lpips.load("resnet")


def test_missing_package_is_named(packages, monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(InputError, match="pip install lpips==0.1.4"):
        Lpips.load()


def test_broken_torchvision_is_named(packages, monkeypatch, tmp_path):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.delitem(sys.modules, "torchvision")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"torchvision, which cannot be imported \(operator torchvision::nms"):
        Lpips.load()

"""FID's Inception against pytorch-fid: its names, its shapes and its features, stored by benchmarks/peers/fid.py."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.peers.fid import STEP, inception_state, seeded_images
from models import build_model
from models.inception import FidInception

GOLDEN = Path(__file__).with_name("golden") / "inception.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as stored:
        return dict(stored)


@pytest.fixture
def shapes_only():
    with torch.device("meta"):
        return FidInception().eval()


def test_names_and_shapes_are_those_of_pytorch_fid(golden, shapes_only):
    expected = json.loads(golden["shapes"].item())
    assert {name: list(tensor.shape) for name, tensor in shapes_only.state_dict().items()} == expected
    assert expected["Mixed_5b.branch1x1.bn.running_mean"] == [64] and expected["fc.weight"] == [1008, 2048]
    assert isinstance(build_model({"name": "fid_inception"}), FidInception)


def test_features_are_those_of_pytorch_fid(golden):
    model = FidInception().eval()
    model.load_state_dict(inception_state())
    images = seeded_images()
    with torch.inference_mode():
        features = model(images).numpy()
    assert features.shape == (2, 2048) and features.dtype == np.float32 and (features >= 0).all()
    np.testing.assert_allclose(features[:, ::STEP], golden["features"], rtol=0, atol=2e-5 * features.max())
    assert np.abs(golden["features"][0] - golden["features"][1]).max() > 0.01 * features.max()  # they depend on the picture


@pytest.mark.parametrize("size", [(1, 1), (17, 400), (299, 299)])
def test_any_size_gives_one_vector_a_picture(shapes_only, size):
    assert shapes_only(torch.empty(3, 3, *size, device="meta")).shape == (3, 2048)

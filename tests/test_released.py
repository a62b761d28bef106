"""The checkpoints that come with the project give what they gave before networks, drivers and judges were laid out anew.

tests/golden/released.npz holds what the code before that change computed of the inputs below. On the machine that made it, this
code gives the same to the last bit. Other processors add in another order, hence the bounds.
"""

import numpy as np
import pytest
import torch

from pipeline.drivers import load_driver
from tests.conftest import ROOT
from training.checkpoint import load_checkpoint

GOLDEN = ROOT / "tests" / "golden" / "released.npz"
ROUNDING = 1e-5


def smooth_pictures(rng, count):
    """(count, 96, 96, 3) uint8 of soft colours."""
    walks = np.cumsum(np.cumsum(rng.normal(0, 1, (count, 96, 96, 3)), 1), 2)
    return np.clip(walks / 40 + 128, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def inputs():
    """mels (3, 80, 16), faces (3, 96, 96, 3), reference (1, 96, 96, 3), windows of lower halves (2, 15, 48, 96)."""
    rng = np.random.default_rng(2026)
    mels = rng.uniform(-4, 4, (3, 80, 16)).astype(np.float32)
    faces, reference = smooth_pictures(rng, 3), smooth_pictures(rng, 1)
    return mels, faces, reference, torch.from_numpy(rng.uniform(0, 1, (2, 15, 48, 96)).astype(np.float32))


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as stored:
        return dict(stored)


def test_the_generator_draws_the_same_faces(inputs, golden):
    mels, faces, reference, _ = inputs
    driver = load_driver(ROOT / "checkpoints" / "demo.safetensors", device="cpu")
    drawn = driver.generator(mels, faces, reference)
    assert drawn.dtype == np.uint8 and np.abs(drawn.astype(int) - golden["drawn"]).max() <= 1
    assert (drawn != golden["drawn"]).mean() < 1e-3


@pytest.mark.parametrize("name", ["expert_grid", "expert_mixed"])
def test_the_experts_embed_as_before(inputs, golden, name):
    mels, _, _, windows = inputs
    expert = load_checkpoint(ROOT / "checkpoints" / f"{name}.safetensors").model
    with torch.inference_mode():
        sound, lips = expert.embed_sound(torch.from_numpy(mels[:2, None])), expert.embed_faces(windows)
    np.testing.assert_allclose(sound, golden[f"{name}_sound"], rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(lips, golden[f"{name}_lips"], rtol=0, atol=ROUNDING)


def test_the_landmark_network_finds_the_same_points(inputs, golden):
    network = load_checkpoint(ROOT / "checkpoints" / "lip_landmarks.safetensors").model
    with torch.inference_mode():
        points = network.find(torch.from_numpy(inputs[1]).permute(0, 3, 1, 2).float() / 255)
    np.testing.assert_allclose(points, golden["points"], rtol=0, atol=1e-3)

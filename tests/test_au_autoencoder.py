"""The autoencoder of the diffusion renderer: unit latents, a codebook that is in use, gradients through both; its loss."""

import pytest
import torch

from common.errors import InputError
from losses.criterion import build_criterion
from models import build_model
from tests.au_kit import batch_of
from tests.diffusion_kit import AUTOENCODER


@pytest.fixture(scope="module")
def given():
    """(network in training mode, its outputs of a batch, the batch)."""
    torch.manual_seed(0)
    model, batch = build_model(AUTOENCODER), batch_of(items=2, frames=2)
    return model, model(batch), batch


def test_latents_have_unit_variance_and_use_the_codes(given):
    _, found, _ = given
    assert found["face"].shape == (2, 2, 3, 96, 96)
    assert found["latents"].shape == found["latent_codes"].shape == (2, 2, 3, 24, 24)
    assert 0 <= found["face"].min() <= found["face"].max() <= 1
    channels = found["latents"].detach().movedim(2, 0).flatten(1)
    torch.testing.assert_close(channels.mean(1), torch.zeros(3), rtol=0, atol=1e-3)
    torch.testing.assert_close(channels.std(1), torch.ones(3), rtol=0, atol=1e-2)
    assert found["code_shares"].sum() == pytest.approx(1) and (found["code_shares"] > 0).float().mean() > 0.5


def test_a_code_is_the_nearest_one(given):
    model, found, _ = given
    latents = found["latents"].detach().flatten(0, 1)
    numbers = model.autoencoder.nearest(latents)
    book = model.autoencoder.codec.quantize.embedding.weight.detach()
    apart = torch.cdist(latents.permute(0, 2, 3, 1).reshape(-1, 3), book)
    own = apart.gather(1, numbers.flatten()[:, None])[:, 0]
    torch.testing.assert_close(own, apart.min(1).values, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(model.autoencoder.chosen(numbers), book[numbers].permute(0, 3, 1, 2))
    model.eval()
    with torch.no_grad():
        drawn = model.autoencoder.draw(model.autoencoder.encode(given[2]["face"][0]))
        torch.testing.assert_close(drawn, model({"face": given[2]["face"][:1]})["face"][0], atol=1e-4, rtol=0)
    model.train()


def test_gradients_reach_encoder_codes_and_decoder():
    torch.manual_seed(0)
    model, batch = build_model(AUTOENCODER), batch_of(items=1, frames=2)
    criterion = build_criterion({"l1": {"weight": 1.0}, "codebook": {"weight": 0.25}})
    total, parts = criterion(model(batch), batch)
    total.backward()
    still = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()]
    assert not still and "codebook/used" in parts


def test_the_loss_pulls_codes_to_latents_and_latents_to_codes():
    latents, codes = torch.zeros(1, 2, 3, 4, 4, requires_grad=True), torch.full((1, 2, 3, 4, 4), 2.0, requires_grad=True)
    shares = torch.tensor([0.5, 0.0, 0.5, 0.0])
    criterion = build_criterion({"codebook": {"weight": 1.0, "commitment": 0.25}})
    total, parts = criterion({"latents": latents, "latent_codes": codes, "code_shares": shares}, {})
    assert float(total.detach()) == pytest.approx(1.25 * 4)
    total.backward()
    torch.testing.assert_close(codes.grad, -4 * latents.grad)
    assert parts["codebook/used"].tolist() == [2, 4]


@pytest.mark.parametrize(("key", "value"), [("face_size", 64), ("codes", 2.5), ("width", 2), ("depth", 9)])
def test_a_value_that_is_not_possible_is_refused(key, value):
    with pytest.raises(InputError, match=f"model.{key}: {value} "):
        build_model({**AUTOENCODER, key: value})


def test_the_noise_error_leaves_padded_frames_out():
    said, frames = torch.zeros(1, 2, 3, 4, 4), torch.tensor([[0, 3]])
    wanted = torch.stack([torch.ones(3, 4, 4), torch.full((3, 4, 4), 5.0)])[None]
    criterion = build_criterion({"noise_error": {"weight": 1.0}})
    outputs = {"noise_predicted": said, "noise": wanted, "noised_frames": frames}
    assert float(criterion(outputs, {})[0]) == pytest.approx(13)
    assert float(criterion(outputs, {"valid": torch.tensor([[1.0, 1, 1, 0]])})[0]) == pytest.approx(1)

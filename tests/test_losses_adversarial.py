"""The adversarial loss: what the discriminator learns, what the generator feels, and who moves whom."""

import copy

import pytest
import torch

from common.errors import InputError
from losses.adversarial import AdversarialLoss, by_item
from losses.criterion import build_criterion


def make_batch(items=2, frames=2, size=96, seed=0):
    generator = torch.Generator().manual_seed(seed)
    faces = torch.rand(items, frames, 3, size, size, generator=generator)
    mel = torch.rand(items, frames, 1, 80, 16, generator=generator) * 8 - 4
    return {"face": faces, "reference_face": faces.flip(0), "mel": mel}


@pytest.mark.parametrize("kind", ["quality", "conditional"])
def test_generator_term_moves_the_faces_and_never_the_discriminator(kind):
    loss = AdversarialLoss(kind, width=0.25)
    loss.train()
    before = copy.deepcopy(loss.state_dict())
    batch = make_batch()
    fake = torch.rand_like(batch["face"]).requires_grad_()
    loss({"face": fake}, batch).backward()
    assert fake.grad[:, :, :, 48:].abs().sum() > 0 and fake.grad[:, :, :, :48].abs().sum() == 0  # the lower half alone
    assert all(parameter.grad is None for parameter in loss.parameters())
    assert all(torch.equal(before[name], value) for name, value in loss.state_dict().items())  # batch norm's statistics, too
    assert loss.adversaries()[""].training


@pytest.mark.parametrize("kind", ["quality", "conditional"])
def test_the_discriminator_learns_to_tell_faces_apart_and_takes_no_gradient_to_them(kind):
    torch.manual_seed(0)
    loss = AdversarialLoss(kind, width=0.25)
    batch = make_batch(4, 1)
    fake = (batch["face"] * 0.2).requires_grad_()
    optimizer = torch.optim.Adam(loss.adversaries()[""].parameters(), 1e-3)
    values = []
    for _ in range(8):
        value = loss.adversaries()[""]({"face": fake}, batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    assert fake.grad is None
    assert values[-1] < 0.8 * values[0]
    loss.eval()
    assert float(loss({"face": fake.detach()}, batch)) > float(loss({"face": batch["face"]}, batch))


def test_the_conditional_one_hears_and_knows_the_person():
    loss = AdversarialLoss("conditional", width=0.25).eval()
    batch = make_batch()
    fake = torch.rand_like(batch["face"])
    own = float(loss({"face": fake}, batch))
    assert float(loss({"face": fake}, {**batch, "mel": batch["mel"].flip(0)})) != own
    assert float(loss({"face": fake}, {**batch, "reference_face": batch["face"]})) != own
    assert set(loss.needs) == {"face", "mel", "reference_face"}
    assert AdversarialLoss("quality", width=0.25).needs == ("face",)


def test_frames_that_pad_a_window_do_not_count():
    loss = AdversarialLoss("quality", width=0.25).eval()
    batch = {**make_batch(1, 2), "valid": torch.tensor([[1.0, 0.0]])}
    fake = torch.rand_like(batch["face"])
    other = torch.cat([fake[:, :1], torch.zeros_like(fake[:, :1])], 1)
    for judged in (loss, loss.adversaries()[""]):
        assert float(judged({"face": fake}, batch)) == pytest.approx(float(judged({"face": other}, batch)), rel=1e-6)


def test_logits_are_put_back_by_item_and_frame():
    frame_after_frame = torch.arange(6.0)[:, None]  # 2 items, 3 frames: (t, b) = (0,0) (0,1) (1,0) ...
    assert by_item(frame_after_frame, 2).tolist() == [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]


def test_an_unknown_discriminator_is_refused():
    with pytest.raises(InputError, match="did you mean quality"):
        AdversarialLoss("qualty")
    with pytest.raises(InputError, match="model.width|width"):
        AdversarialLoss("quality", width=7)


def test_rest_is_what_the_open_terms_leave():
    config = {
        "l1": {"weight": "rest"},
        "laplacian": {"weight": 0.25},
        "adversarial": {"weight": 0.07, "width": 0.25, "enable_when": {"metric": "val/l1", "below": 0.5}},
    }
    criterion = build_criterion(config)
    assert criterion.weight("l1") == pytest.approx(0.75)
    criterion.update_gates({"val/l1": 0.4})
    assert criterion.weight("l1") == pytest.approx(0.68)
    assert set(criterion.adversaries()) == {"adversarial"}


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"l1": "rest", "laplacian": "rest"}, "only one"),
        ({"l1": "rest", "laplacian": 1.2}, "leave nothing"),
        ({"l1": "some"}, "rest"),
        ({"l1": True}, "number"),
    ],
)
def test_weights_that_cannot_be(weights, words):
    with pytest.raises(InputError, match=words):
        build_criterion({name: {"weight": weight} for name, weight in weights.items()})

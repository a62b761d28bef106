"""What is done to codes over time and by a known movement of the picture: CRA and STAC."""

import pytest
import torch

from models.motion.action import PoseAction, change_in_time, drawn_shares, mixed_in_time, partners
from tests.conftest import ROOT
from training.config.loading import load_config


def test_movements_act_as_a_group():
    action, codes = PoseAction(3), torch.randn(2, 4, 3)
    view = torch.tensor([[0.2, -0.1, 0.3, 0.4]]).repeat(2, 1)
    assert torch.equal(action(codes, view), codes)  # at first
    torch.nn.init.normal_(action.generators, std=0.2)
    moved = action(codes, view)
    assert (moved - codes).abs().max() > 0.05
    torch.testing.assert_close(action(moved, -view), codes, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(action(moved, view), action(codes, 2 * view), rtol=1e-4, atol=1e-4)


def test_the_action_of_movements_is_learned_in_the_steps_of_the_small_form():
    """Codes as widely spread as those of the small form, which a movement of its views moves by twice their spread."""
    rate = load_config(ROOT / "configs/motion_small.yaml")["optim"]["parts"]["pose_action"]["lr"]
    generator = torch.Generator().manual_seed(0)
    direction = 6 * torch.randn(4, 3, generator=generator)
    action, spans = PoseAction(3), torch.tensor([0.1, 0.1, 0.1, 0.2])
    optimiser, errors = torch.optim.AdamW(action.parameters(), rate, weight_decay=0), []
    for step in range(100):
        optimiser.param_groups[0]["lr"] = rate * (1 - step / 100)
        codes = 4 * torch.randn(4, 8, 3, generator=generator)
        view = (2 * torch.rand(4, 4, generator=generator) - 1) * spans
        moved = codes + (view / 0.1 @ direction)[:, None]
        errors.append((action(codes, view) - moved).abs().mean() / (moved - codes).abs().mean())
        optimiser.zero_grad()
        errors[-1].backward()
        optimiser.step()
    assert errors[0] > 0.9 and sum(errors[-10:]) / 10 < 0.3


def test_codes_follow_a_change_of_time():
    codes = torch.arange(5.0).view(1, 5, 1)
    found = change_in_time(codes, torch.tensor([0.5]), torch.tensor([1.2]))
    assert found.flatten().tolist() == pytest.approx([0.5, 1.7, 2.9, 4, 4])  # the last ones lie outside


def test_mixing_stays_between_near_moments_of_the_window():
    codes, frames = torch.arange(13.0).view(1, 13, 1).repeat(400, 1, 1), torch.tensor([6, 7])
    assert mixed_in_time(codes, frames, False, pose=True)[0].flatten().tolist() == [6.5, 7.5]
    mouth = mixed_in_time(codes, frames, True, pose=False)[..., 0]
    assert mouth[:, 0].min() >= 3 and mouth[:, 0].max() <= 9 and mouth[:, 0].std() > 0.3
    assert torch.allclose(mouth.diff(dim=1), torch.ones(()), atol=1e-5)  # smooth in time
    speeds = mixed_in_time(codes, frames, True, pose=True)[..., 0].diff(dim=1).flatten()
    assert {round(float(one), 2) for one in speeds} == {1.0, 0.8, 1.25, -1.0}


def test_partners_are_other_clips():
    assert partners(3, 2, "swap", True, "cpu").tolist() == [[1, 1], [2, 2], [0, 0]]
    assert partners(1, 2, "random", True, "cpu").tolist() == [[0, 0]]
    for drawn in (False, True):
        found = partners(4, 30, "random", drawn, "cpu")
        assert (found != torch.arange(4)[:, None]).all() and (found.diff(dim=1) != 0).any()


def test_shares_are_drawn_from_the_beta_distribution():
    """Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2 a + 1)); with a = 0.2 that is 0.1786."""
    torch.manual_seed(0)
    shares = drawn_shares(20000, torch.device("cpu"))
    assert 0 <= shares.min() and shares.max() <= 1
    assert shares.mean() == pytest.approx(0.5, abs=0.01) and shares.var() == pytest.approx(1 / 5.6, abs=0.004)

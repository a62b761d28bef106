"""Terms of DAVS that look at drawn faces, without an adversary: their formulas and what takes a gradient."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from losses.davs.drawn import DrawnL1, DrawnStill
from losses.davs.drawn_motion import DrawnMotion
from losses.regions import REGIONS, cut

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(deadline=None, max_examples=12)


def drawn_faces(seed, items=2, frames=5, count=3, side=32):
    """outputs, batch of a network that draws: float32, with gradients at both faces."""
    rng = np.random.default_rng(seed)

    def rand(*size):
        return torch.tensor(rng.random(size, np.float32))

    batch = {"face": rand(items, frames, 3, side, side), "identity_face": rand(items, 3, side, side)}
    start = int(rng.integers(0, frames - count + 1))
    outputs = {name: rand(items, count, 3, side, side).requires_grad_() for name in ("audio_face", "video_face")}
    return {**outputs, "drawn": torch.arange(start, start + count)}, batch


def box(side):
    """Rows and columns of the mouth, as published at 256 pixels and scaled."""
    return slice(170 * side // 256, 234 * side // 256), slice(64 * side // 256, 192 * side // 256)


@FEW
@given(SEEDS, st.sampled_from(["both", "audio", "video"]), st.sampled_from(["face", "davs_mouth"]), st.floats(0.5, 300))
def test_drawn_faces_are_compared_with_those_of_their_frames(seed, drives, region, scale):
    outputs, batch = drawn_faces(seed)
    value = DrawnL1(drives, region, scale)(outputs, batch)
    real, mask = batch["face"].numpy()[:, outputs["drawn"]].astype(np.float64), np.zeros((32, 32))
    mask[box(32) if region == "davs_mouth" else ...] = 1
    names = [f"{one}_face" for one in ("audio", "video") if drives in (one, "both")]
    expected = sum(np.abs((outputs[name].detach().numpy() - real) * mask * scale).mean() for name in names)
    assert float(value.detach()) == pytest.approx(expected, rel=1e-5)
    value.backward()
    for name in ("audio_face", "video_face"):
        assert (outputs[name].grad is not None and bool(outputs[name].grad.any())) == (name in names)


def test_the_mouth_is_the_published_one_and_counts_as_a_part_of_the_whole():
    place = torch.arange(256.0)
    rows, columns = torch.meshgrid(place, place, indexing="ij")
    cut_rows, cut_columns = cut(rows, REGIONS["davs_mouth"]), cut(columns, REGIONS["davs_mouth"])
    assert (cut_rows.min(), cut_rows.max(), cut_columns.min(), cut_columns.max()) == (170, 233, 64, 191)
    outputs, batch = drawn_faces(0, side=256, frames=3)
    batch["face"].zero_()
    whole = {**outputs, "audio_face": torch.ones(2, 3, 3, 256, 256)}
    assert float(DrawnL1("audio")(whole, batch)) == pytest.approx(255)
    assert float(DrawnL1("audio", "davs_mouth")(whole, batch)) == pytest.approx(255 * 64 * 128 / 256**2)


@FEW
@given(SEEDS, st.integers(1, 4))
def test_stillness_is_the_loop_over_frames(seed, count):
    outputs, batch = drawn_faces(seed, count=count)
    faces, before, expected = outputs["audio_face"], batch["identity_face"].clone(), 0.0
    wanted = torch.zeros_like(faces)
    outside = torch.ones(32, 32)
    outside[box(32)] = 0
    for frame in range(count):
        step = (faces[:, frame].detach() - before) * outside
        expected += float(step.abs().mean())
        wanted[:, frame] = step.sign() / step.numel()
        before = faces[:, frame].detach()
    value = DrawnStill()(outputs, batch)
    assert float(value.detach()) == pytest.approx(expected, rel=1e-4)
    value.backward()
    torch.testing.assert_close(faces.grad, wanted)  # the frame before takes none
    assert outputs["video_face"].grad is None


@FEW
@given(SEEDS, st.integers(2, 4))
def test_movement_is_followed_from_0_to_1_whatever_stands_still(seed, count):
    outputs, batch = drawn_faces(seed, count=count)
    real = batch["face"].index_select(1, outputs["drawn"])
    own = {**outputs, "audio_face": real, "video_face": real}
    assert float(DrawnMotion()(own, batch)) == 0
    held = real.mean(1, keepdim=True).expand_as(real)
    assert float(DrawnMotion()({**own, "audio_face": held, "video_face": held}, batch)) == pytest.approx(1, rel=1e-4)
    other = torch.rand(real[:, :1].shape)  # another face that moves half as much
    half = other + 0.5 * (real - real.mean(1, keepdim=True))
    assert float(DrawnMotion()({**own, "audio_face": half}, batch)) == pytest.approx(0.125, rel=1e-3)
    elsewhere = real.clone()
    elsewhere[..., :10, :] = 0  # above the mouth
    assert float(DrawnMotion()({**own, "audio_face": elsewhere}, batch)) == 0


def test_a_video_that_is_its_picture_is_still():
    outputs, batch = drawn_faces(1)
    moving = batch["identity_face"][:, None].repeat(1, 3, 1, 1, 1)
    cut(moving, REGIONS["davs_mouth"]).zero_()
    assert float(DrawnStill()({**outputs, "audio_face": moving}, batch)) == 0

"""The texture loss: its formula, its gradient, what leaves it alone, padding, controls and options."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from faces.texture import grid_modules, texture_modules
from losses.criterion import build_criterion
from losses.spatial import SpatialTextureLoss, module_sums, random_directions, spatial_texture_loss

SMOOTH = 1 / 255
FORMS = [("moments", None), ("sliced", random_directions(3, torch.Generator().manual_seed(5)))]


def faces(seed, count=2, size=12, dtype=torch.float32):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def modules(seed, count=2, size=12, most=9):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, most, (count, size, size)))


def by_hand(fake, real, labels):
    """docs/methods.md, eq. (38), picture by picture and module by module."""
    found = []
    for pictures in zip(fake.double().numpy(), real.double().numpy(), labels.numpy(), strict=True):
        own = pictures[2]
        total, names = 0.0, np.unique(own)
        for name in names:
            stats = []
            for picture in pictures[:2]:
                grey = np.tensordot((0.299, 0.587, 0.114), picture, 1)
                along = np.concatenate([np.diff(grey, axis=1), np.zeros((len(grey), 1))], 1)
                down = np.concatenate([np.diff(grey, axis=0), np.zeros((1, grey.shape[1]))], 0)
                values = [*picture, np.sqrt(along**2 + down**2 + SMOOTH**2) - SMOOTH]
                inside = np.stack([value[own == name] for value in values])
                stats.append((inside.mean(1), np.sqrt(inside.var(1) + SMOOTH**2)))
            total += sum(np.abs(one - other).sum() for one, other in zip(*stats, strict=True))
        found.append(total / len(names))
    return found


def wasserstein_by_hand(fake, real, labels, directions):
    found = []
    for one, other, own in zip(fake.double(), real.double(), labels, strict=True):
        values = []
        for name in own.unique():
            inside = [picture[:, own == name] for picture in (one, other)]
            for way in directions.double():
                first, second = ((way @ colours).sort().values for colours in inside)
                values.append(float((first - second).abs().mean()))
        found.append(np.mean(values))
    return found


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 9999), st.integers(1, 30))
def test_the_loss_is_its_formula(seed, most):
    fake, real, labels = faces(seed), faces(seed + 1), modules(seed, most=most)
    assert spatial_texture_loss(fake, real, labels).tolist() == pytest.approx(by_hand(fake, real, labels), rel=1e-4)
    directions = random_directions(2, torch.Generator().manual_seed(seed))
    found = spatial_texture_loss(fake, real, labels, "sliced", directions)
    assert found.tolist() == pytest.approx(wasserstein_by_hand(fake, real, labels, directions), rel=1e-4)


@pytest.mark.parametrize(("form", "directions"), FORMS)
def test_the_gradient_is_right_in_double_precision(form, directions):
    fake, real, labels = faces(1, 2, 6, torch.float64).requires_grad_(), faces(2, 2, 6, torch.float64), modules(3, 2, 6, 4)
    assert torch.autograd.gradcheck(lambda x: spatial_texture_loss(x, real, labels, form, directions), fake)


@pytest.mark.parametrize(("form", "directions"), FORMS)
def test_equal_faces_cost_exactly_nothing_and_their_gradient_is_finite(form, directions):
    for picture in (faces(4, 3, 20), torch.full((3, 3, 20, 20), 0.3), torch.zeros(3, 3, 20, 20)):
        fake = picture.clone().requires_grad_()
        value = spatial_texture_loss(fake, picture.clone(), modules(4, 3, 20), form, directions)
        assert value.tolist() == [0.0, 0.0, 0.0]
        value.sum().backward()
        assert fake.grad.isfinite().all()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 9999), st.sampled_from([0, 1]))
def test_the_numbers_of_modules_mean_nothing(seed, form):
    form, directions = FORMS[form]
    fake, real, labels = faces(seed), faces(seed + 1), modules(seed)
    other = torch.from_numpy(np.random.default_rng(seed).permutation(30))[labels]  # with gaps, too
    one, two = (spatial_texture_loss(fake, real, numbers, form, directions) for numbers in (labels, other))
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("form", "directions"), FORMS)
def test_pictures_of_a_batch_do_not_mix(form, directions):
    fake, real, labels = faces(6, 3), faces(7, 3), modules(8, 3)
    together = spatial_texture_loss(fake, real, labels, form, directions)
    alone = [spatial_texture_loss(fake[i : i + 1], real[i : i + 1], labels[i : i + 1], form, directions) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_a_distribution_does_not_see_where_its_pixels_lie():
    """Colours shuffled inside each module: sliced Wasserstein is 0, the moments of colour too, only the gradient tells."""
    real, labels = faces(9, 1, 16), torch.from_numpy(grid_modules(16, 16, 4)).long()[None]
    flat, own, fake = real.flatten(2), labels.flatten(), real.flatten(2).clone()
    for name in range(4):
        places = (own == name).nonzero().flatten()
        fake[..., places] = flat[..., places[torch.randperm(len(places), generator=torch.Generator().manual_seed(name))]]
    fake = fake.view_as(real)
    assert float(spatial_texture_loss(fake, real, labels, *FORMS[1])) < 1e-6
    blurred = real.mean((2, 3), keepdim=True).expand_as(real)
    assert float(spatial_texture_loss(fake, real, labels)) < 0.2 * float(spatial_texture_loss(blurred, real, labels))


def test_a_blurred_face_misses_deviation_and_gradient():
    real = faces(10, 1, 24)
    labels = torch.from_numpy(grid_modules(24, 24, 4)).long()[None]
    blurred = torch.nn.functional.avg_pool2d(real, 5, 1, 2, count_include_pad=False)
    assert float(spatial_texture_loss(blurred, real, labels)) > 0.5
    step = (real * 0.5).requires_grad_()
    before = spatial_texture_loss(step, real, labels).sum()
    before.backward()
    assert float(spatial_texture_loss(step.detach() - 0.5 * step.grad, real, labels)) < float(before.detach())


def test_half_precision_is_raised():
    fake, real, labels = faces(1), faces(2), modules(3)
    value = spatial_texture_loss(fake.bfloat16(), real, labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, spatial_texture_loss(fake.bfloat16().float(), real, labels))


def test_sums_over_modules():
    values, labels = torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[2, 0, 2]])
    assert module_sums(values, labels).tolist() == [[[2.0, 0.0, 5.0]]]


def make_batch(items=2, frames=3, size=16):
    face = faces(20, items * frames, size).view(items, frames, 3, size, size)
    module = modules(21, items * frames, size).view(items, frames, size, size)
    return {"face": faces(22, items * frames, size).view_as(face)}, {"face": face, "module": module}


@pytest.mark.parametrize("form", ["moments", "sliced"])
def test_padded_frames_do_not_count(form):
    outputs, batch = make_batch()
    batch["valid"] = torch.tensor([[1.0, 1, 0], [1, 0, 0]])
    loss = SpatialTextureLoss(distribution=form).eval()
    value = loss(outputs, batch)
    keep = batch["valid"].bool()
    other = {"face": torch.where(keep[..., None, None, None], outputs["face"], 1 - outputs["face"])}
    assert float(loss(other, batch)) == float(value)
    single = [spatial_texture_loss(outputs["face"][i, j][None], batch["face"][i, j][None], batch["module"][i, j][None], form,
                                   loss.fixed_directions) for i, j in keep.nonzero().tolist()]  # fmt: skip
    assert float(value) == pytest.approx(float(torch.cat(single).mean()), rel=1e-5)


def test_where_the_modules_come_from():
    outputs, batch = make_batch(size=24)
    stored, grid = SpatialTextureLoss(), SpatialTextureLoss(9, modules="grid")
    assert stored.needs == ("face", "module") and grid.needs == ("face",)
    blocks = torch.from_numpy(grid_modules(24, 24, 9)).long().expand(2, 3, -1, -1)
    assert float(grid(outputs, {"face": batch["face"]})) == float(stored(outputs, {**batch, "module": blocks}))
    computed = SpatialTextureLoss(9, labels="computed")
    assert computed.needs == ("face",)
    pictures = (batch["face"].flatten(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    labels = torch.from_numpy(np.stack([texture_modules(picture, 9) for picture in pictures])).long().view(2, 3, 24, 24)
    assert float(computed(outputs, {"face": batch["face"]})) == float(stored(outputs, {**batch, "module": labels}))


def test_directions_are_drawn_in_training_and_fixed_in_validation():
    outputs, batch = make_batch()
    loss = SpatialTextureLoss(distribution="sliced", projections=2)
    torch.manual_seed(0)
    first, second = float(loss(outputs, batch)), float(loss(outputs, batch))
    torch.manual_seed(0)
    assert first != second and float(loss(outputs, batch)) == first, "a resumed run draws what an unbroken one draws"
    loss.eval()
    assert float(loss(outputs, batch)) == float(loss(outputs, batch))
    assert not loss.state_dict(), "nothing of it is stored"
    lengths = random_directions(500, torch.Generator().manual_seed(1))
    torch.testing.assert_close(lengths.norm(dim=1), torch.ones(500))
    assert lengths.mean(0).abs().max() < 0.1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"clusters": 0}, "losses.spatial_texture.clusters"),
        ({"clusters": 6.4}, "losses.spatial_texture.clusters"),
        ({"compactness": -1}, "losses.spatial_texture.compactness"),
        ({"modules": "slick"}, "did you mean slic"),
        ({"labels": "computd"}, "did you mean computed"),
        ({"distribution": "moment"}, "did you mean moments"),
        ({"modules": "grid", "labels": "computed"}, "losses.spatial_texture.labels"),
        ({"projections": 0}, "losses.spatial_texture.projections"),
        ({"projections": True}, "losses.spatial_texture.projections"),
        ({"cluster": 64}, "did you mean clusters"),
    ],
)
def test_mistakes_are_refused_by_name(options, word):
    with pytest.raises(InputError, match=word):
        build_criterion({"spatial_texture": {"weight": 0.05, **options}})


def test_the_criterion_knows_it():
    outputs, batch = make_batch()
    criterion = build_criterion({"l1": {"weight": 0.9}, "spatial_texture": {"weight": 0.05, "clusters": 64}})
    assert criterion.needs == ("face", "module")
    total, parts = criterion(outputs, batch)
    assert float(total) == pytest.approx(0.9 * float(parts["l1"]) + 0.05 * float(parts["spatial_texture"]))

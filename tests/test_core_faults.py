"""Faults that showed on GPUs, with half precision or with values that are not finite, each with what must be."""

import math
import pickle

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

from common.errors import InputError
from losses.criterion import Criterion, build_criterion
from losses.reconstruction import L1Loss
from losses.spatial import spatial_texture_loss
from models import build_model
from tests.training_kit import EXPERT, GAN, SMALL, copied, run_of, same, step, stored
from training.engine import Engine
from training.loop import steps_left
from training.run import NotFinite

LATER = {"metric": "val/l1", "below": 1e-9}

# --- weights that were trained on BGR -------------------------------------------------------------------------------------


def test_a_generator_that_begins_from_bgr_weights_gives_rgb_what_they_give_bgr(write_config, tmp_path):
    start = stored(tmp_path / "bgr.safetensors", SMALL, channel_order="bgr")
    torch.manual_seed(7)
    before = build_model(SMALL).eval()
    after = run_of(write_config(), f"train.init={start}").model.eval()
    mel, rgb = torch.rand(2, 1, 80, 16) * 8 - 4, torch.rand(2, 6, 96, 96)
    bgr = rgb.unflatten(1, (2, 3)).flip(2).flatten(1, 2)

    def made(model, faces):
        with torch.no_grad():
            return model.decode(model.encode_audio(mel), model.encode_face(faces))

    assert (made(before, bgr) - made(before, rgb)).abs().max() > 1e-4, "the colours matter to this network"
    torch.testing.assert_close(made(after, rgb), made(before, bgr).flip(1), rtol=0, atol=1e-5)


def test_an_expert_that_begins_from_bgr_weights_judges_rgb(write_config, tmp_path):
    start = stored(tmp_path / "bgr.safetensors", EXPERT, channel_order="bgr")
    torch.manual_seed(7)
    before = build_model(EXPERT).eval()
    path = write_config(model=EXPERT, data={"window": 5}, losses={"sync_classification": {"weight": 1}})
    after = run_of(path, f"train.init={start}").model.eval()
    rgb = torch.rand(2, 15, 48, 96)
    bgr = rgb.unflatten(1, (5, 3)).flip(2).flatten(1, 2)
    with torch.no_grad():
        torch.testing.assert_close(after.embed_faces(rgb), before.embed_faces(bgr), rtol=0, atol=1e-5)
        assert (before.embed_faces(rgb) - before.embed_faces(bgr)).abs().max() > 1e-4


# --- losses in float32 ----------------------------------------------------------------------------------------------------


def test_losses_keep_float32_under_autocast():
    """Equal to the last bit: nothing of them is lowered, whatever is around them."""
    torch.manual_seed(0)
    outputs = {"face": torch.rand(2, 5, 3, 96, 96), "audio_embedding": torch.rand(2, 3, 32),
               "face_embedding": torch.rand(2, 32), "mouth": torch.rand(2, 5, 20, 2) * 96}  # fmt: skip
    outputs["audio_embedding"] /= outputs["audio_embedding"].norm(dim=-1, keepdim=True)
    outputs["face_embedding"] /= outputs["face_embedding"].norm(dim=-1, keepdim=True)
    batch = {"face": torch.rand(2, 5, 3, 96, 96), "module": torch.randint(0, 60, (2, 5, 96, 96)),
             "landmarks": torch.rand(2, 5, 68, 2) * 96, "in_sync": torch.tensor([[1.0, 0, 0], [1, 0, 1]])}  # fmt: skip
    losses = {"l1": {"weight": 1, "gradient": 1}, "laplacian": {"weight": 1}, "sync_classification": {"weight": 1},
              "sync_choice": {"weight": 1}, "landmark_distance": {"weight": 1}, "spatial_texture": {"weight": 1}}  # fmt: skip
    criterion = build_criterion({**losses, "sliced": {"loss": "spatial_texture", "weight": 1, "distribution": "sliced"}}).eval()
    total, parts = criterion(outputs, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        same_total, same_parts = criterion(outputs, batch)
    assert same_total.dtype == torch.float32 and torch.equal(total, same_total)
    assert same(parts, same_parts)


@pytest.mark.parametrize("distribution", ["moments", "sliced"])
def test_the_texture_loss_alone_keeps_float32_under_autocast(distribution):
    torch.manual_seed(0)
    fake, real, labels = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32), torch.randint(0, 9, (2, 32, 32))
    directions = torch.eye(3) if distribution == "sliced" else None
    exact = spatial_texture_loss(fake, real, labels, distribution, directions)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = spatial_texture_loss(fake, real, labels, distribution, directions)
    assert found.dtype == torch.float32 and torch.equal(found, exact)


def test_colours_and_modules_keep_float32_under_autocast():
    from faces.texture_torch import rgb_to_lab, slic

    torch.manual_seed(0)
    faces = torch.rand(1, 3, 48, 48)
    exact, labels = rgb_to_lab(faces), slic(faces, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(rgb_to_lab(faces), exact)
        assert torch.equal(slic(faces, 16), labels)


# --- what the host waits for, and what a step holds -----------------------------------------------------------------------


class Waits(TorchFunctionMode):
    """Counts what brings a value from the device to the host."""

    WORDS = ("tolist", "item", "__bool__", "__float__", "__int__", "__index__", "numpy", "__array__", "cpu")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in self.WORDS:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def test_a_step_waits_for_the_device_once(write_config):
    path = write_config(
        model={**SMALL, "audio_gate": True, "spatial_input": True},
        data={"window": "phoneme", "longest": 3},
        losses={**GAN, "temporal_lip": {"weight": 0.1}, "spatial_texture": {"weight": 0.1}},
        train={"accumulate": 2},
    )
    run = run_of(path)
    batches = next(steps_left(run))
    with Waits() as waits:
        run.learn(batches)
    # AdamW keeps the number of its step on the CPU and reads it there: no device is asked
    seen = [name for name in waits.seen if name != "item"]
    assert seen == ["tolist"], waits.seen


def test_each_batch_of_a_step_is_let_go_before_the_next(write_config):
    run = run_of(write_config(losses=GAN), "train.accumulate=3")
    alive, most = [], []
    move, forward = run.move, run.model.forward

    def moving(batch, *windows):
        most.append(sum(not one.expired() for one in alive))
        fields = move(batch, *windows)
        shipped = {tensor.untyped_storage().data_ptr() for tensor in batch.values()}  # some fields are what was shipped
        new = [tensor.untyped_storage() for tensor in fields.values()]
        alive.extend(StorageWeakRef(one) for one in new if one.data_ptr() not in shipped)
        return fields

    def going(batch):
        made = forward(batch)
        alive.extend(StorageWeakRef(tensor.untyped_storage()) for tensor in made.values())
        return made

    run.move, run.model.forward = moving, going
    step(run)
    assert most == [0, 0, 0] and len(alive) > 6


@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_cudnn_looks_for_the_fastest_kernels_on_a_gpu_alone(monkeypatch, kind):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setattr("training.engine.choose_device", lambda *_, **__: torch.device(kind))
    engine = Engine(kind, "fp32")
    assert torch.backends.cudnn.benchmark == (kind == "cuda") and engine.device.type == kind


# --- losses that are switched off, and values that are not finite ---------------------------------------------------------


def test_losses_that_all_wait_are_refused(write_config):
    with pytest.raises(InputError, match="enable_when"):
        run_of(write_config(losses={"l1": {"weight": 1, "enable_when": {"metric": "val/l1", "below": 0.1}}}))
    with pytest.raises(InputError, match="enable_when"):
        Criterion({"l1": L1Loss()}, {"l1": 1.0}, {"l1": ("val/l1", 0.1)})


def test_an_adversary_that_is_not_finite_stops_the_step_before_it_is_taken(write_config):
    losses = {"l1": {"weight": 1.0}, "adversarial": {"weight": 0.1, "width": 0.25, "enable_when": LATER}}
    run = run_of(write_config(losses=losses), "optim.warmup=0")
    step(run)
    adversary = run.criterion.adversaries()["adversarial"]
    with torch.no_grad():
        next(reversed(list(adversary.parameters()))).fill_(math.nan)
    model, judge = copied(run.model), copied(adversary)
    average = {name: tensor.clone() for name, tensor in run.average.values.items()}
    before = run.state()
    moments = [one["exp_avg"].clone() for one in before["optimizer"]["state"].values()]
    with pytest.raises(NotFinite, match="adversar") as error:
        step(run)
    assert error.value.clips and all(one.grad is None for one in (*run.model.parameters(), *adversary.parameters()))
    learned = {name for name, _ in run.model.named_parameters()}
    assert all(torch.equal(run.model.state_dict()[name], model[name]) for name in learned)
    assert all(torch.equal(run.average.values[name], tensor) for name, tensor in average.items())
    own = {name for name, _ in adversary.named_parameters()}
    assert all(torch.equal(copied(adversary)[name].nan_to_num(), judge[name].nan_to_num()) for name in own)
    assert run.step == 1
    assert all(torch.equal(a, b["exp_avg"]) for a, b in zip(moments, run.state()["optimizer"]["state"].values(), strict=True))


def test_a_gradient_that_is_not_finite_names_the_windows_of_all_processes(write_config):
    run = run_of(write_config())
    run.engine.gather = lambda windows: [windows, [["other/clip", 3]]]
    next(run.model.parameters()).register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(NotFinite, match="gradient") as error:
        step(run)
    assert len(error.value.clips) == 3 and error.value.clips[-1] == ["other/clip", 3]


def test_not_finite_crosses_processes():
    error = pickle.loads(pickle.dumps(NotFinite("step 3: not finite", [["s1/clip", 4]], {"total": 1.0})))
    assert str(error) == "step 3: not finite" and error.clips == [["s1/clip", 4]] and error.parts == {"total": 1.0}

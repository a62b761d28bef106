"""What training once got wrong without a GPU's help: gates and the best weights, names of losses, weights that do not fit."""

import math
from types import SimpleNamespace

import pytest
import torch

from common.errors import InputError
from losses.criterion import build_criterion
from tests.prepared_kit import make_corpus
from tests.training_kit import EXPERT, GAN, SMALL, run_of, small_config, step, stored, write_yaml
from training import loop
from training.best import BestWeights
from training.engine import Engine
from training.loop import steps_left
from training.run import NotFinite
from training.storage.store import Store


def test_the_best_total_is_chosen_once_all_losses_count(write_config, monkeypatch):
    """The total with the new term may never fall below the one without it; a single loss means the same from the start."""
    job = run_of(write_config(losses={"l1": {"weight": 1.0}, "laplacian": {"weight": 1.0, "enable_when": {
        "metric": "val/l1", "below": 0.5}}}))  # fmt: skip
    totals = iter([0.3, 0.9, 1.0, 0.8])
    monkeypatch.setattr(loop, "validate", lambda run: ({"val/total": next(totals), "val/l1": 0.1}, None))
    assert [loop._validate(job, None) for _ in range(4)] == [False, True, False, True]
    job.best = BestWeights("val/l1")
    monkeypatch.setattr(loop, "validate", lambda run: ({"val/l1": 0.1}, None))
    job.criterion.open["laplacian"] = False
    assert [loop._validate(job, None) for _ in range(2)] == [True, False]


def test_a_discriminator_sees_the_output_that_its_loss_sees(write_config):
    losses = {"l1": {"weight": "rest"}, "fool": {"loss": "adversarial", "of": "sharp", "weight": 0.1, "width": 0.25}}
    criterion = build_criterion(losses)
    outputs = {"face": torch.zeros(1, 1, 3, 96, 96), "sharp": torch.ones(1, 1, 3, 96, 96)}
    assert criterion.seen_by("fool", outputs)["face"] is outputs["sharp"] and criterion.seen_by("l1", outputs) is outputs
    job = run_of(write_config(losses=GAN))
    seen = []
    job.criterion.seen_by = lambda name, found: seen.append(name) or found
    step(job)
    assert "adversarial" in seen, "the run shows adversaries what their loss sees"


def test_a_corpus_must_have_the_size_of_the_networks_faces_if_it_sees_any(tmp_path):
    corpus = make_corpus(tmp_path / "corpus", clips=6, frames=16, size=32)
    base = small_config(corpus, tmp_path / "runs", data={"window": 2})
    refiner = {"model": {"name": "lip_refiner"}, "losses": {"l1": {"weight": 1.0}}}
    with pytest.raises(InputError, match="holds faces of 32 pixels, the model takes 192"):
        run_of(write_yaml(tmp_path / "config.yaml", {**base, **refiner}))
    motion = {"model": {"name": "lip_motion", "features": "mel", "width": 8}, "losses": {"lip_opening": {"weight": 1.0}}}
    assert run_of(write_yaml(tmp_path / "config.yaml", {**base, **motion})).corpus.settings["size"] == 32


def test_choosing_among_one_sound_is_refused(write_config):
    path = write_config(model=EXPERT, losses={"sync_choice": {"weight": 1.0}}, data={"window": 5})
    with pytest.raises(InputError, match="data.negatives.sounds to 2 or more"):
        step(run_of(path))
    assert math.isfinite(step(run_of(path, "data.negatives.sounds=2"))["total"])


@pytest.mark.parametrize(("losses", "words"), [
    ({"train": {"loss": "l1", "weight": 1.0}}, "losses.train: cannot be the name"),
    ({"l1": {"weight": 1.0, "enable_when": {}}}, "losses.l1.enable_when"),
    ({"l1": {"weight": 1.0, "enable_when": False}}, "losses.l1.enable_when"),
    ({"l1": {"weight": 1.0, "region": "mouth", "mouth_weight": 0.0}}, "no pixel of the region any weight"),
    ({"lips": {"loss": "l1", "weight": 1.0, "region": "mout"}}, "losses.lips.region"),
    ({"fool": {"loss": "adversarial", "weight": 1.0, "discriminator": "qualty"}}, "losses.fool.discriminator"),
])  # fmt: skip
def test_losses_that_cannot_be_are_refused_by_the_name_that_was_given(losses, words):
    with pytest.raises(InputError, match=words):
        build_criterion(losses)


def test_a_discriminator_without_that_name_is_told(write_config):
    losses = {"l1": {"weight": 1.0}, "fool": {"loss": "adversarial", "width": 0.25, "weight": 0.1, "discriminator": [
        "quality", "conditional"], "optim": {"quality": {"lr": 0.1}, "conditonal": {"lr": 0.1}}}}  # fmt: skip
    with pytest.raises(InputError, match="conditonal.*did you mean conditional"):
        run_of(write_config(losses=losses))


def test_a_grid_needs_no_stored_modules():
    two = {"a": {"loss": "spatial_texture", "weight": 0.1}, "b": {"loss": "spatial_texture", "weight": 0.1, "modules": "grid",
                                                                  "clusters": 16}}  # fmt: skip
    criterion = build_criterion(two)
    assert [set(term.textures()) for term in criterion.terms.values()] == [{"module"}, set()]


def test_a_gradient_that_stays_nan_ends_a_run_in_fp16_too(write_config):
    job = run_of(write_config())
    job.engine.precision = "fp16"
    batch = next(iter(steps_left(job)))
    for _ in range(50):
        job._require_finite({"total": 1.0, "gradient": math.inf}, [torch.ones(())], batch)
    with pytest.raises(NotFinite, match="gradient"):
        job._require_finite({"total": 1.0, "gradient": math.inf}, [torch.ones(())], batch)
    job._require_finite({"total": 1.0, "gradient": 1.0}, [torch.ones(())], batch)
    assert job.passed_over == 0


def test_a_checkpoint_that_does_not_fit_names_the_tensors(write_config, tmp_path):
    start = stored(tmp_path / "wide.safetensors", {**SMALL, "width": 0.5})
    with pytest.raises(InputError, match="does not fit the section model: other shape: face_encoder_blocks"):
        run_of(write_config(), f"train.init={start}")


def test_a_checkpoint_of_other_bytes_is_refused_in_one_line(write_config, tmp_path):
    job = run_of(write_config())
    job.folder.mkdir(parents=True)
    (job.folder / "checkpoint.pt").write_bytes(b"\x80\x02garbage")
    with pytest.raises(InputError, match="cannot resume from it") as error:
        Store(job).load()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("bad", [False, True])
def test_one_loss_scale_serves_the_network_and_its_adversaries(bad):
    """Its update forgets which gradients were unscaled: all optimisers step before it. An overflow costs one of them a step."""
    engine, scaler = Engine("cpu", "fp32"), torch.amp.GradScaler("cpu", init_scale=1024.0)

    def taught(scaled):
        torch.manual_seed(0)
        networks, inputs = [torch.nn.Linear(3, 1) for _ in range(2)], torch.rand(4, 3)
        optimizers = [torch.optim.AdamW(network.parameters(), lr=0.1) for network in networks]
        engine.accelerator = SimpleNamespace(scaler=scaler if scaled else None,
                                             unscale_gradients=scaler.unscale_ if scaled else lambda _: None)  # fmt: skip
        for number in range(3):
            for network in networks:
                loss = network(inputs).square().mean()
                if scaled and bad and number == 1 and network is networks[1]:
                    loss = loss * math.inf
                (scaler.scale(loss) if scaled else loss).backward()
            for optimizer in optimizers:
                engine.clip(optimizer, 1.0)
            engine.step(optimizers)
        return [torch.cat([parameter.detach().flatten() for parameter in network.parameters()]) for network in networks]

    plain, scaled = taught(False), taught(True)
    torch.testing.assert_close(scaled[0], plain[0])
    assert scaler.get_scale() == (512.0 if bad else 1024.0) and scaled[1].isfinite().all()
    assert torch.allclose(scaled[1], plain[1]) != bad

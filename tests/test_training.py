"""Config, losses, and the loop: it learns, stops, and goes on as if it had not stopped."""

import json

import numpy as np
import pytest
import torch

import train as train_script
from common.cli import run
from common.errors import InputError
from losses.criterion import Criterion, build_criterion
from losses.reconstruction import L1Loss, LaplacianLoss
from losses.sync import SyncChoice, SyncClassification, SyncLoss
from models import build_model
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import load_config
from training.engine import choose_precision
from training.loop import steps_left
from training.run import Run
from training.storage.state import Average


def test_overrides_are_typed_and_unknown_keys_refused(write_config):
    path = write_config()
    assert load_config(path, ["optim.lr=3e-4", "train.ema=1"])["optim"]["lr"] == pytest.approx(3e-4)
    with pytest.raises(InputError, match="did you mean optim.lr"):
        load_config(path, ["optim.lrr=1"])
    with pytest.raises(InputError, match="whole number"):
        load_config(path, ["train.batch_size=many"])
    with pytest.raises(InputError, match="key.sub=value"):
        load_config(path, ["train.batch_size"])
    with pytest.raises(InputError, match="schedule"):
        load_config(path, ["optim.schedule=wild"])
    with pytest.raises(InputError, match="train.batch_size"):
        load_config(path, ["train.batch_size=0"])


@pytest.mark.parametrize(
    ("losses", "word"),
    [
        ({}, "at least one"),
        ({"l2": {"weight": 1}}, "did you mean l1"),
        ({"l1": {}}, "losses.l1.weight"),
        ({"l1": {"weight": 1, "mouth_wieght": 2}}, "mouth_weight"),
        ({"l1": {"weight": 1, "enable_when": {"metric": "val/l1"}}}, "enable_when"),
        ({"l1": {"weight": 1}, "sync": {"weight": 1}}, "losses.sync.expert"),
        ({"l1": {"weight": 1}, "sync": {"weight": 1, "expert": "nowhere.safetensors"}}, "nowhere.safetensors"),
        ({"l1": {"weight": 1}, "sync": {"weight": 1, "expert": 5}}, "5: no such file"),
        ({"l1": {"weight": 1}, "landmark_distance": {"weight": 1}}, "mouth, which wav2lip does not give"),
    ],
)
def test_mistakes_in_losses_end_with_code_2(write_config, capsys, losses, word):
    assert run(train_script.main, [str(write_config(losses=losses))]) == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model": {"name": "wav2lip", "face_size": 128}}, "128"),
        ({"model": {"name": "wav2lop"}}, "wav2lop"),
        ({"model": {"name": "disc_quality"}}, "disc_quality"),
        ({"model": {"name": "wav2lip", "widht": 1}}, "width"),
        ({"data": {"corpus": "nowhere"}}, "nowhere"),
        ({"data": {"mask_top": 0.7}}, "mask_top"),
        ({"train": {"device": "cuda:77"}}, "cuda:77"),
        ({"train": {"precision": "fp16", "device": "cpu"}}, "fp16 needs a GPU"),
        ({"name": "../elsewhere"}, "name of a folder"),
        ({"data": {"audio_window": "left"}}, "audio_window"),
        ({"optim": {"betas": [0.9]}}, "list of 2"),
        ({"train": {"best": "val/lone"}}, "no such metric"),
        ({"train": {"wandb": "project"}}, "wandb"),
    ],
)
def test_mistakes_in_config_end_with_code_2(write_config, capsys, changes, word):
    assert run(train_script.main, [str(write_config(**changes))]) == 2
    assert word in capsys.readouterr().err


def test_a_text_that_is_no_config(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("[1, 2")
    assert run(train_script.main, [str(tmp_path / "c.yaml")]) == 2
    assert run(train_script.main, [str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(("computes", "told"), [(True, ""), (False, "note: train.precision: this processor has no bf16")])
def test_bf16_that_a_processor_imitates_is_told(monkeypatch, capsys, computes, told):
    monkeypatch.setattr("common.notes._said", set())
    monkeypatch.setattr("training.engine._computes_bf16", lambda: computes)
    found = [choose_precision(name, torch.device("cpu")) for name in ("bf16", "auto", "fast")]
    assert found == ["bf16", "fp32", "bf16" if computes else "fp32"]
    said = capsys.readouterr().err
    assert said.startswith(told) and bool(said) is not computes


def test_dry_run_writes_nothing(write_config, tmp_path, capsys):
    assert run(train_script.main, [str(write_config()), "--dry_run"]) == 0
    assert "s a step" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


def test_a_run_writes_its_folder_and_its_weights_load(write_config, tmp_path):
    assert run(train_script.main, [str(write_config()), "train.curve=true"]) == 0
    folder = tmp_path / "runs" / "try"
    names = {path.name for path in folder.iterdir()}
    assert names >= {"config.yaml", "log.jsonl", "checkpoint.pt", "last.safetensors", "best.safetensors", "curve.png"}
    snapshots = sorted(path.name for path in (folder / "snapshots").iterdir())
    assert snapshots == ["step-00000002.safetensors", "step-00000004.safetensors"]
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "total" in row] == [1, 2, 3, 4]
    assert [row["step"] for row in rows if "val/l1" in row] == [2, 4]
    checkpoint = load_checkpoint(folder / "last.safetensors", expect="wav2lip")
    assert checkpoint.config["data"] == {
        "crop": "aligned", "pads": [0, 10, 0, 0], "audio_window": "centred", "channel_order": "rgb", "reference": "fixed",
        "mask_top": 0.5, "raw_crops": False,
    }  # fmt: skip
    assert checkpoint.config["training"]["step"] == 4
    assert run(train_script.main, [str(write_config())]) == 0  # nothing left to do, and it says so


def test_state_of_another_network_is_refused(write_config, capsys):
    assert run(train_script.main, [str(write_config()), "train.steps=1"]) == 0
    assert run(train_script.main, [str(write_config()), "model.width=0.5"]) == 2
    assert "checkpoint.pt" in capsys.readouterr().err
    assert run(train_script.main, [str(write_config()), "name=other", "model.width=0.5", "train.init=missing.safetensors"]) == 2


def test_a_run_counts_without_denormal_numbers_and_leaves_them_to_others(write_config, monkeypatch):
    def is_kept():
        return bool(torch.tensor([1e-38]) / 10 > 0)

    kept, learn = [], Run.learn
    monkeypatch.setattr(Run, "learn", lambda *args, **options: (kept.append(is_kept()), learn(*args, **options))[1])
    assert is_kept()
    assert run(train_script.main, [str(write_config()), "train.steps=1"]) == 0
    assert kept == [False] and is_kept()


def test_training_lowers_the_loss(write_config):
    job = Run(load_config(write_config(), ["train.steps=30", "optim.lr=2e-3", "optim.warmup=2"]))
    totals = [job.learn(step)[0]["total"] for step in steps_left(job)]
    assert np.mean(totals[-5:]) < 0.7 * np.mean(totals[:3])


def test_the_expert_learns_and_serves_the_sync_loss(write_config, tmp_path):
    expert = {"name": "syncnet_color", "face_size": 96, "width": 0.25}
    settings = ["data.window=5", "train.batch_size=4", "train.steps=2", "name=expert"]
    path = write_config(model=expert, losses={"sync_classification": {"weight": 1.0}})
    assert run(train_script.main, [str(path), *settings]) == 0
    weights = tmp_path / "runs" / "expert" / "last.safetensors"
    losses = {"l1": {"weight": 1.0}, "sync": {"weight": 0.1, "expert": str(weights)}}
    path = write_config(losses=losses)
    assert run(train_script.main, [str(path), "data.window=5", "train.steps=2"]) == 0
    assert run(train_script.main, [str(path), "data.window=3", "name=b"]) == 2  # the expert judges five frames


def test_sync_loss_is_lowest_for_what_the_expert_believes():
    class Believer(torch.nn.Module):
        """Cosine = mean brightness of the lower half."""

        frames = 5

        def embed(self, mel, faces):
            bright = faces.mean((1, 2, 3)).clamp(0, 1)
            return torch.stack([bright, (1 - bright**2).sqrt()], 1), torch.tensor([[1.0, 0.0]]).expand(len(faces), 2)

    loss = SyncLoss(Believer())
    batch = {"sync_mel": torch.zeros(2, 1, 80, 16)}
    bright, dark = torch.full((2, 5, 3, 8, 8), 0.9), torch.full((2, 5, 3, 8, 8), 0.1)
    assert loss({"face": bright}, batch) < loss({"face": dark}, batch)
    assert float(loss({"face": bright}, batch)) == pytest.approx(0.10536, abs=1e-4)  # -ln 0.9
    longer = torch.cat([bright, dark], 1)  # ten frames: the expert judges the first five
    assert loss({"face": longer}, batch) == loss({"face": bright}, batch)
    padded = {**batch, "valid": torch.tensor([[1.0] * 5, [1.0] * 4 + [0.0]])}
    mixed = torch.cat([bright[:1], dark[1:]])  # the second window has but four frames: it does not count
    assert float(loss({"face": mixed}, padded)) == pytest.approx(0.10536, abs=1e-4)
    faces = dark.clone().requires_grad_()
    loss({"face": faces}, batch).backward()
    assert faces.grad[:, :, :, 4:].abs().sum() > 0 and faces.grad[:, :, :, :4].abs().sum() == 0  # the mouth half alone


def test_the_expert_stays_frozen(write_config):
    model = build_model({"name": "syncnet_color", "width": 0.25})
    loss = SyncLoss(model)
    loss.train()
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    assert not any(module.training for module in loss.expert.modules())


def test_classification_is_ln_2_at_half():
    one = torch.tensor([[[1.0, 0.0]]])
    half = torch.tensor([[0.5, 3**0.5 / 2]])
    loss, _ = SyncClassification()({"audio_embedding": one, "face_embedding": half}, {"in_sync": torch.ones(1, 1)})
    assert float(loss) == pytest.approx(0.6931, abs=1e-3)


def test_many_negatives_count_as_much_as_the_one_own_sound():
    right, wrong = [1.0, 0.0], [0.6, 0.8]
    outputs = {"audio_embedding": torch.tensor([[right, wrong, wrong, wrong]]), "face_embedding": torch.tensor([[0.8, 0.6]])}
    batch = {"in_sync": torch.tensor([[1.0, 0.0, 0.0, 0.0]])}
    expected = 0.5 * (-np.log(0.8) - np.log(1 - 0.96))
    loss, figures = SyncClassification()(outputs, batch)
    assert [float(one) for one in figures["accuracy"]] == [1.0, 4.0]  # the wrong ones fit too well: 0.96 > 1/2
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_choice_is_ln_k_at_chance_and_passes_over_what_is_no_negative():
    sounds = torch.tensor([[[1.0, 0.0]] * 4])
    outputs = {"audio_embedding": sounds, "face_embedding": torch.tensor([[0.8, 0.6]])}
    assert float(SyncChoice()(outputs, {"in_sync": torch.tensor([[1.0, 0, 0, 0]])})[0]) == pytest.approx(np.log(4), rel=1e-5)
    assert float(SyncChoice()(outputs, {"in_sync": torch.tensor([[1.0, 1, 0, 0]])})[0]) == pytest.approx(np.log(3), rel=1e-5)


def test_l1_weights_keep_the_scale():
    outputs, batch = {"face": torch.zeros(1, 1, 3, 96, 96)}, {"face": torch.full((1, 1, 3, 96, 96), 0.5)}
    assert float(L1Loss()(outputs, batch)) == pytest.approx(0.5)
    assert float(L1Loss(mouth_weight=5)(outputs, batch)) == pytest.approx(0.5, abs=1e-5)
    assert float(L1Loss(gradient=1.0)(outputs, batch)) == pytest.approx(0.5)  # flat pictures have no edges
    mouth = batch["face"].clone()
    mouth[..., 60:70, 40:50] = 0
    assert L1Loss(mouth_weight=5)({"face": mouth}, batch) > 2 * L1Loss()({"face": mouth}, batch)


def test_laplacian_sees_detail_that_l1_does_not():
    real = torch.rand(1, 1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    shifted = real + 0.1
    assert float(LaplacianLoss()({"face": real}, {"face": real})) == 0
    assert float(LaplacianLoss(3)({"face": shifted}, {"face": real})) < 0.01 * float(
        L1Loss()({"face": shifted}, {"face": real})
    )


def test_gate_opens_once_and_stays_open():
    config = {"l1": {"weight": 1.0}, "laplacian": {"weight": 1.0, "enable_when": {"metric": "val/l1", "below": 0.1}}}
    criterion = build_criterion(config)
    outputs, batch = {"face": torch.rand(1, 1, 3, 16, 16)}, {"face": torch.rand(1, 1, 3, 16, 16)}
    total, parts = criterion(outputs, batch)
    assert set(parts) == {"l1"} and float(total) == pytest.approx(float(parts["l1"]))
    measured = criterion(outputs, batch, all_terms=True)
    assert set(measured[1]) == {"l1", "laplacian"} and float(measured[0]) == pytest.approx(float(total))
    assert criterion.update_gates({"val/l1": 0.2}) == [] and criterion.update_gates({"val/l1": 0.05}) == ["laplacian"]
    assert criterion.update_gates({"val/l1": 0.5}) == []
    assert set(criterion(outputs, batch)[1]) == {"l1", "laplacian"}


def test_weights_scale_the_total():
    outputs, batch = {"face": torch.zeros(1, 1, 3, 16, 16)}, {"face": torch.ones(1, 1, 3, 16, 16)}
    criterion = Criterion({"l1": L1Loss()}, {"l1": 0.25})
    assert float(criterion(outputs, batch)[0]) == pytest.approx(0.25)


def test_average_follows_the_weights():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    average = Average(model, 0.9)
    torch.nn.init.ones_(model.weight)
    for step in range(1000, 1050):
        average.update(model, step)
    assert float(average.values["weight"]) == pytest.approx(1 - 0.9**50, rel=1e-4)


def test_average_takes_in_the_statistics_of_batch_norms():
    model = torch.nn.BatchNorm2d(1)
    average = Average(model, 0.9)
    model.running_mean.fill_(1.0)
    model.num_batches_tracked.fill_(7)
    average.update(model, 1000)
    assert float(average.values["running_mean"]) == pytest.approx(0.1) and int(average.values["num_batches_tracked"]) == 7


def test_init_begins_from_a_checkpoint(write_config, tmp_path):
    model = build_model({"name": "wav2lip", "face_size": 96, "width": 0.25})
    save_checkpoint(tmp_path / "start.safetensors", model, {"model": {"name": "wav2lip", "face_size": 96, "width": 0.25}})
    job = Run(load_config(write_config(), [f"train.init={tmp_path / 'start.safetensors'}"]))
    for one, two in zip(model.state_dict().values(), job.model.state_dict().values(), strict=True):
        torch.testing.assert_close(one, two)


def test_a_loss_that_is_not_finite_stops_the_run(write_config, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(L1Loss, "forward", lambda self, outputs, batch: outputs["face"].mean() * float("nan"))
    assert run(train_script.main, [str(write_config())]) == 1
    assert "not finite" in capsys.readouterr().err
    told = json.loads((tmp_path / "runs" / "try" / "not_finite.json").read_text())
    assert len(told["windows"]) == 2 and all(clip.startswith(("s1/", "s2/")) for clip, _ in told["windows"])

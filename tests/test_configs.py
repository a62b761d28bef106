"""Every config in configs/: it says how it is run, builds, does a step, and differs from its base in what it says."""

import json
import math
import shutil

import pytest
import torch
import yaml

from benchmarks.ablation_rows import ROWS
from common.errors import InputError
from models import build_model
from tests.conftest import ROOT
from training.checkpoint import save_checkpoint
from training.config import load_config
from training.loop import steps_left
from training.run import Run
from training.validation import validate

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SAID = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in CONFIGS}
VARIANTS = [path for path in CONFIGS if path.read_text(encoding="utf-8").startswith("base:")]
ROOTS = [path for path in CONFIGS if path not in VARIANTS]
EXPERT = {"sync_classification", "sync_choice"}
WAV2LIP = {"l1", "sync"}
STO = {*WAV2LIP, "adversarial", "temporal_lip", "spatial_texture"}
TCSC = {*WAV2LIP, "adversarial", "temporal_lip"}
METHODS = {  # the losses of each config
    **{"expert": EXPERT, "expert_box": EXPERT, "expert_grid": EXPERT, "lip_landmarks": {"landmark_distance"}},
    **{"wav2lip": WAV2LIP, "wav2lip_paper": WAV2LIP, "wav2lip_gan": {*WAV2LIP, "adversarial"}},
    **{"tcsc": TCSC, "tcsc_box": TCSC, "tcsc_no_tc": TCSC - {"temporal_lip"}},
    **dict.fromkeys(("sto", "sto_grid", "sto_literal", "sto_no_gate", "sto_no_sc_input", "sto_quality", "sto_shape", "sto_shuffled"), STO),
    **{"sto_no_sc": STO - {"spatial_texture"}, "sto_no_tc": STO - {"temporal_lip"}},
    **{"ablation_base": {"l1"}, "ablation_small": WAV2LIP, "demo_l1": {"l1"}, "demo": {"l1"}, "demo_sync": WAV2LIP},
    **{"demo_temporal": {"l1", "temporal_lip"}, "demo_spatial": {"l1", "spatial_texture"}},
}  # fmt: skip


def stem(path):
    return path.stem


def leaves(said, above=()):
    """(path of keys, value) of all that is no section."""
    for key, value in said.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def at(config, keys):
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config


@pytest.fixture(scope="session")
def stage(small_corpus, tmp_path_factory):
    """Corpora of both kinds of crop whose AV offsets are known, and an expert and a generator for each: overrides by kind."""
    folder, overrides = tmp_path_factory.mktemp("configs"), {}
    torch.manual_seed(0)
    for crop in ("aligned", "box"):
        corpus = shutil.copytree(small_corpus, folder / crop)
        stored = json.loads((corpus / "corpus.json").read_text())
        stored["settings"]["crop"] = crop
        (corpus / "corpus.json").write_text(json.dumps(stored))
        rows = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
        rows = [{**row, "av_offset": 0.0, "av_confidence": 1.0} for row in rows]
        (corpus / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        weights = {}
        for name in ("syncnet_color", "wav2lip"):
            network = {"name": name, "face_size": 96, "width": 0.25}
            weights[name] = folder / f"{name}-{crop}.safetensors"
            save_checkpoint(weights[name], build_model(network), {"model": network, "data": {"crop": crop}})
        overrides[crop] = {"data.corpus": corpus, "losses.sync.expert": weights["syncnet_color"], "train.init": weights["wav2lip"]}
    return overrides


def lighten(config, stage, runs):
    """Overrides that lay a config over the small corpus, at a quarter of its width."""
    given = stage[config["data"]["crop"] or "aligned"]
    small = {"data.corpus": given["data.corpus"], "data.workers": 0, "train.batch_size": 2, "train.validate_batches": 1,
             "train.device": "cpu", "train.threads": 1, "train.runs": runs}  # fmt: skip
    if "width" in config["model"]:
        small["model.width"] = 0.25
    if "sync" in config["losses"]:
        small["losses.sync.expert"] = given["losses.sync.expert"]
    if config["train"]["init"]:
        small["train.init"] = given["train.init"]
    return [f"{key}={value}" for key, value in small.items()]


def do_a_step(job, losses):
    """Learn from one step; the losses must be those that are expected, finite, and move the network."""
    before = [parameter.detach().clone() for parameter in job.model.parameters()]
    values, _ = job.learn(next(steps_left(job)))
    open_losses = {name for name in losses if job.criterion.open[name]}
    adversaries = {"adversary/adversarial"} if "adversarial" in losses else set()
    assert set(values) == {"total", "gradient"} | open_losses | adversaries
    assert all(math.isfinite(value) for value in values.values()), values
    assert any(not torch.equal(old, new) for old, new in zip(before, job.model.parameters(), strict=True))


def test_every_config_has_its_losses_listed():
    assert set(METHODS) == {path.stem for path in CONFIGS}


@pytest.mark.parametrize("path", CONFIGS, ids=stem)
def test_a_config_builds_validates_and_does_a_step(path, stage, tmp_path):
    job = Run(load_config(path, lighten(load_config(path), stage, tmp_path)))
    losses = METHODS[path.stem]
    assert set(job.criterion.terms) == losses
    do_a_step(job, losses)
    metrics, _ = validate(job)
    assert all(math.isfinite(value) for value in metrics.values()) and job.config["train"]["best"] in metrics
    assert metrics.keys() == {f"{split}/{name}" for split in ("val", "unseen") for name in ("total", *losses)}
    gated = set(job.criterion.gates)
    assert gated == ({"sync"} if path.stem.startswith(("wav2lip", "tcsc", "sto")) else set())
    if gated:  # with its gate open, all weights sum to 1
        assert job.criterion.update_gates({"val/sync": 0.74}) == ["sync"]
        assert sum(job.criterion.weight(name) for name in losses) == pytest.approx(1.0)
    assert not list(tmp_path.iterdir())

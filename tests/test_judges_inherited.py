"""A network was taught by every judge that taught what it began from; its checkpoints say so, also after a resumed run."""

import json

import pytest
import torch

from common.files import content_hash
from models import build_model
from tests.au_kit import SMALL as UNITS
from tests.prepared_kit import make_corpus
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import load_config
from training.parts import build_network, inherited_facts
from training.run import Run
from training.storage.store import Store

SMALL = {"name": "wav2lip", "face_size": 96, "width": 0.25}
JUDGE = {"judge": "expert", "judge_sha256": "a" * 64}


def save(path, section, facts=None):
    torch.manual_seed(0)
    save_checkpoint(path, build_model(section), {"model": section, "data": {}, "training": {"facts": facts or {}}})
    return str(path)


def test_a_run_and_one_that_resumes_it_name_the_judges_of_their_start(tmp_path):
    start = save(tmp_path / "start.safetensors", SMALL, {"sync": JUDGE, "temporal_lip": {"lip_weight": {"a": 1.0}}})
    config = tmp_path / "config.yaml"
    train = {"batch_size": 1, "tensorboard": "off", "curve": False, "device": "cpu", "threads": 1, "init": start}
    train["runs"] = str(tmp_path / "runs")
    config.write_text(json.dumps({
        "name": "try", "model": SMALL, "train": train, "losses": {"l1": {"weight": 1.0}},
        "data": {"corpus": str(make_corpus(tmp_path / "corpus", clips=4, frames=12)), "window": 1, "workers": 0},
    }))  # fmt: skip
    Store(Run(load_config(config))).save()
    resumed = Run(load_config(config))
    Store(resumed).load()
    (tmp_path / "runs" / "try" / "last.safetensors").unlink()
    Store(resumed).save()
    found = load_checkpoint(tmp_path / "runs" / "try" / "last.safetensors")
    assert found.judges == [JUDGE] and found.taught_with == [f"judge expert {'a' * 16}"]


@pytest.mark.parametrize("stage", ["audio", "classifier", "fusion"])
def test_a_start_that_holds_a_judge_is_one_of_them(tmp_path, stage):
    section, begun = {**UNITS, "stage": stage}, []
    path = save(tmp_path / "units.safetensors", section, {"perceptual_units": JUDGE})
    part = {"audio": "audio_to_units", "classifier": "unit_classifier", "fusion": "temporal"}[stage]
    config = {"model": UNITS, "data": {}, "train": {"seed": 0, "freeze": []}}
    build_network(config, torch.device("cpu"), [{"checkpoint": path, "parts": [part]}], begun)
    own = {"judge": "units", "judge_sha256": content_hash(path)}
    assert list(inherited_facts(begun).values()) == [JUDGE] + ([] if stage == "audio" else [own])

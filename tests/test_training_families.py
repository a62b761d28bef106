"""Two processes train every family: equal weights in both, and a checkpoint from which a run goes on to the last bit."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.families_kit import FAMILIES, family_config, make_expert
from tests.training_kit import ENVIRONMENT

MORE = {  # what families do beside their usual step
    "wav2lip_gan": ["train.accumulate=2"],
    "sto": ["train.freeze=[face_encoder]", "optim.parts={audio_gate: {lr: 1.0e-2}, audio_encoder: {lr: 1.0e-5}}"],
    "expert": ["train.freeze=[audio_encoder]"],
}
SCRIPT = """
import copy, hashlib, json, sys

import torch

from training.loop import train
from training.run import Run
from training.store import Store

def digest(run):
    whole = hashlib.sha256()
    for part in (run.model, run.criterion):
        for name, tensor in sorted(part.state_dict().items()):
            whole.update(name.encode() + tensor.contiguous().numpy().tobytes())
    for _, tensor in sorted(run.average.values.items()):
        whole.update(tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()

def run_of(config, name, steps):
    config = copy.deepcopy(config)
    config["name"] = name
    config["train"]["steps"] = steps
    return Run(config)

configs, told = json.load(open(sys.argv[1])), {}
for family, config in configs.items():
    whole = run_of(config, family + "-whole", 3)
    train(whole, lambda _: None)
    train(run_of(config, family + "-parts", 2), lambda _: None)
    rest = run_of(config, family + "-parts", 3)
    begun = Store(rest).load()
    train(rest, lambda _: None)
    told[family] = whole.engine.gather([digest(whole), digest(rest), begun, rest.step])
if whole.engine.first:
    json.dump(told, open(sys.argv[2], "w"))
whole.engine.leave()
"""


@pytest.fixture(scope="module")
def told(small_corpus, tmp_path_factory):
    """What each of two processes says of each family: [[digest, digest of a resumed run, steps at its start, steps], ...]."""
    folder = tmp_path_factory.mktemp("families")
    expert, configs = make_expert(folder), {}
    for name in FAMILIES:
        more = MORE.get(name, [])
        configs[name] = family_config(name, small_corpus, expert, folder / "runs", *more, "train.validate_every=2")
    given, answer, script = folder / "configs.json", folder / "told.json", folder / "two.py"
    given.write_text(json.dumps(configs), encoding="utf-8")
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", script, given, answer]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(answer.read_text())


@pytest.mark.parametrize("name", FAMILIES)
def test_two_processes_hold_equal_weights_and_resume_to_the_last_bit(name, told):
    first, second = told[name]
    assert first == second, "the processes have drifted apart"
    whole, resumed, begun, steps = first
    assert (begun, steps) == (2, 3)
    assert resumed == whole

"""Two processes train every family: equal weights in both, and a checkpoint from which a run goes on to the last bit."""

import json
import math

import pytest

from tests.families_kit import FAMILIES, family_config, make_expert
from tests.forks_kit import run_ranks

pytestmark = pytest.mark.slow

ALIKE = {"wav2lip", "expert_classic", "tcsc", "sto_other", "demo", "lip_landmarks"}  # less of the same than others
TRIED = [name for name in FAMILIES if name not in ALIKE]
MORE = {  # what families do beside their usual step
    "wav2lip_gan": ["train.accumulate=2"],
    "sto": ["train.freeze=[face_encoder]", "optim.parts={audio_gate: {lr: 1.0e-2}, audio_encoder: {lr: 1.0e-5}}"],
    "expert": ["train.freeze=[audio_encoder]"],
}
SCRIPT = """
import hashlib, json, sys

import torch

import models.au.diffusion
from training.loop import steps_left
from training.run import Run
from training.storage.store import Store
from training.validation import validate

models.au.diffusion.SHOWN_STEPS = 1

def digest(run):
    whole = hashlib.sha256()
    for part in (run.model, run.criterion):
        for name, tensor in sorted(part.state_dict().items()):
            whole.update(name.encode() + tensor.contiguous().numpy().tobytes())
    for _, tensor in sorted(run.average.values.items()):
        whole.update(tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()

def learn(run, steps):
    for _, batches in zip(range(steps), steps_left(run)):
        values, _ = run.learn(batches)
    return values

configs, told = json.load(open(sys.argv[1])), {}
for family, config in configs.items():
    whole = Run(config)
    learn(whole, 1)
    Store(whole).save()
    values = [learn(whole, 1)]
    rest = Run(config)
    begun = Store(rest).load()
    values.append(learn(rest, 1))
    told[family] = whole.engine.gather([digest(whole), digest(rest), begun, rest.step, values, validate(whole)[0]])
told["draws"] = whole.engine.gather(float(torch.rand(())))
if whole.engine.first:
    json.dump(told, open(sys.argv[2], "w"))
whole.engine.leave()
"""


@pytest.fixture(scope="module")
def told(small_corpus, tmp_path_factory):
    """What each of two processes says of each family after two steps of one run, the second one done again after a resume."""
    folder = tmp_path_factory.mktemp("families")
    expert, configs = make_expert(folder), {}
    for name in TRIED:
        more = MORE.get(name, [])
        configs[name] = family_config(name, small_corpus, expert, folder / "runs", *more)
    given, answer, script = folder / "configs.json", folder / "told.json", folder / "two.py"
    given.write_text(json.dumps(configs), encoding="utf-8")
    script.write_text(SCRIPT, encoding="utf-8")
    run_ranks(script, given, answer, seconds=280)
    return json.loads(answer.read_text())


@pytest.mark.parametrize("name", TRIED)
def test_two_processes_hold_equal_weights_and_resume_to_the_last_bit(name, told):
    first, second = told[name]
    assert first == second, "the processes have drifted apart"
    whole, resumed, begun, steps, (values, again), metrics = first
    assert (begun, steps) == (1, 2)
    assert resumed == whole and again == values
    assert all(math.isfinite(value) for value in (*values.values(), *metrics.values())) and len(metrics) >= 4


def test_the_processes_draw_different_noise(told):
    assert len(set(told["draws"])) == 2

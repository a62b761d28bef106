"""Several processes learn what one with a larger batch learns; gradients may be summed over batches."""

import json
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from models import build_model
from tests.conftest import ROOT
from tests.forks_kit import run_ranks
from tests.prepared_kit import make_corpus
from tests.training_kit import launch_training, small_config, write_yaml
from training.checkpoint import load_checkpoint
from training.config import load_config
from training.loop import steps_left, train
from training.run import Run

pytestmark = pytest.mark.slow

ADVERSARIAL = {
    "l1": {"weight": "rest"},
    "adversarial": {"weight": 0.07, "discriminator": "conditional", "width": 0.25},
}


COMPARE = """
import json, pathlib, sys

import torch
import torch.distributed as dist
from models import build_model
from training.batch_norm import share_batch_norm

dist.init_process_group("gloo")
torch.set_num_threads(1)
rank = dist.get_rank()

def gradient(module, wrapped, part):
    masked, reference = faces[part, None].chunk(2, 2)
    made = wrapped({"mel": mel[part, None], "masked_face": masked, "reference_face": reference})["face"][:, 0]
    (made - real[part]).abs().mean().backward()
    return torch.cat([parameter.grad.flatten() for parameter in module.parameters()])

torch.manual_seed(0)
mel, faces, real = (torch.rand(4, *shape).double() for shape in ((1, 80, 16), (6, 96, 96), (3, 96, 96)))
networks = [build_model({"name": "wav2lip", "width": 0.25}).double() for _ in range(2)]
start = {name: value.clone() for name, value in networks[0].state_dict().items()}
networks[1].load_state_dict(start)
whole = gradient(networks[0], networks[0], slice(0, 4))
share_batch_norm(networks[1], torch.device("cpu"))
shared = gradient(networks[1], torch.nn.parallel.DistributedDataParallel(networks[1]), slice(2 * rank, 2 * rank + 2))
for name, value in networks[0].state_dict().items():
    torch.testing.assert_close(networks[1].state_dict()[name], value)
alone = build_model({"name": "wav2lip", "width": 0.25}).double()
alone.load_state_dict(start)
apart = gradient(alone, torch.nn.parallel.DistributedDataParallel(alone), slice(2 * rank, 2 * rank + 2))
if rank == 0:
    told = float((whole - shared).norm()), float((whole - apart).norm()), float(whole.norm())
    pathlib.Path(sys.argv[1]).write_text(json.dumps(told))
dist.destroy_process_group()
"""


def rows_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_two_processes_equal_one_with_twice_the_batch(write_config, tmp_path):
    """Low rates: Adam makes a full step of gradients that are rounding alone."""
    path = write_config(losses=ADVERSARIAL, adversary={"lr": 1e-6}, train={"steps": 6, "validate_every": 3, "batch_size": 4})
    train(Run(load_config(path, ["name=one"])), print)
    output = run_ranks(ROOT / "train.py", path, "name=two", "train.batch_size=2", "train.validate_batches=2")
    assert output.count("weights:") == 1
    one, two = (rows_of(tmp_path / "runs" / name) for name in ("one", "two"))
    assert len(one) == len(two) == 8
    for mine, theirs in zip(one, two, strict=True):
        # not the norms of gradients: the order of the clips alone moves them by a tenth, see the test in float64
        names = [name for name in mine if name.rpartition("/")[2] in ("total", "l1", "adversarial") and "gradient" not in name]
        assert len(names) >= 4
        for name in names:
            assert theirs[name] == pytest.approx(mine[name], rel=3e-3, abs=1e-6), (mine["step"], name)


UNREACHED = {"name": "davs", "stage": "words", "face_size": 64, "width": 0.125, "words": 2, "speech_frames": 1,
             "drawn_frames": 1}  # fmt: skip


def test_parameters_that_no_loss_reaches_stop_no_process(tmp_path):
    """Landmarks alone at first; then a gate opens, and sound is reached, too. The lips' own layers are reached by neither."""
    losses = {"landmark_heatmaps": {"weight": 1.0},
              "words": {"loss": "word_classification", "drives": "audio", "weight": 1.0,
                        "enable_when": {"metric": "val/landmark_heatmaps", "below": 1000000}}}  # fmt: skip
    train_ = {"steps": 4, "validate_every": 2, "batch_size": 1}
    config = small_config(make_corpus(tmp_path / "corpus", size=64), tmp_path / "runs", model=UNREACHED, losses=losses,
                          train=train_, optim={"weight_decay": 0.1, "warmup": 0})  # fmt: skip
    run_ranks(ROOT / "train.py", write_yaml(tmp_path / "unreached.yaml", config))
    assert ["words" in row for row in rows_of(tmp_path / "runs" / "try") if "total" in row] == [False, False, True, True]
    torch.manual_seed(0)
    fresh, found = build_model(UNREACHED), load_checkpoint(tmp_path / "runs" / "try" / "last.safetensors").model
    moved = {name: not torch.equal(value, fresh.state_dict()[name]) for name, value in found.named_parameters()}
    assert not any(moved[name] for name in ("video_encoder.fc.weight", "video_encoder.conv6.weight"))
    assert moved["audio_encoder.fc.weight"] and moved["word_classifier.fc_1.weight"] and moved["video_encoder.model.l0.weight"]


FIRST_STEPS = """
import torch
from training.engine import Engine
from training.learner import Learner

engine = Engine("cpu", "fp32")
module = torch.nn.ModuleDict({name: torch.nn.Linear(1, 1, bias=False) for name in "abc"})
module.forward = lambda names: sum(module[name].weight.sum() for name in names)
learner = Learner(engine, module, [{"params": list(module.parameters()), "lr": 0.0}], {"clip": 0, "warmup": 0})

def step(names):
    (learner.network(names) * (engine.rank + 1)).backward()
    learner.clip()
    told = [None if one.grad is None else float(one.grad) for one in module.parameters()]
    engine.step([learner.optimizer])
    learner.step_done()
    return told

told = [step("ab" if engine.rank else "a"), step("ab"), step("ab")]
learner.find_anew()
told += [step("abc"), step("abc")]
assert engine.gather(told) == [told, told], told
assert told == [[1.5, 1.0, None], [1.5, 1.5, None], [1.5, 1.5, None], [1.5] * 3, [1.5] * 3], told
engine.leave()
"""


def test_first_steps_average_gradients_and_find_out_which_there_are(tmp_path):
    script = tmp_path / "first.py"
    script.write_text(FIRST_STEPS, encoding="utf-8")
    run_ranks(script)


def test_gradients_over_two_processes_are_those_of_one(tmp_path):
    """In float64: float32's rounding grows to a per cent in the batch norms of four single pixels at the network's bottom."""
    script = tmp_path / "compare.py"
    script.write_text(COMPARE, encoding="utf-8")
    run_ranks(script, tmp_path / "told.json")
    with_shared_statistics, with_own_ones, size = json.loads((tmp_path / "told.json").read_text())
    assert with_shared_statistics < 1e-9 * size
    assert with_own_ones > 0.01 * size


def test_a_signal_stops_all_processes_with_one_checkpoint(write_config, tmp_path):
    path = write_config(train={"steps": 5000, "validate_every": 5000, "checkpoint_every": 5000})
    with launch_training(path) as process:
        for line in process.stdout:
            if line.startswith("step 2 "):
                break
        process.terminate()
        process.stdout.read()
        process.wait(60)
    assert (tmp_path / "runs" / "try" / "checkpoint.pt").is_file()


def test_summed_gradients_are_those_of_the_larger_batch(write_config):
    """With batch statistics out of the way: they are of each batch alone."""
    norms = []
    for overrides in (["train.batch_size=4"], ["train.batch_size=2", "train.accumulate=2"]):
        job = Run(load_config(write_config(), ["optim.clip=0", *overrides]))
        for module in job.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum, module.forward = 0.0, partial(as_in_evaluation, module)
        values, _ = job.learn(next(steps_left(job)))
        norms.append((values["total"], values["gradient"]))
    assert norms[1] == pytest.approx(norms[0], rel=1e-4)


def as_in_evaluation(module, x):
    """Batch norm with its stored statistics."""
    return F.batch_norm(x, module.running_mean, module.running_var, module.weight, module.bias, False, 0.0, module.eps)

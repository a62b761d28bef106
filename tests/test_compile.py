"""torch.compile: one graph for the generator with gate and modules, whatever the labels, and for each loss.

The adversarial loss is left out: it takes its discriminator's weights without their gradient, which is a call of its own.
"""

import pytest
import torch
import torch._dynamo
from torch._dynamo.testing import CompileCounter

from losses.criterion import build_criterion
from models import build_model
from models.spatial_input import module_maps
from tests.families_kit import family_run, make_expert
from tests.losses_kit import TERMS, fields_and_outputs, setting_of
from training.loop import steps_left


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def batch_of(greatest, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def rand(*size):
        return torch.rand(size, generator=generator)

    modules = torch.randint(0, greatest, (2, 3, 96, 96), generator=generator)
    return {"masked_face": rand(2, 3, 3, 96, 96), "reference_face": rand(2, 3, 3, 96, 96), "mel": rand(2, 3, 1, 80, 16),
            "phoneme": torch.randint(0, 40, (2, 3), generator=generator), "reference_module": modules}  # fmt: skip


def test_the_generator_with_gate_and_modules_is_one_graph_for_all_batches():
    model = build_model({"name": "wav2lip", "width": 0.25, "audio_gate": True, "spatial_input": True})
    model.configure({"texture": {"clusters": 64, "compactness": 10}})
    counter = CompileCounter()
    compiled = torch.compile(model, backend=counter, fullgraph=True)  # a break of the graph is an error
    for number, greatest in enumerate((7, 64, 91, 30, 120)):
        compiled(batch_of(greatest, number))["face"].mean().backward()
    assert counter.frame_count == 1, "compiled anew for other labels"


@pytest.mark.slow
def test_a_run_compiles_its_network_once(small_corpus, tmp_path):
    run = family_run("sto", small_corpus, make_expert(tmp_path), tmp_path, "train.precision=bf16", "train.steps=3")
    counter = CompileCounter()
    run.model.compile(backend=counter, fullgraph=True)
    for batches in steps_left(run):
        run.learn(batches)
    assert counter.frame_count == 1


def test_modules_of_a_picture_need_no_value():
    counter = CompileCounter()
    compiled = torch.compile(module_maps, backend=counter, fullgraph=True)
    pictures = torch.rand(2, 3, 16, 16)
    for greatest in (3, 9, 20):
        labels = torch.randint(0, greatest, (2, 16, 16))
        for found, wanted in zip(compiled(pictures, labels, 32), module_maps(pictures, labels), strict=True):
            torch.testing.assert_close(found, wanted)
    assert counter.frame_count == 1


@pytest.mark.parametrize("name", [name for name in TERMS if name != "adversarial"])
def test_a_loss_is_one_graph(name):
    criterion = build_criterion({name: {"weight": 1.0, **TERMS[name]}}, setting_of(name))
    term, counter = criterion.terms[name], CompileCounter()
    compiled = torch.compile(term, backend=counter, fullgraph=True)
    for _ in range(2):
        batch, outputs = fields_and_outputs()
        outputs = {key: value.detach().requires_grad_(value.is_floating_point()) for key, value in outputs.items()}
        compiled(outputs, batch)
    assert counter.frame_count == 1

"""No step reaches an operation that CUDA's autocast refuses. Which those are is asked of torch itself; no GPU is needed.

CUDA's autocast is a set of kernels under the dispatch key AutocastCUDA, registered in every build. Most lower or raise the
precision of their inputs; some only raise an error ("unsafe to autocast", aten/src/ATen/autocast_mode.cpp).
"""

import warnings

import pytest
import torch
import torch.nn.functional as F

from tests.fake_cuda_kit import CUDA, Record, fake_gpu
from tests.families_kit import FAMILIES, family_run, make_expert
from training.loop import steps_left
from training.validation import validate


def operations_with_a_kernel():
    """Full names of all operations that have a kernel of their own under CUDA's autocast."""
    names = torch._C._dispatch_get_all_op_names()
    return [name for name in names if torch._C._dispatch_has_kernel_for_dispatch_key(name, "AutocastCUDA")]


def refused():
    """Names of the operations that CUDA's autocast refuses: each is called with tensors, and what it says is looked at."""
    found = set()
    with fake_gpu(), torch.autocast("cuda", dtype=torch.float16), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in operations_with_a_kernel():
            space, _, rest = name.partition("::")
            packet, _, overload = rest.partition(".")
            try:
                operation = getattr(getattr(getattr(torch.ops, space), packet), overload or "default")
                arguments = [a_value(one.type) for one in operation._schema.arguments if not one.has_default_value()]
                operation(*arguments)
            except Exception as error:  # made-up arguments are wrong for most; only this one refusal counts
                if "unsafe to autocast" in str(error):
                    found.add(packet)
    return found


def a_value(kind):
    """Something of the type of an operation's argument."""
    name = str(kind)
    one = torch.full((2, 2), 0.5, device=CUDA)
    for word, value in {"List[Tensor]": [one], "Optional[Tensor]": one, "Tensor": one, "List[int]": [1], "int": 1, "float": 0.5,
                        "number": 0.5, "bool": False, "str": "mean"}.items():  # fmt: skip
        if name == word:
            return value
    return None


@pytest.fixture(scope="module")
def refusals():
    return refused()


@pytest.fixture(scope="session")
def expert(tmp_path_factory):
    return make_expert(tmp_path_factory.mktemp("expert"))


def test_torch_says_which_operations_are_refused(refusals):
    assert len(operations_with_a_kernel()) > 50
    assert "binary_cross_entropy" in refusals
    assert refusals <= {"binary_cross_entropy"}, "new ones: they are looked for below"


def test_the_record_sees_a_refused_operation(refusals):
    with Record() as record:
        F.binary_cross_entropy(torch.rand(3), torch.rand(3))
        torch.nn.BCELoss()(torch.rand(3), torch.rand(3))
    assert record.names & refusals


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_no_step_and_no_validation_reaches_a_refused_operation(name, refusals, small_corpus, expert, tmp_path, one_step):
    run = family_run(name, small_corpus, expert, tmp_path, "train.precision=bf16")
    (batches,) = [batches for batches, _ in zip(steps_left(run), range(1), strict=False)]
    with Record() as record:
        run.learn(batches)
        validate(run)
    assert record.names & {"convolution", "mkldnn_convolution"}, "the record is broken"
    assert not record.names & refusals

"""Every exception of the project can go from one process to another: pickle makes it again from its arguments."""

import ast
import builtins
import pickle

import pytest

from common.errors import InputError
from tests.test_architecture import SOURCES
from training.run import NotFinite
from training.storage.state import StorageError

SAMPLES = {  # those with an __init__ of their own
    "StorageError": lambda: StorageError("runs/a/checkpoint.pt", OSError(28, "No space left on device")),
    "NotFinite": lambda: NotFinite("step 7: the loss is not finite (l1)", [["s1/a", 3]], {"l1": float("inf")}),
}


def exceptions():
    """(name, whether it has an __init__ of its own) of every exception class of the rooms."""
    bases = {name for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, BaseException)}
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    found, before = {}, None
    while found != before:  # one may stand on another
        before = dict(found)
        for node in nodes:
            if any(ast.unparse(base).rpartition(".")[2] in bases | found.keys() for base in node.bases):
                found[node.name] = any(isinstance(part, ast.FunctionDef) and part.name == "__init__" for part in node.body)
    return found


def test_every_exception_with_an_init_of_its_own_is_tried():
    found = exceptions()
    assert {"InputError", "StorageError", "NotFinite"} <= found.keys()
    assert {name for name, own in found.items() if own} == SAMPLES.keys()


@pytest.mark.parametrize("name", [*SAMPLES, "InputError"])
def test_an_exception_comes_back_as_it_was(name):
    sent = SAMPLES.get(name, lambda: InputError("train.seed: -1 must be a whole number"))()
    come = pickle.loads(pickle.dumps(sent))
    assert type(come) is type(sent) and str(come) == str(sent) and come.args == sent.args
    assert vars(come) == vars(sent)

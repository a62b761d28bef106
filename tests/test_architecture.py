"""The rules of docs/architecture.md that a machine can check: who imports whom, and how light `train.py` is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {
    "talking_faces": 5,
    **dict.fromkeys(("pipeline", "training", "metrics"), 4),
    **dict.fromkeys(("losses", "models", "datasets"), 3),
    **dict.fromkeys(("speech", "faces", "media"), 2),
    "common": 1,
}
OUTSIDE = {"tests", "benchmarks", "samples", "tools"}  # they may import any room, and no room imports them
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
SCRIPTS = sorted(ROOT.glob("*.py"))
HEAVY = {"av", "cv2", "mediapipe", "librosa", "soundfile", "soxr", "skimage", "face_alignment", "torchvision", "torchaudio"}
FILE_CALLS = {"open", "torch.load", "torch.save", "np.load", "np.save", "load_file", "save_file", "safe_open"}
LIGHT = {"torch", "numpy", "yaml", "tqdm", "safetensors", "accelerate"}
OPTIONAL = {"matplotlib", "PIL", "wandb", "tensorboard", "diffusers"}  # used where it is there; tensorboard by way of torch


def name_of(path):
    return str(path.relative_to(ROOT))


def imported(tree, *, nested=True):
    """Dotted names that a module imports; `nested=False` leaves out what its functions import when they are called."""
    found, todo = set(), [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import; the project writes them out"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif nested or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return found


def tops(names):
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_rooms_import_downwards_only(path):
    room = path.relative_to(ROOT).parts[0]
    for other in tops(imported(ast.parse(path.read_text()))):
        assert ROOMS.get(other, 0) <= ROOMS[room], f"{name_of(path)}: {room}/ must not import {other}/"
        hidden = OUTSIDE if room == "talking_faces" else OUTSIDE | {script.stem for script in SCRIPTS}
        assert other not in hidden, f"{name_of(path)}: a room must not import {other}"


def test_speech_imports_in_no_circle():
    """Imports inside functions count: a backend knows what all backends share, which knows no backend."""
    todo = {path for path in SOURCES if path.relative_to(ROOT).parts[0] == "speech"}
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in todo}
    needs = {path: {named.get(name) for name in imported(ast.parse(path.read_text()))} & todo for path in todo}
    assert sum(map(len, needs.values())) > 40
    while free := {path for path in todo if not needs[path] & todo}:
        todo -= free
    assert not todo, f"a circle of imports: {', '.join(sorted(map(name_of, todo)))}"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parts[len(ROOT.parts)] in ("models", "losses")], ids=name_of)
def test_networks_and_losses_open_no_file(path):
    tree = ast.parse(path.read_text())
    assert not tops(imported(tree)) & HEAVY
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in FILE_CALLS, f"{name_of(path)}:{node.lineno}: {called}()"
            ending = called.rpartition(".")[2]
            assert ending not in ("read_text", "read_bytes", "write_text", "write_bytes"), f"{name_of(path)}: {called}()"


def test_modules_that_functions_import_exist():
    """An import inside a function fails only when the function is called."""
    others = [path for room in OUTSIDE - {"tests"} for path in (ROOT / room).rglob("*.py")]
    for path in (*SOURCES, *SCRIPTS, *others):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                if name.partition(".")[0] in {*ROOMS, *OUTSIDE}:
                    module = ROOT.joinpath(*name.split("."))
                    assert module.is_dir() or module.with_suffix(".py").is_file(), f"{name_of(path)}:{node.lineno}: {name}"


@pytest.mark.parametrize("path", SOURCES + SCRIPTS, ids=name_of)
def test_no_shell_no_bare_except_no_device_by_name(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{name_of(path)}:{node.lineno}: bare except"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("os.system", "os.popen"), f"{name_of(path)}:{node.lineno}: {called}"
            assert not called.endswith(".cuda") or "torch.cuda" in called, f"{name_of(path)}:{node.lineno}: {called}()"
            for keyword in node.keywords:
                assert keyword.arg != "shell", f"{name_of(path)}:{node.lineno}: a shell"


def local_files(name):
    """Files that run when `name` is imported, the packages above it included; empty for what is not ours."""
    parts = name.split(".")
    files = [ROOT.joinpath(*parts[:end], "__init__.py") for end in range(1, len(parts) + 1)]
    files.append(ROOT.joinpath(*parts).with_suffix(".py"))
    return [path for path in files if path.is_file()]


def reach_of(script):
    """What `script` can come to import, when it starts or later, found by reading.

    The functions of speech/, faces/ and media/ are left out: training calls those of them that work on arrays.

    Returns:
        (our own files, top names of other packages), two sets.
    """
    seen, todo, packages = set(), [script], set()
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        nested = ROOMS.get(path.relative_to(ROOT).parts[0]) != 2
        for name in imported(ast.parse(path.read_text()), nested=nested):
            todo += local_files(name)
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and not (ROOT / top).is_dir() and not (ROOT / f"{top}.py").is_file():
                packages.add(top)
    return seen, packages


WALLED = """
import importlib, runpy, sys
class Wall:  # around the finders, so that who looks for a blocked package finds none, just as where it is not installed
    def __init__(self, finders):
        self.finders = finders
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            return None
        found = (finder.find_spec(name, path, target) for finder in self.finders)
        return next((spec for spec in found if spec), None)
    def find_distributions(self, *context):
        for finder in self.finders:
            yield from getattr(finder, "find_distributions", lambda *_: ())(*context)
sys.meta_path[:] = [Wall(list(sys.meta_path))]
for name in {modules!r}:
    importlib.import_module(name)
sys.argv = ["train.py", "--help"]
runpy.run_path("train.py", run_name="__main__")
"""


def test_training_reaches_light_packages_only():
    assert reach_of(ROOT / "train.py")[1] <= LIGHT | OPTIONAL


def test_training_starts_where_the_media_packages_are_missing():
    files = reach_of(ROOT / "train.py")[0] - {ROOT / "train.py"}
    modules = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files)
    code = WALLED.format(blocked=HEAVY | OPTIONAL | {"scipy", "jax"}, modules=modules)
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "usage" in result.stdout.lower()

"""The installable package: its tree, its wheel, and the Python interface of docs/api.md."""

import ast
import os
import re
import subprocess
import sys
import zipfile
from functools import cache

import numpy as np
import pytest
import soundfile
from PIL import Image

import talking_faces
from samples.make_face_video import astronaut
from tests.conftest import ROOT
from tests.test_setup import committed_files
from tools import package_tree
from tools.package_tree import NAME, UnclearImport, rewritten

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), flags=re.S)
BUILD = """
import sys
sys.path.insert(0, "tools")
import build_backend
build_backend.build_wheel(sys.argv[1], {"--build-option": "--compression=stored"})  # 18 MB of weights do not compress
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, as pip makes it, but with the setuptools that is here."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run([sys.executable, "-c", BUILD, folder], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def tree(wheel):
    """`talking_faces` as it lies in site-packages."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(wheel.parent / "site")
    return wheel.parent / "site" / NAME


@pytest.fixture
def face_and_sound(tmp_path):
    """A folder with face.png, 256x256, and speech.wav, 0.32 s: what the examples drive."""
    Image.fromarray(astronaut()).resize((256, 256)).save(tmp_path / "face.png")
    sound, rate = soundfile.read(ROOT / "samples" / "speech.wav", frames=16000 * 32 // 100, start=16000)
    soundfile.write(tmp_path / "speech.wav", sound, rate)
    return tmp_path


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path):
    """(line, dotted name of a module, names that are taken from it) of what a module imports, also inside functions."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module, [alias.name for alias in node.names]


@cache
def bound(path):
    """Names that a module has at its top, found by reading; None where it finds names when they are asked for."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return None if "__getattr__" in names else names


def test_every_folder_and_script_is_packaged_or_left_out():
    tops = {path.relative_to(ROOT).parts[0] for path in committed_files()}
    folders = {top for top in tops if (ROOT / top).is_dir() and not top.startswith(".")}
    assert folders == {NAME, *package_tree.ROOMS, *package_tree.DATA, *package_tree.LEFT_OUT}
    assert {top for top in tops if top.endswith(".py")} == {f"{script}.py" for script in package_tree.SCRIPTS}


def test_the_tree_imports_nothing_of_ours_but_below_its_name(tree):
    files = sorted(tree.rglob("*.py"))
    assert len(files) > 200
    for path in files:
        for line, name, taken in imports(path):
            top, _, rest = name.partition(".")
            assert top not in package_tree.OURS and top not in package_tree.LEFT_OUT, f"{path}:{line}: {name}"
            if top == NAME and rest:
                place = tree.joinpath(*rest.split("."))
                module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
                assert module.is_file(), f"{path}:{line}: {name}: no such module"
                for one in taken:
                    inside = place.is_dir() and ((place / one).is_dir() or (place / f"{one}.py").is_file())
                    assert inside or bound(module) is None or one in bound(module), f"{path}:{line}: {name} has no {one}"


def test_the_tree_works_where_the_checkout_is_not_seen(tree, face_and_sound):
    code = f"""
import sys
from talking_faces import CHECKPOINTS, CONFIGS, InputError, Talker
from talking_faces.training.config import load_config
assert load_config("configs/demo_l1.yaml")["name"] == "demo_l1", "found in the package"
assert str(CHECKPOINTS).startswith({str(tree)!r}) and (CONFIGS / "sto.yaml").is_file()
talker = Talker(cache=False)
try:
    talker.drive("nobody.png", "speech.wav", "made.mp4")
except InputError as error:
    assert "nobody.png" in str(error)
print(talker.drive("face.png", "speech.wav", "made.mp4").frames)
assert not {package_tree.OURS!r} & set(sys.modules), "a room lies at the top"
"""
    done = run_installed(tree, [code], face_and_sound)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "8" and (face_and_sound / "made.mp4").is_file()


def run_installed(tree, arguments, folder):
    """What `python -c` says in `folder`, where the package is installed and the checkout is not seen."""
    environment = {**os.environ, "PYTHONPATH": str(tree.parent), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_a_command_of_the_package_is_the_script(tree, tmp_path):
    code = "from talking_faces.commands import inference; inference()"
    done = run_installed(tree, [code, "--nonsense"], tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "python -m talking_faces.inference" in done.stderr


def test_the_wheel_takes_one_name_in_site_packages_and_holds_no_tests(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (commands,) = (archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert {name.split("/")[0].split("-")[0] for name in names} == {NAME}
    assert not [name for name in names if "/tests/" in name or "test_" in name]
    for path in [*ROOT.glob("checkpoints/*.safetensors"), ROOT / "faces" / "lip_space.npz", ROOT / "samples" / "speech.wav"]:
        assert f"{NAME}/{path.relative_to(ROOT)}" in names
    functions = dict(re.findall(r"^([\w-]+) = talking_faces\.commands:(\w+)$", commands, flags=re.M))
    assert "talking-faces" in functions
    body = ast.parse((ROOT / NAME / "commands.py").read_text()).body
    assert set(functions.values()) == {node.name for node in body if isinstance(node, ast.FunctionDef)} - {"_run"}


def test_the_source_distribution_is_told_to_hold_all_that_the_wheel_needs():
    told = (ROOT / "MANIFEST.in").read_text().split("\n")
    assert {line.removeprefix("graft ") for line in told if line.startswith("graft ")} == {
        NAME, *package_tree.ROOMS, *package_tree.DATA}  # fmt: skip
    assert "prune tests" in told


@pytest.mark.parametrize(("source", "expected"), [
    ("from models.x import y\n", "from talking_faces.models.x import y\n"),
    ("    # ö\nfrom  faces import (\n    crops,\n)\n", "    # ö\nfrom  talking_faces.faces import (\n    crops,\n)\n"),
    ("import common\n", "import talking_faces.common as common\n"),
    ("x = 'ö'; import os, media.info as i\n", "x = 'ö'; import os, talking_faces.media.info as i\n"),
    ("def f():\n    from train import main\n", "def f():\n    from talking_faces.train import main\n"),
    ("from .x import y\nfrom modelsx import z\nmodels = 1\n", "from .x import y\nfrom modelsx import z\nmodels = 1\n"),
    ('say = f"python prepare.py --out {x}"\n', 'say = f"python -m talking_faces.prepare --out {x}"\n'),
    ('say = "python -m training.logging.curve R"\n', 'say = "python -m talking_faces.training.logging.curve R"\n'),
])  # fmt: skip
def test_imports_and_commands_are_rewritten(source, expected):
    assert rewritten(source, "a.py", ROOT) == expected


@pytest.mark.parametrize("source", ["import media.info\n", "name = 'media.info'\n", "from \\\n    media import info\n"])
def test_what_cannot_be_rewritten_is_refused(source):
    with pytest.raises(UnclearImport):
        rewritten(source, "a.py", ROOT)


def test_the_interface_is_what_its_page_says():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for name in talking_faces.__all__:
        assert getattr(talking_faces, name) is not None
        assert name.startswith("__") or f"`{name}" in page, f"docs/api.md does not name {name}"
    with pytest.raises(AttributeError):
        getattr(talking_faces, "nothing")  # noqa: B009


def test_the_example_of_the_page_runs(face_and_sound, monkeypatch, capsys):
    monkeypatch.chdir(face_and_sound)
    monkeypatch.setenv("XDG_CACHE_HOME", str(face_and_sound))
    exec(compile(EXAMPLES[0], "docs/api.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("8 frames in ") and "no face in 0 of" in said[0]
    assert 0.5 < float(said[1]) < 1, "the second video, with wider movements, is the first one again"
    assert len(np.unique([(face_and_sound / name).read_bytes() for name in ("made.mp4", "wider.mp4")])) == 2


def test_scripts_as_functions_raise_what_a_program_can_catch(tmp_path):
    with pytest.raises(talking_faces.InputError, match="--real"):
        talking_faces.run_evaluate("--generated", tmp_path)
    with pytest.raises(talking_faces.InputError, match=re.escape(str(tmp_path / "no.yaml"))):
        talking_faces.run_train(tmp_path / "no.yaml")
    with pytest.raises(talking_faces.InputError):
        talking_faces.run_prepare("--corpus", "folder", "--root", tmp_path / "none", "--out", tmp_path / "out")


def test_options_that_break_the_promise_of_compat_are_refused(face_and_sound, monkeypatch):
    monkeypatch.setattr("talking_faces.talker.load_driver", lambda *_, **__: None)  # refused before anything is asked of it
    talker = talking_faces.Talker(compat="wav2lip", cache=False)
    with pytest.raises(talking_faces.InputError, match="--paste"):
        talker.drive(face_and_sound / "face.png", face_and_sound / "speech.wav", face_and_sound / "made.mp4",
                     options=talking_faces.DriveOptions(paste="poisson"))  # fmt: skip
    assert not (face_and_sound / "made.mp4").exists()

"""Set-up files agree with one another, and the whole repository keeps its house rules."""

import os
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.conftest import LONGEST

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BASE = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = {name: [Requirement(line) for line in lines] for name, lines in PROJECT["optional-dependencies"].items()}
ONLY_AS_EXTRA = {"torchvision", "torchaudio", "face-alignment", "tensorboard", "wandb", "ray"}
LARGEST = 40_000_000


def committed_files():
    """Paths of the files under version control; skips the test where the checkout is not a git one."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout: which files are committed is unknown")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / os.fsdecode(name) for name in listing.split(b"\0") if name and (ROOT / os.fsdecode(name)).is_file()]


def dependencies_of(requirements):
    """Names of everything that the requirements bring, from the metadata of what is installed here."""
    found, todo = set(), [(requirement, "") for requirement in requirements]
    while todo:
        requirement, extra = todo.pop()
        name = requirement.name.lower().replace("_", "-")
        if (requirement.marker and not requirement.marker.evaluate({"extra": extra})) or name in found:
            continue
        found.add(name)
        try:
            lines = metadata.distribution(name).requires or []
        except metadata.PackageNotFoundError:
            continue
        todo += [(Requirement(line), wanted) for line in lines for wanted in requirement.extras or {""}]
    return found


def test_every_dependency_is_pinned_to_one_version():
    for requirement in [*BASE, *(r for lines in EXTRAS.values() for r in lines)]:
        operators = sorted(part.operator for part in requirement.specifier)
        if requirement.name == "protobuf":
            assert operators == ["<", ">="]
        else:
            assert operators == ["=="], f"{requirement}: not pinned"


def test_both_opencv_packages_have_one_version_and_torch_is_the_same_everywhere():
    versions = {r.name: str(r.specifier) for r in BASE}
    assert versions["opencv-python"] == versions["opencv-contrib-python"]
    assert {str(r.specifier) for r in EXTRAS["gpu"] if r.name == "torch"} == {versions["torch"]}


def test_the_base_install_brings_no_torchvision_and_no_other_extra():
    brought = dependencies_of(BASE + EXTRAS["test"])
    assert {"torch", "numpy", "mediapipe", "jax"} <= brought, "the walk through the metadata is broken"
    assert not brought & ONLY_AS_EXTRA


def test_what_is_installed_is_what_is_pinned():
    for requirement in BASE + EXTRAS["test"]:
        assert metadata.version(requirement.name) in requirement.specifier, f"{requirement}: another version is installed"


def test_environment_yml_installs_from_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    (own,) = pip
    extras = re.fullmatch(r"-e \.\[([\w,-]+)\]", own).group(1).split(",")
    assert set(extras) <= set(EXTRAS) and {"gpu", "test"} <= set(extras)
    (python,) = (entry.split("=")[1] for entry in conda if entry.startswith("python="))
    assert f"{python}.0" in SpecifierSet(PROJECT["requires-python"])
    assert any(re.fullmatch(r"montreal-forced-aligner=[\d.]+", entry) for entry in conda)
    ours = {r.name for r in BASE} | {r.name for lines in EXTRAS.values() for r in lines}
    assert not {entry.split("=")[0] for entry in conda} & ours, "a dependency stands twice"


def test_readme_names_the_two_commands_and_ci_runs_the_second():
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme and "make test" in readme
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_demo_names_files_that_exist():
    steps = subprocess.run(["make", "-n", "demo"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "inference.py --face results/demo/face.mp4 --audio samples/speech.wav" in steps
    for script in re.findall(r"[\w/]+\.(?:py|sh|wav)", steps):
        assert (ROOT / script).is_file(), f"make demo uses {script}, which does not exist"
    for module in re.findall(r"-m ([\w.]+)", steps):
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), f"make demo runs {module}, which does not exist"


def run_setup(**variables):
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    return subprocess.run(["bash", "tools/setup.sh"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_setup_says_what_is_wrong_with_the_python(tmp_path):
    result = run_setup(VENV=tmp_path / "venv", PYTHON=tmp_path / "no-such-python")
    assert result.returncode == 2
    assert "not a working Python 3.11 or 3.12" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_setup_never_clears_a_folder_that_is_no_environment(tmp_path):
    (tmp_path / "letters.txt").write_text("keep me")
    result = run_setup(VENV=tmp_path)
    assert result.returncode == 2 and "not a virtual environment" in result.stderr
    assert (tmp_path / "letters.txt").read_text() == "keep me"


def test_setup_does_nothing_when_all_is_installed_already(tmp_path):
    with open(ROOT / "pyproject.toml", "rb") as file:
        checksum = subprocess.run(["cksum"], stdin=file, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / ".installed").write_text(f"{checksum} [test]\n")
    result = run_setup(VENV=tmp_path, EXTRAS="test")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert run_setup(VENV=tmp_path, EXTRAS="test,trackers").returncode != 0, "other extras are another install"


def test_no_committed_file_is_large_or_names_a_machine():
    folders = "|".join(("work", "root", "tmp", "home", "opt/pypi", "opt/wheels"))
    hosts = "|".join(("pypi" + r"\.org", "python" + r"hosted\.org", r"download\.py" + r"torch\.org", "anaconda" + r"\.org"))
    telltale = re.compile(rf"(?<![\w.}}>/])/(?:{folders})/|{hosts}".encode())
    for path in committed_files():
        content = path.read_bytes()
        name = path.relative_to(ROOT)
        assert len(content) <= LARGEST, f"{name}: {len(content)} bytes"
        hit = telltale.search(content)
        assert hit is None, f"{name}: names {hit.group().decode()!r}"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.y*ml")), ids=lambda path: path.name)
def test_every_config_parses_to_a_mapping(path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_files_that_begin_first_exist():
    assert [name for name in LONGEST if not (ROOT / "tests" / name).is_file()] == []

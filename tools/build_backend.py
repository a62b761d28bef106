"""What `pip install .` and `pip wheel .` call: setuptools, over the tree that tools/package_tree.py writes.

An editable install (`pip install -e .`) goes to setuptools as it is: it brings the dependencies alone, and the scripts run from
the checkout.
"""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import package_tree
from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  the hooks that are not replaced below

CHECKOUT = Path(__file__).resolve().parents[1]
# What differs in the pyproject.toml of the wheel: the checkout installs no package, and its version stands in a room.
REPLACED = {
    "packages = []\npy-modules = []\n": f'packages = {{ find = {{ include = ["{package_tree.NAME}*"] }} }}\n'
    'include-package-data = false\npackage-data = { "*" = ["*"] }\n',
    'attr = "common.version.': f'attr = "{package_tree.NAME}.common.version.',
}
# Command -> function in talking_faces/commands.py. Only the wheel has them: in an editable install they would find no package.
COMMANDS = {
    "talking-faces": "inference",
    "talking-faces-prepare": "prepare",
    "talking-faces-train": "train",
    "talking-faces-evaluate": "evaluate",
    "talking-faces-temporal": "temporal",
    "talking-faces-spatial": "spatial",
}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517: write the wheel into `wheel_directory`; returns its file name."""
    place = os.path.abspath(wheel_directory)
    with _staged():
        return build_meta.build_wheel(place, config_settings)


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """PEP 517: write the metadata of the wheel, its commands among them; returns the name of the dist-info folder."""
    place = os.path.abspath(metadata_directory)
    with _staged():
        return build_meta.prepare_metadata_for_build_wheel(place, config_settings)


@contextmanager
def _staged():
    """Inside, the current folder holds the tree and a pyproject.toml that installs it."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as name:
        stage = Path(name)
        package_tree.write_tree(CHECKOUT, stage)
        for file in ("README.md", "LICENSE"):
            shutil.copyfile(CHECKOUT / file, stage / file)
        (stage / "pyproject.toml").write_text(wheel_project((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")), "utf-8")
        os.chdir(stage)
        try:
            yield
        finally:
            os.chdir(before)


def wheel_project(text):
    """pyproject.toml of the checkout -> that of the wheel; ValueError where it lacks what must be replaced."""
    for old, new in REPLACED.items():
        if text.count(old) != 1:
            raise ValueError(f"pyproject.toml: {old.strip()!r} must stand in it once")
        text = text.replace(old, new)
    commands = "".join(f'{name} = "{package_tree.NAME}.commands:{function}"\n' for name, function in COMMANDS.items())
    return f"{text}\n[project.scripts]\n{commands}"

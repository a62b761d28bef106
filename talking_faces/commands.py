"""The commands of the installed package: each runs a script as `python -m talking_faces.SCRIPT` does.

tools/build_backend.py gives them their names. In the checkout the scripts are called by their files.
"""

from runpy import run_module


def _run(script):
    run_module(f"{__package__}.{script}", run_name="__main__", alter_sys=True)


def inference():
    """talking-faces: drive a face."""
    _run("inference")


def prepare():
    """talking-faces-prepare: prepare a corpus."""
    _run("prepare")


def train():
    """talking-faces-train: train."""
    _run("train")


def evaluate():
    """talking-faces-evaluate: fill the tables."""
    _run("evaluate")


def temporal():
    """talking-faces-temporal: temporal consistency, step by step."""
    _run("temporal_processing")


def spatial():
    """talking-faces-spatial: spatial consistency, step by step."""
    _run("spatial_processing")

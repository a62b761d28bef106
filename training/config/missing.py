"""What to do where a checkpoint that a config names is not there: most are results of another run."""

import re
from functools import cache
from pathlib import Path

from training.config.loading import CONFIGS, load_config


def config_of(path):
    """The config in `configs/` whose run leaves the checkpoint `path`, such as runs/expert/best.safetensors; None: none does.

    Args:
        path: str or Path.
    """
    found = CONFIGS / f"{Path(path).parent.name}.yaml"
    return found if found.is_file() else None


def config_of_network(section, sizes=None):
    """The config in `configs/` whose section `model` holds all these values; None: none does.

    Of several it is one without a base before one with a base, and then the one with the shortest name.

    Args:
        section: dict with `name`, the network's, all of which the config must hold, itself or by its base.
        sizes: dict of further values, which it must not contradict.
    """
    for path, model in _models():
        fits = all(model.get(key, value) == value for key, value in (sizes or {}).items())
        if fits and all(model.get(key) == value for key, value in section.items()):
            return path
    return None


@cache
def _models():
    """[(path, section `model`)] of all configs that come with the code, in the order in which they are advised."""
    paths = sorted(CONFIGS.glob("*.yaml"), key=lambda one: (_has_base(one), len(one.name), one.name))
    return [(path, load_config(path)["model"]) for path in paths]


def _has_base(path):
    return re.search(r"^base:", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def cure(path, key):
    """How to get the checkpoint `path` that a config names; "" where no config leaves it, or where its folder is there.

    Args:
        path: str or Path; key: full name of the setting, such as "losses.sync.expert".
    """
    path = Path(str(path))
    if path.parent.exists():
        return ""
    if (config := config_of(path)) is not None:
        return f"; train it first (python train.py configs/{config.name}), or name another one in {key}"
    return ""

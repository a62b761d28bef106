"""What to do where a checkpoint that a config names is not there: most are results of another run."""

from pathlib import Path

from training.config.loading import CONFIGS, load_config


def config_of(path):
    """The config in `configs/` whose run leaves the checkpoint `path`, such as runs/expert/best.safetensors; None: none does.

    Args:
        path: str or Path.
    """
    found = CONFIGS / f"{Path(path).parent.name}.yaml"
    return found if found.is_file() else None


def config_of_network(section):
    """The config in `configs/` with the shortest name whose section `model` holds all these values; None: none does.

    Args:
        section: dict with `name`, the network's, which its configs hold.
    """
    for path in sorted(CONFIGS.glob("*.yaml"), key=lambda one: (len(one.name), one.name)):
        if f"name: {section['name']}," not in path.read_text(encoding="utf-8"):
            continue  # a variant of a config, or of another network; reading it takes longer
        model = load_config(path)["model"]
        if all(model.get(key) == value for key, value in section.items()):
            return path
    return None


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

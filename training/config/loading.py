"""Experiment configs: YAML over its base and the defaults, overrides on the command line, unknown keys refused."""

from pathlib import Path

from common.errors import InputError
from common.schema import is_clean, shown
from common.suggest import refuse_unknown
from training.config.settings import CONFIG
from training.config.yaml_text import parse_yaml, read_yaml

NAMED = {("losses",): "loss", ("optim", "parts"): "part"}  # sections whose entries the user names; null takes one away
CONFIGS = Path(__file__).resolve().parents[2] / "configs"  # they come with the code, in the checkout and in the package


def load_config(path, overrides=()):
    """Read a config file and lay it over the defaults.

    Args:
        path: YAML file, UTF-8; configs/NAME.yaml, where the current folder has none, is the one that comes with the code.
            Its key `base` names another one beside it, over which it is laid: sections key by key, lists and values whole; a
            loss, or a part of `optim.parts`, that is null is taken away.
        overrides: strings "key.sub=value"; the value is read as YAML.

    Returns:
        dict with every key of `training.config.settings.CONFIG`, each value in its type and range; `optim.parts` complete.
        `model` and `losses` are as given: they are checked by whoever builds from them.

    Raises:
        InputError: no such file, not YAML, a key given twice, an unknown key (the nearest known one is named), a value of
            another type or out of its range. One line.
    """
    path = _found(Path(path))
    given = _with_bases(path, ())
    for override in overrides:
        _apply_override(given, override)
    if isinstance(given.get("data"), dict) and "batch" in given["data"]:
        raise InputError("data.batch: is called train.batch_size now")
    for section in NAMED:
        entries = _entries(given, section)
        for name in [name for name, options in entries.items() if options is None]:
            del entries[name]
    if given.get("name") is None:
        given["name"] = path.stem
    return CONFIG.read(given, "")


def checked_section(name, given, where, below=None):
    """A section that stands elsewhere in a config, checked as that of CONFIG is, such as the `optim` of a loss.

    Args:
        name: section of CONFIG whose keys it has: "adversary".
        given: what the user wrote, a dict.
        where: full name of the section, for messages: "losses.faces.optim".
        below: dict of values for the keys that are not given; None: the defaults.

    Returns:
        dict with all keys of the section.

    Raises:
        InputError: see `load_config`.
    """
    return CONFIG.keys[name].read(given, where, below)


def starts_of(train):
    """What a run begins from: `train.init` as a list.

    Args:
        train: section of a resolved config.

    Returns:
        list of {"checkpoint": path, "parts": list of names, or None for all of it}; empty where training starts anew.
    """
    init = train["init"]
    return [{"checkpoint": init, "parts": None}] if isinstance(init, str) else list(init or ())


def _found(path):
    """The path itself, or, for configs/NAME.yaml that the current folder lacks, that of the config that comes with the code."""
    shipped = CONFIGS / path.name
    try:
        ours = path.parent == Path("configs") and not path.exists() and shipped.is_file()
    except (OSError, ValueError):  # a name that is too long
        return path
    return shipped if ours else path


def _with_bases(path, above):
    """What a file says, laid over the file that its key `base` names (beside it), and so on."""
    try:
        missing, own = path.is_dir() or not path.exists(), path.resolve()
    except (OSError, ValueError) as error:  # a name that is too long
        raise InputError(f"{path}: no such config file ({getattr(error, 'strerror', None) or error})") from error
    if missing:
        raise InputError(f"{path}: no such config file" + (f" (base of {above[-1]})" if above else ""))
    if own in [one.resolve() for one in above]:
        raise InputError(f"{path}: is its own base, over {', '.join(map(str, above))}")
    given = read_yaml(path)
    if not isinstance(given, dict):
        raise InputError(f"{path}: must be a mapping of sections, such as  model: {{name: wav2lip}}")
    base = given.pop("base", None)
    if base is not None and not isinstance(base, str):
        raise InputError(f"base: {shown(base)} must be the name of a config beside {path}")
    below = {} if base is None else _with_bases(path.parent / base, (*above, path))
    below.pop("name", None)
    for section in NAMED:
        _require_taken_away(section, _entries(given, section), _entries(below, section), path)
    return _laid_over(below, given)


def _entries(given, section):
    """The entries of a section of NAMED, {} where there are none."""
    for key in section:
        given = given.get(key) if isinstance(given, dict) else None
    return given if isinstance(given, dict) else {}


def _require_taken_away(section, entries, below, where):
    """InputError for an entry that is null where there is none to take away: misspelt, it would stay in."""
    present = [name for name, options in below.items() if options is not None]
    for name, options in entries.items():
        if options is None:
            refuse_unknown([name], present or ["none"], f"{NAMED[section]} to take away (null in {where})")


def _laid_over(below, given):
    """`given` over `below`, section by section; a list or a value replaces what was there."""
    merged = dict(below)
    for key, value in given.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _laid_over(merged[key], value) if both else value
    return merged


def _apply_override(given, override):
    key, separator, text = override.partition("=")
    if not separator or not key or not is_clean(key):
        raise InputError(f"{shown(override)}: an override is written key.sub=value")
    *parents, last = key.split(".")
    node = given
    for name in parents:
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            raise InputError(f"{shown(override)}: {name} is a value, not a section")
    value = parse_yaml(text, shown(override))
    if tuple(parents) in NAMED:
        _require_taken_away(tuple(parents), {last: value}, node, shown(override))
    node[last] = value

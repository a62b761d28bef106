"""Experiment configs: YAML over its base and the defaults, overrides on the command line, unknown keys refused."""

import copy
import re
from pathlib import Path

import yaml

from common.errors import InputError
from common.suggest import refuse_unknown
from speech.windows import MODES

DEFAULTS = {
    "name": None,  # of the run folder; the config's file name where it is missing
    "model": {"name": "wav2lip", "face_size": 96, "width": 1.0},
    "data": {
        "corpus": None,  # folder made by prepare.py
        "crop": None,  # aligned | box: what the corpus must hold; it is the corpus that decides
        "window": 5,  # frames per item, or "phoneme": whole phoneme runs, padded to data.longest
        "longest": 12,  # frames of a padded window; a longer run is cut
        "phonemes": "aligned",  # or "shuffled": the runs of each clip in random order, a control
        "workers": 1,  # loader processes
        "audio_window": "centred",
        "mask_top": 0.5,  # share of the crop's height from which on the model must make up the face
        "balance": 1.0,  # 1: all clips alike, 0: all speakers alike
        "texture": {"clusters": 64, "compactness": 10.0},  # modules of the reference, for model.spatial_input
        "min_av_confidence": None,  # leave out clips whose AV offset is less certain; "sure": datasets.av_offset.CONFIDENT
        "part": [0.0, 1.0],  # only clips whose id hashes into this share, so that two networks may learn from disjoint halves
        "negatives": {"near": 0.5, "far": 0.25, "other": 0.25, "least": 1, "sounds": 1},  # for the expert: datasets.negatives
        "exclude": None,  # list of clip ids, or beginnings of ids, to leave out
        "augment": {
            **{"flip": 0.5, "shift": 0, "turn": 0.0, "zoom": 0.0},
            **{"colour": 0.0, "blur": 0.0, "grain": 0.0},
            **{"gain_db": 0.0, "noise": 0.0, "silence": 0.0},
        },
    },
    "losses": {},  # name: {weight: number or "rest", ...}; null takes away a loss of the base
    "optim": {"lr": 1e-4, "betas": [0.9, 0.999], "weight_decay": 0.0, "warmup": 100, "clip": 1.0, "schedule": "constant"},
    "adversary": {"lr": 1e-4, "betas": [0.5, 0.999], "warmup": 0, "clip": 1.0},  # optimiser of the losses' discriminators
    "train": {
        "batch_size": 16,  # items a step and process
        "accumulate": 1,  # batches whose gradients are summed into one step
        "steps": 100000,
        "minutes": None,  # stop earlier, after so many minutes of this run; the same command goes on
        "seed": 0,
        "device": "auto",
        "precision": "auto",  # fp32 | bf16 | fp16; auto: bf16 on GPUs that have it, else fp32
        "compile": False,  # torch.compile the network
        "sync_batchnorm": True,  # several processes: batch statistics of the whole step
        "threads": None,
        "ema": 0.999,
        "init": None,  # checkpoint to begin from
        "runs": "runs",
        "log_every": 50,
        "checkpoint_every": 1000,  # steps between checkpoints, from which a stopped run goes on
        "validate_every": 1000,
        "validate_batches": 16,
        "best": None,  # metric whose least value makes best.safetensors; None: val/total, or unseen/total where there is no val
        "keep": 3,  # newest snapshots that are kept
        "snapshot_dtype": "float32",
        "progress": True,
        "tensorboard": "auto",  # on | off; auto: where the package is there
        "wandb": "off",  # or the name of a project
    },
}
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
SNAPSHOT_DTYPES = ("float32", "float16", "bfloat16")
_WORDS = {"data.window": ("phoneme",)}  # words that may stand in place of a number
_FREE = ("losses", "model")  # their keys are checked by whoever builds them


def load_config(path, overrides=()):
    """Read a config file and lay it over the defaults.

    Args:
        path: YAML file. Its key `base` names another one beside it, over which it is laid: sections key by key, lists and
            values whole; a loss that is null is taken away.
        overrides: strings "key.sub=value"; the value is read as YAML.

    Returns:
        dict with every key of DEFAULTS.

    Raises:
        InputError: no such file, not YAML, an unknown key (the nearest known one is named), a value of another type.
    """
    path = Path(path)
    given = _with_bases(path, ())
    for override in overrides:
        _apply_override(given, override)
    if isinstance(given.get("data"), dict) and "batch" in given["data"]:
        raise InputError("data.batch: is called train.batch_size now")
    if isinstance(given.get("losses"), dict):
        given["losses"] = {name: options for name, options in given["losses"].items() if options is not None}
    for key, example in (("model", "{name: wav2lip}"), ("losses", "{l1: {weight: 1.0}}")):
        if not isinstance(given.get(key, {}), dict):
            raise InputError(f"{key}: must be a section, such as {example}")
    for name, options in given.get("losses", {}).items():
        if not isinstance(options, dict):
            raise InputError(f"losses.{name}: must be a section, such as {{weight: 1.0}}")
    config = _merge(DEFAULTS, given, "")
    config["name"] = str(config["name"] or path.stem)
    _check(config)
    return config


def _with_bases(path, above):
    """What a file says, laid over the file that its key `base` names (beside it), and so on."""
    if not path.is_file():
        raise InputError(f"{path}: no such config file" + (f" (base of {above[-1]})" if above else ""))
    if path.resolve() in [one.resolve() for one in above]:
        raise InputError(f"{path}: is its own base, over {', '.join(map(str, above))}")
    given = _parse(path.read_text(encoding="utf-8"), str(path))
    if not isinstance(given, dict):
        raise InputError(f"{path}: must be a mapping of sections, such as  model: {{name: wav2lip}}")
    base = given.pop("base", None)
    below = {} if base is None else _with_bases(path.parent / str(base), (*above, path))
    below.pop("name", None)
    _require_taken_away(given.get("losses"), below.get("losses"), path)
    return _laid_over(below, given)


def _require_taken_away(losses, below, where):
    """InputError for a loss that is null where there is none to take away: misspelt, it would stay in."""
    present = [name for name, options in below.items() if options is not None] if isinstance(below, dict) else []
    for name, options in losses.items() if isinstance(losses, dict) else ():
        if options is None:
            refuse_unknown([name], present or ["none"], f"loss to take away (null in {where})")


def _laid_over(below, given):
    """`given` over `below`, section by section; a list or a value replaces what was there."""
    merged = dict(below)
    for key, value in given.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _laid_over(merged[key], value) if both else value
    return merged


def _check(config):
    """InputError for values that cannot be."""
    train = config["train"]
    if not re.fullmatch(r"[\w][\w.-]*", config["name"]):
        raise InputError(f"name: {config['name']!r}: is the name of a folder; use letters, digits, . _ and -")
    if config["data"]["audio_window"] not in MODES:
        raise InputError(f"data.audio_window: {config['data']['audio_window']!r}: unknown; choose one of {', '.join(MODES)}")
    for section, key, low in (("data", "window", 1), ("data", "longest", 2), ("data", "workers", 0), ("train", "batch_size", 1),
                              ("train", "steps", 1), ("train", "accumulate", 1), ("train", "keep", 1),
                              ("train", "checkpoint_every", 1), ("train", "validate_every", 1),
                              ("train", "validate_batches", 1), ("train", "log_every", 1)):  # fmt: skip
        if config[section][key] != "phoneme" and config[section][key] < low:
            raise InputError(f"{section}.{key}: must be {low} or more")
    if not 0 <= config["data"]["part"][0] < config["data"]["part"][1] <= 1:
        raise InputError("data.part: must be [low, high] with 0 <= low < high <= 1")
    confidence = config["data"]["min_av_confidence"]
    if confidence not in (None, "sure") and (isinstance(confidence, bool) or not isinstance(confidence, int | float)):
        raise InputError(f"data.min_av_confidence: {confidence!r}: must be a number, or sure")
    if not 0 <= train["ema"] <= 1:
        raise InputError(f"train.ema: {train['ema']}: must lie between 0 and 1")
    for key, kind in (("minutes", int | float), ("threads", int)):
        if train[key] is not None and (isinstance(train[key], bool) or not isinstance(train[key], kind) or train[key] < 0):
            raise InputError(f"train.{key}: {train[key]!r} must be a number, 0 or more")
    if train["snapshot_dtype"] not in SNAPSHOT_DTYPES:
        raise InputError(f"train.snapshot_dtype: {train['snapshot_dtype']!r}: unknown; choose {', '.join(SNAPSHOT_DTYPES)}")
    if config["data"]["phonemes"] not in ("aligned", "shuffled"):
        raise InputError(f"data.phonemes: {config['data']['phonemes']!r}: unknown; choose aligned or shuffled")
    if config["data"]["crop"] not in (None, "aligned", "box"):
        raise InputError(f"data.crop: {config['data']['crop']!r}: unknown; choose aligned or box")
    if not 0.1 <= config["data"]["mask_top"] <= 0.5:  # pasting begins at 0.44 of the crop
        raise InputError(f"data.mask_top: {config['data']['mask_top']}: must lie between 0.1 and 0.5")
    exclude = config["data"]["exclude"]
    if exclude is not None and not (isinstance(exclude, list) and all(isinstance(name, str) for name in exclude)):
        raise InputError("data.exclude: must be a list of clip ids or beginnings of ids, such as [s3/, s4/bbaf2n]")
    if config["optim"]["schedule"] not in ("constant", "cosine"):
        raise InputError(f"optim.schedule: {config['optim']['schedule']!r}: unknown; choose constant or cosine")
    if train["precision"] not in PRECISIONS:
        raise InputError(f"train.precision: {train['precision']!r}: unknown; choose one of {', '.join(PRECISIONS)}")


def _parse(text, where):
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{where}: is not YAML ({str(error).splitlines()[0]})") from error


def _apply_override(given, override):
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise InputError(f"{override!r}: an override is written key.sub=value")
    *parents, last = key.split(".")
    node = given
    for name in parents:
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            raise InputError(f"{override!r}: {name} is a value, not a section")
    value = _parse(text, override)
    if parents == ["losses"]:
        _require_taken_away({last: value}, node, override)
    node[last] = value


def _merge(defaults, given, where):
    if not isinstance(given, dict):
        raise InputError(f"{where}: must be a section, not {given!r}")
    refuse_unknown([f"{where}{key}" for key in given], [f"{where}{key}" for key in defaults], "key")
    merged = copy.deepcopy(defaults)
    for key, value in given.items():
        default = defaults[key]
        if key in _FREE and not where:
            merged[key] = copy.deepcopy(value)
        elif isinstance(default, dict):
            merged[key] = _merge(default, value, f"{where}{key}.")
        else:
            merged[key] = _typed(default, value, f"{where}{key}")
    return merged


def _typed(default, value, where):
    """`value` with the type of `default`; YAML reads 1e-4 as text and on as true, so both are tried."""
    if isinstance(default, str) and isinstance(value, bool) and default in ("auto", "off"):
        value = "on" if value else "off"
    if default is None or value in _WORDS.get(where, ()):
        return value
    if isinstance(default, float) and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: {value!r} must be a number") from error
    if isinstance(default, list) and isinstance(value, list):
        if len(value) != len(default):
            raise InputError(f"{where}: {value!r} must be a list of {len(default)}")
        return [_typed(one, other, where) for one, other in zip(default, value, strict=True)]
    if type(value) is not type(default):
        raise InputError(f"{where}: {value!r} must be {_kind(default)}")
    return value


def _kind(default):
    """What a value should have been, in words."""
    if isinstance(default, list):
        return f"a list of {len(default)}"
    return {int: "a whole number", str: "text", bool: "true or false"}.get(type(default), f"like {default!r}")
